"""How tables are altered."""

from typing import Any

import mssql.schema
from django.db.backends.base import schema
from django.db.models import AutoField


class DatabaseSchemaEditor(mssql.schema.DatabaseSchemaEditor):  # type: ignore[misc]  # untyped
    def _alter_field(
        self, model: Any, old_field: Any, new_field: Any, old_type: str, new_type: str, *rest: Any
    ) -> None:
        """mssql-django alters what points to a key together with it, and leaves its unique constraint
        where it is: SQL Server refuses that (5074). And it drops all indexes of a table whose key it is
        told to alter, also where nothing is to be altered. The migrations of simplejwt do both.
        """
        same = (old_field.column, old_type) == (new_field.column, new_type)
        if same and isinstance(old_field, AutoField) and isinstance(new_field, AutoField):
            return
        pointing = []
        if old_field.primary_key and new_field.primary_key and old_type != new_type:
            related = (new for _, new in schema._related_non_m2m_objects(old_field, new_field))  # type: ignore[attr-defined]
            pointing = [
                one.field
                for one in related
                if one.field.unique and not (one.field.primary_key or one.field.null)
            ]
        for field in pointing:
            self._delete_unique_constraint_for_columns(field.model, [field.column])
        super()._alter_field(model, old_field, new_field, old_type, new_type, *rest)
        for field in pointing:
            self.execute(self._create_unique_sql(field.model, [field]))
