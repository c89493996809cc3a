"""A file field whose row says in which of the storages its file lies."""

from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models.fields.files import FieldFile


class StoredFile(FieldFile):
    """The file of one row: in the storage that the row's `location` names."""

    @property
    def storage(self) -> Storage:
        alias: str = self.instance.location  # type: ignore[attr-defined]
        return storages[alias]

    @storage.setter
    def storage(self, field_storage: Storage) -> None:
        """FieldFile sets the field's own storage; the row knows better."""


class StoredFileField(models.FileField):
    """Needs a field `location` beside it: an alias of settings.STORAGES."""

    attr_class = StoredFile
