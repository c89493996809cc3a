import string
from collections.abc import Collection

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class EsmaFilesConfig(AppConfig):
    name = "esma_files"
    verbose_name = "ESMA files"

    def ready(self) -> None:
        """Refuse names of datasets and kinds that do not exist: nothing would be followed, without a word."""
        from esma_files.datasets import Dataset  # noqa: PLC0415  # not before the apps are ready
        from esma_files.kinds import KINDS  # noqa: PLC0415

        _require_known("REGISTERS", settings.REGISTERS, Dataset.values)
        _require_known("DOWNLOAD_KINDS", settings.DOWNLOAD_KINDS, KINDS)
        _require_known(
            "DOWNLOAD_CATEGORIES", settings.DOWNLOAD_CATEGORIES, [*string.ascii_uppercase]
        )


def _require_known(setting: str, names: Collection[str], known: Collection[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise ImproperlyConfigured(
            f"{setting}={','.join(unknown)!r} is unknown. Choose from: {', '.join(known)}."
        )
