from django.apps import AppConfig


class EsmaFilesConfig(AppConfig):
    name = "esma_files"
    verbose_name = "ESMA files"
