"""The schema editor."""

from typing import Any

import mssql.schema
from django.db.backends.base import schema
from django.db.models import AutoField


class DatabaseSchemaEditor(mssql.schema.DatabaseSchemaEditor):  # type: ignore[misc]  # untyped
    def _alter_field(
        self, model: Any, old_field: Any, new_field: Any, old_type: str, new_type: str, *rest: Any
    ) -> None:
        """Alter a column, around two faults of mssql-django that the migrations of simplejwt meet.

        With a primary key it alters the columns that refer to it, but not their unique constraints, which SQL
        Server refuses (error 5074): they are dropped before and created again afterwards. And it drops all
        indexes of a table when its key is altered, even if nothing changes: such alterations are skipped.
        """
        is_unchanged = (old_field.column, old_type) == (new_field.column, new_type)
        if is_unchanged and isinstance(old_field, AutoField) and isinstance(new_field, AutoField):
            return
        referring_fields = []
        if old_field.primary_key and new_field.primary_key and old_type != new_type:
            relations = (new for _, new in schema._related_non_m2m_objects(old_field, new_field))  # type: ignore[attr-defined]
            referring_fields = [
                relation.field
                for relation in relations
                if relation.field.unique and not (relation.field.primary_key or relation.field.null)
            ]
        for field in referring_fields:
            self._delete_unique_constraint_for_columns(field.model, [field.column])
        super()._alter_field(model, old_field, new_field, old_type, new_type, *rest)
        for field in referring_fields:
            self.execute(self._create_unique_sql(field.model, [field]))
