from django.apps import AppConfig
from django.db.models.signals import post_migrate

from accounts.roles import bring_up_to_date


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import events  # noqa: PLC0415  # models are not there before

        post_migrate.connect(bring_up_to_date, sender=self, dispatch_uid="roles")
        events.listen()
