"""Azure Blob Storage as a Django storage, with several containers."""

import datetime as dt
import functools
import threading
from collections.abc import Iterator
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import Any, cast

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobSasPermissions, generate_blob_sas
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.deconstruct import deconstructible
from storages.backends.azure_storage import AzureStorage

from esma_files.errors import LostFile
from marketdata.common.errors import RetryableError
from marketdata.common.telemetry import measured

# Bytes of a blob that are held in memory; a larger one goes to a temporary file.
_IN_MEMORY = 32 * 1024 * 1024
_ARCHIVED = ("BlobArchived", "BlobBeingRehydrated")


class StorageUnavailable(RetryableError):
    """Blob Storage did not answer, or has a temporary problem."""


class InArchive(RetryableError):
    """The blob is in the Archive tier, or on its way back from there, which takes hours."""

    wait_seconds = 3600


@deconstructible
class BlobStorage(Storage):
    """`firds/2025/NAME` is the blob `2025/NAME` of the container `firds`.

    The name of a file has a part of the MD5 of its bytes, so a file that exists is overwritten, and never
    stored under another name. Containers are created when they are first written to.
    """

    def __init__(self, *, account: str = "", key: str = "", connection_string: str = "") -> None:
        self._account, self._key, self._connection_string = account, key, connection_string
        self._containers: dict[str, AzureStorage] = {}
        self._lock = threading.Lock()

    def container(self, name: str) -> AzureStorage:
        """Return the storage of django-storages for one container."""
        with self._lock:
            if name not in self._containers:
                self._containers[name] = AzureStorage(
                    azure_container=name,
                    account_name=self._account or None,
                    account_key=self._key or None,
                    connection_string=self._connection_string or None,
                    token_credential=None if self._has_key else _identity(),
                    overwrite_files=True,
                )
            return self._containers[name]

    @property
    def _has_key(self) -> bool:
        return bool(self._key or self._connection_string)

    def _place(self, name: str) -> tuple[AzureStorage, str]:
        container, _, blob = name.partition("/")
        if not blob:
            raise ImproperlyConfigured(
                f"{name}: a name in Blob Storage must begin with its container"
            )
        return self.container(container), blob

    def _blob(self, name: str) -> BlobClient:
        storage, blob = self._place(name)
        return cast(BlobClient, storage.client.get_blob_client(blob))

    @measured("storage", target="blob", name="open")
    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        """Return the blob, in memory or in a temporary file without a name, of which nothing stays behind.

        Raises FileNotFoundError, InArchive, StorageUnavailable.
        """
        fetched = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # the caller closes it
        try:
            self._blob(name).download_blob(max_concurrency=2).readinto(fetched)
        except BaseException as error:
            fetched.close()
            if isinstance(error, ResourceNotFoundError):
                raise FileNotFoundError(name) from error
            if getattr(error, "error_code", "") in _ARCHIVED:
                raise InArchive(
                    f"{name} is in the Archive tier, or on its way back from it"
                ) from error
            if isinstance(error, AzureError):
                raise _unavailable(name, error) from error
            raise
        fetched.seek(0)
        return File(fetched, name=name)

    @measured("storage", target="blob", name="save")
    def _save(self, name: str, content: File[Any]) -> str:
        storage, blob = self._place(name)
        try:
            try:
                storage.save(blob, content)
            except HttpResponseError as error:
                if getattr(error, "error_code", "") in _ARCHIVED:
                    storage.delete(blob)  # a blob in the archive cannot be overwritten
                elif error.status_code == HTTPStatus.NOT_FOUND:
                    storage.client.create_container()
                else:
                    raise
                storage.save(blob, content)
        except AzureError as error:
            raise _unavailable(name, error) from error
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def link(self, name: str, *, filename: str, seconds: int) -> str:
        """Return an address from which anybody can read the blob for some seconds, as a download.

        It is signed with the key of the account, or by a key that Entra gives to the managed identity.
        Somebody waits for it, so nothing is tried again. Raises LostFile, and temporary errors.
        """
        blob, now = self._blob(name), timezone.now()
        until = now + dt.timedelta(seconds=seconds)
        key: dict[str, Any]
        try:
            if not blob.exists(retry_total=0):
                raise LostFile(filename, f"{name} is not in the storage")
            if self._has_key:
                key = {"account_key": blob.credential.account_key}
            else:
                account = self._place(name)[0].service_client
                begin = now - dt.timedelta(minutes=5)  # clocks differ
                key = {
                    "user_delegation_key": account.get_user_delegation_key(
                        begin, until, retry_total=0
                    )
                }
        except AzureError as error:
            raise _unavailable(name, error) from error
        signature = generate_blob_sas(
            self._account or str(blob.account_name),  # which an address without its name lacks
            blob.container_name,
            blob.blob_name,
            permission=BlobSasPermissions(read=True),
            expiry=until,
            content_disposition=f'attachment; filename="{filename}"',
            **key,
        )
        return f"{blob.url}?{signature}"

    def exists(self, name: str) -> bool:
        try:
            return self._blob(name).exists()
        except AzureError as error:
            raise _unavailable(name, error) from error

    def size(self, name: str) -> int:
        try:
            return int(self._blob(name).get_blob_properties().size)
        except ResourceNotFoundError as error:
            raise FileNotFoundError(name) from error
        except AzureError as error:
            raise _unavailable(name, error) from error

    def delete(self, name: str) -> None:
        """Delete a blob, if it exists."""
        storage, blob = self._place(name)
        try:
            storage.delete(blob)
        except AzureError as error:
            raise _unavailable(name, error) from error

    def tier(self, name: str) -> str:
        """Return `hot`, `cool` or `archive`. Raises FileNotFoundError, StorageUnavailable."""
        try:
            properties = self._blob(name).get_blob_properties()
        except ResourceNotFoundError as error:
            raise FileNotFoundError(name) from error
        except AzureError as error:
            raise _unavailable(name, error) from error
        return str(properties.blob_tier or "Hot").lower()

    def set_tier(self, name: str, tier: str) -> None:
        """Move a blob to `hot`, `cool` or `archive`; moving it back from the archive takes hours."""
        try:
            self._blob(name).set_standard_blob_tier(tier.capitalize())
        except ResourceNotFoundError as error:
            raise FileNotFoundError(name) from error
        except AzureError as error:
            raise _unavailable(name, error) from error

    def names(self, container: str) -> Iterator[str]:
        """Yield the name of every blob of a container, as `container/blob`."""
        try:
            for blob in self.container(container).client.list_blob_names():
                yield f"{container}/{blob}"
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise _unavailable(container, error) from error


def _unavailable(name: str, error: AzureError) -> StorageUnavailable:
    reason = str(error).partition("\n")[0]
    return StorageUnavailable(f"{name}: Blob Storage answered: {reason}")


@functools.cache
def _identity() -> Any:
    """Return the managed identity of this machine, or the account that a developer has signed in with."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  # slow, and rarely needed

    return DefaultAzureCredential()
