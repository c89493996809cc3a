"""Changes of tables that mssql-django does not manage."""

from typing import Any

import mssql.schema


class DatabaseSchemaEditor(mssql.schema.DatabaseSchemaEditor):
    """A key that becomes wider takes along the columns that point to it, unique ones too.

    mssql-django does not drop the constraint of a OneToOneField first, and the server refuses (5074): so
    simplejwt's migration token_blacklist.0008 fails, and with it every new database.
    """

    _altered: tuple[str, str]

    def _alter_field(self, model: Any, old_field: Any, new_field: Any, *rest: Any) -> None:
        self._altered = (model._meta.db_table, new_field.column)
        super()._alter_field(model, old_field, new_field, *rest)

    def _alter_column_type_sql(
        self, model: Any, old_field: Any, new_field: Any, *rest: Any, **named: Any
    ) -> Any:
        fragment, afterwards = super()._alter_column_type_sql(
            model, old_field, new_field, *rest, **named
        )
        points_there = (model._meta.db_table, new_field.column) != self._altered
        if points_there and new_field.unique and not new_field.primary_key:
            self._delete_unique_constraints(model, old_field, new_field)
            afterwards = [*afterwards, (self._create_unique_sql(model, [new_field]), None)]
        return fragment, afterwards
