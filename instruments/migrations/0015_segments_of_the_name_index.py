"""Segments of the index of names are put together after a load, and not in the middle of a merge."""

from django.db import migrations

INDEX = "instruments_name_index"


def configure(crisismerge, usermerge):
    def say(apps, schema_editor):
        if schema_editor.connection.vendor == "sqlite":
            for option, value in (("crisismerge", crisismerge), ("usermerge", usermerge)):
                schema_editor.execute(
                    f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('{option}', {value})", ()
                )

    return say


class Migration(migrations.Migration):
    dependencies = [("instruments", "0014_underlyings_one_way")]

    # Before: 16 segments became one at once, and the merge that wrote the last waited for that.
    operations = [migrations.RunPython(configure(128, 16), configure(16, 4), elidable=False)]
