from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def leave_out_row_ids(apps: Any, schema_editor: Any) -> None:
    """Create the table on SQLite without row IDs: a table and an index of it would take twice the space."""
    if schema_editor.connection.vendor != "sqlite":
        return
    table = apps.get_model("instruments", "MappedIssuer")._meta.db_table
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [table])
        [statement] = cursor.fetchone()
    schema_editor.execute(f'DROP TABLE "{table}"')
    schema_editor.execute(f"{statement} WITHOUT ROWID", params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("esma_files", "0009_excerpts"),
        ("instruments", "0011_data_versions"),
    ]

    operations = [
        migrations.CreateModel(
            name="MappedLei",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("lei", models.CharField(max_length=20, unique=True)),
            ],
            options={"verbose_name": "mapped LEI"},
        ),
        migrations.CreateModel(
            name="MappedIssuer",
            fields=[
                (
                    "isin",
                    models.CharField(max_length=12, primary_key=True, serialize=False),
                ),
                (
                    "source_file",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="esma_files.esmafile",
                    ),
                ),
                (
                    "mapped_lei",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="instruments.mappedlei",
                    ),
                ),
            ],
            options={"ordering": ["isin"]},
        ),
        migrations.RunPython(leave_out_row_ids, migrations.RunPython.noop),
    ]
