from django.apps import AppConfig
from django.db.models.signals import pre_migrate


class DatabasesConfig(AppConfig):
    name = "databases"

    def ready(self) -> None:
        from databases.backups import before_migrate  # noqa: PLC0415  # models are not there before

        pre_migrate.connect(before_migrate.prepare, sender=self, dispatch_uid="safety backup")
