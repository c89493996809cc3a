from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_started

from monitoring import secret_rotation
from monitoring.telemetry.start import start


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        start()
        if settings.KEY_VAULT is not None:
            request_started.connect(
                secret_rotation.rotate_if_due, dispatch_uid="monitoring.secret_rotation"
            )
