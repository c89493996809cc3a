"""The indexes by code: the index of names has the codes on SQLite, other databases keep theirs."""

from django.db import migrations, models

INDEXES = {
    "instrument_cfi_idx": ("Instrument", ["cfi_code", "isin"]),
    "instrument_issuer_idx": ("Instrument", ["issuer_lei", "isin"]),
    "instrument_currency_idx": ("Instrument", ["notional_currency", "isin"]),
    "listing_mic_idx": ("Listing", ["mic", "isin"]),
}


def for_others(what):
    def change(apps, schema_editor):
        if schema_editor.connection.vendor == "sqlite":
            return
        for name, (model, fields) in INDEXES.items():
            index = models.Index(fields=fields, name=name)
            getattr(schema_editor, what)(apps.get_model("instruments", model), index)

    return change


class Migration(migrations.Migration):

    dependencies = [
        ("instruments", "0012_name_index"),
    ]

    operations = [
        *(
            migrations.RemoveIndex(model_name=model.lower(), name=name)
            for name, (model, _) in INDEXES.items()
        ),
        migrations.RunPython(for_others("add_index"), for_others("remove_index")),
    ]
