"""A file field for files in several storages: another field of the row names the storage."""

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
        """Ignore the storage of the field, which FieldFile sets: the row names the storage."""


class StoredFileField(models.FileField):
    """A file field that needs a field `location` in the same model: an alias of settings.STORAGES."""

    attr_class = StoredFile
