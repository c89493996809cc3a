from django.apps import AppConfig


class ServicesConfig(AppConfig):
    name = "marketdata.services"
    verbose_name = "Outside services"
