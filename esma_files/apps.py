import stamina.instrumentation
from django.apps import AppConfig

from esma_files import http


class EsmaFilesConfig(AppConfig):
    name = "esma_files"
    verbose_name = "ESMA files"

    def ready(self) -> None:
        stamina.instrumentation.set_on_retry_hooks([http.log_retry])
