"""The place of the lake: a folder, or a container of the Blob Storage that the files are in."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import storages

from lake.errors import LakeNotInstalled
from lake.tables import LakeTable

if TYPE_CHECKING:
    from deltalake import DeltaTable

_TOKEN_SCOPE = "https://storage.azure.com/.default"  # noqa: S105  # the name of a right
_PUBLISHED = "published.json"


def import_deltalake() -> Any:
    """Return the module. Raises LakeNotInstalled: a small installation does without its 130 MB."""
    try:
        import deltalake  # noqa: PLC0415
    except ImportError:
        raise LakeNotInstalled from None
    return deltalake


def get_root() -> str:
    """Return the path of the folder, or the address of the container, as az://lake."""
    if settings.FILES_LOCATION == "blob":
        return f"az://{settings.LAKE_CONTAINER}"
    return str(Path(settings.LAKE_DIR).resolve())


def get_uri(table: LakeTable) -> str:
    return f"{get_root()}/{table.name}"


def get_options() -> dict[str, str]:
    """Return what object stores need to reach the Blob Storage of the files; nothing for a folder."""
    if settings.FILES_LOCATION != "blob":
        return {}
    account = settings.STORAGES["blob"]["OPTIONS"]
    if account["connection_string"]:
        return _read_connection_string(account["connection_string"])
    options = {"azure_storage_account_name": account["account"]}
    if account["key"]:
        return {**options, "azure_storage_account_key": account["key"]}
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  # slow, and rarely needed

    # Valid for an hour or more; each table that is opened asks again, and the library keeps it.
    token = DefaultAzureCredential().get_token(_TOKEN_SCOPE)
    return {**options, "azure_storage_token": token.token}


def _read_connection_string(text: str) -> dict[str, str]:
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    options = {
        "azure_storage_account_name": parts.get("AccountName", ""),
        "azure_storage_account_key": parts.get("AccountKey", ""),
    }
    if endpoint := parts.get("BlobEndpoint"):
        options["azure_storage_endpoint"] = endpoint.rstrip("/")
        if endpoint.startswith("http://"):  # Azurite
            options["azure_allow_http"] = "true"
    return options


def prepare() -> None:
    """Create the folder or container, if it does not exist."""
    if settings.FILES_LOCATION != "blob":
        Path(settings.LAKE_DIR).mkdir(parents=True, exist_ok=True)
        return
    container = _get_container()
    if not container.exists():
        container.create_container()


def open_table(table: LakeTable) -> "DeltaTable | None":
    """Return the table at its newest version; None where it has not been published."""
    deltalake = import_deltalake()
    uri, options = get_uri(table), get_options()
    if not deltalake.DeltaTable.is_deltatable(uri, options):
        return None
    delta: DeltaTable = deltalake.DeltaTable(uri, storage_options=options)
    return delta


def write_file(name: str, content: bytes) -> None:
    """Write a file of the lake, as `listings/category=D/....parquet`; never a part of it."""
    if settings.FILES_LOCATION == "blob":
        _get_container().upload_blob(name, content, overwrite=True)
        return
    path = Path(settings.LAKE_DIR, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not a hidden file: `vacuum` would leave what a killed process has written of it.
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_published(content: dict[str, Any]) -> None:
    """Write the list of tables that belong to one state of the database: the last step."""
    write_file(_PUBLISHED, json.dumps(content, indent=2).encode())


def read_published() -> dict[str, Any] | None:
    """Return what `write_published` wrote last; None if nothing has been published."""
    if settings.FILES_LOCATION == "blob":
        blob = _get_container().get_blob_client(_PUBLISHED)
        return json.loads(blob.download_blob().readall()) if blob.exists() else None
    path = Path(settings.LAKE_DIR, _PUBLISHED)
    return json.loads(path.read_bytes()) if path.exists() else None


def _get_container() -> Any:
    storage: Any = storages["blob"]
    return storage.container(settings.LAKE_CONTAINER).client
