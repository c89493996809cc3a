"""The full-text index of the names of legal entities, on SQLite."""

from django.db import migrations

INDEX = "instruments_entity_index"


def add_index(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(
            f"CREATE VIRTUAL TABLE {INDEX} USING fts5 (document, content = '', columnsize = 0,"
            " detail = none, tokenize = 'unicode61 remove_diacritics 2')",
            None,
        )


def remove_index(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TABLE {INDEX}", None)


class Migration(migrations.Migration):
    dependencies = [("instruments", "0004_add_legal_entities")]

    operations = [migrations.RunPython(add_index, remove_index)]
