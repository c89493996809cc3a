"""The indexes of instruments by code: the index of names has the codes on SQLite, others keep their own."""

from django.db import migrations, models

INDEXES = {
    "instrument_cfi_idx": ["cfi_code", "isin"],
    "instrument_issuer_idx": ["issuer_lei", "isin"],
    "instrument_currency_idx": ["notional_currency", "isin"],
}


def for_others(what):
    def change(apps, schema_editor):
        if schema_editor.connection.vendor == "sqlite":
            return
        instrument = apps.get_model("instruments", "Instrument")
        for name, fields in INDEXES.items():
            getattr(schema_editor, what)(instrument, models.Index(fields=fields, name=name))

    return change


class Migration(migrations.Migration):

    dependencies = [
        ("instruments", "0009_name_index"),
    ]

    operations = [
        *(migrations.RemoveIndex(model_name="instrument", name=name) for name in INDEXES),
        migrations.RunPython(for_others("add_index"), for_others("remove_index")),
    ]
