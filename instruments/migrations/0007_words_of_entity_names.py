from django.db import migrations

INDEX = "instruments_entity_index"


def add_words(apps, schema_editor):
    """Give the index of names of entities a table of its words, by which searches find them one by one."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(
            f"CREATE VIRTUAL TABLE {INDEX}_words USING fts5vocab ({INDEX}, instance)", None
        )


def remove_words(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TABLE {INDEX}_words", None)


class Migration(migrations.Migration):
    dependencies = [("instruments", "0006_change_sets_of_corrections")]

    operations = [migrations.RunPython(add_words, remove_words)]
