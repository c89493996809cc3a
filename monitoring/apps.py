from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_started

from monitoring import secret_rotation


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        if settings.KEY_VAULT is not None:
            request_started.connect(
                secret_rotation.rotate_if_due, dispatch_uid="monitoring.secret_rotation"
            )
