from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate

from audit.append_only import create_triggers, drop_triggers


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        pre_migrate.connect(drop_triggers, sender=self, dispatch_uid="audit triggers")
        post_migrate.connect(create_triggers, sender=self, dispatch_uid="audit triggers")
