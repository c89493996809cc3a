"""File storage: folders on this machine, or Azure Blob Storage."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import env


def from_environment() -> tuple[dict[str, Any], str]:
    """Return Django's `STORAGES`, and the alias of the storage for new files.

    `local` is always configured: files stored before Blob Storage was introduced are read from it, until
    `manage.py move_files` moves them.
    """
    account = env.read("AZURE_STORAGE_ACCOUNT", env.account, "")
    key = env.read("AZURE_STORAGE_KEY", str, "")
    connection_string = env.read(
        "AZURE_STORAGE_CONNECTION_STRING", env.storage_connection_string, ""
    )
    if key and not account:
        raise ImproperlyConfigured(
            "AZURE_STORAGE_KEY requires AZURE_STORAGE_ACCOUNT. Set the name of the account too."
        )
    local = {"BACKEND": "esma_files.storage.local.LocalStorage"}
    storages: dict[str, Any] = {
        "default": local,
        "local": local,
        "staticfiles": {
            "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
            "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
        },
    }
    if not (account or connection_string):
        return storages, "local"
    options = {"account": account, "key": key, "connection_string": connection_string}
    blob = {"BACKEND": "esma_files.storage.blob.BlobStorage", "OPTIONS": options}
    return {**storages, "default": blob, "blob": blob}, "blob"
