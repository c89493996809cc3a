"""Keep the end of each instrument by its own dates, by which lists are filtered."""

import datetime as dt

from django.db import migrations, models
from django.db.models import F

FIRST_REAL_DAY, FIRST_PLACEHOLDER = dt.date(1900, 1, 1), dt.date(2900, 1, 1)
NEVER, OPEN = dt.date.min, dt.date.max
PAGE_SIZE = 1_000
COLUMNS = ["active_until", "ended_as", "terminates_after"]


def real(day):
    return day if day is not None and FIRST_REAL_DAY <= day < FIRST_PLACEHOLDER else OPEN


def ends_of(listing):
    terminated = listing["terminated_at"]
    dates = (terminated and terminated.date(), listing["expiry_date"], listing["maturity_date"])
    return [real(day) for day in dates]


def derive(instrument, listings):
    """Set the columns of a published active instrument from its active listings."""
    until = max(min(ends_of(listing)) for listing in listings)
    if until == OPEN:
        return
    key = (instrument.mic, instrument.register)
    reference = next((row for row in listings if (row["mic"], row["register"]) == key), listings[0])
    terminated, expired, matured = ends_of(reference)
    instrument.active_until = until
    if terminated <= until:
        instrument.ended_as = "terminated"
    else:
        instrument.ended_as = "expired" if expired <= matured else "matured"
        instrument.terminates_after = None if terminated == OPEN else terminated


def fill(apps, schema_editor):
    alias = schema_editor.connection.alias
    instruments = apps.get_model("instruments", "Instrument").objects.using(alias)
    active_listings = (
        apps.get_model("instruments", "Listing").objects.using(alias).filter(status="active")
    )
    instruments.exclude(status="active").update(ended_as=F("status"), active_until=NEVER)
    last = ""
    while page := list(
        instruments.filter(status="active", isin__gt=last)
        .order_by("isin")
        .only("isin", "mic", "register", *COLUMNS)[:PAGE_SIZE]
    ):
        last = page[-1].isin
        listings = {}
        rows = active_listings.filter(isin__in=[row.isin for row in page]).order_by()
        for row in rows.values(
            "isin", "mic", "register", "terminated_at", "expiry_date", "maturity_date"
        ):
            listings.setdefault(row["isin"], []).append(row)
        for instrument in page:
            if instrument.isin in listings:
                derive(instrument, listings[instrument.isin])
        ended = [row for row in page if row.active_until is not None]
        instruments.bulk_update(ended, COLUMNS, batch_size=200)


class Migration(migrations.Migration):

    dependencies = [
        ("instruments", "0014_add_corrections"),
    ]

    operations = [
        migrations.AddField(
            model_name="instrument",
            name="active_until",
            field=models.DateField(help_text="last day on which one of its listings is active; null without an end, 0001-01-01 where none is published as active", null=True),
        ),
        migrations.AddField(
            model_name="instrument",
            name="ended_as",
            field=models.CharField(blank=True, help_text="effective status after that day", max_length=10, null=True),
        ),
        migrations.AddField(
            model_name="instrument",
            name="terminates_after",
            field=models.DateField(help_text="last day before the status expired or matured becomes terminated", null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="instrument",
            index=models.Index(condition=models.Q(("ended_as__isnull", False)), fields=["ended_as", "active_until", "isin", "terminates_after"], name="instrument_end_idx"),
        ),
        migrations.AddIndex(
            model_name="instrument",
            index=models.Index(condition=models.Q(("terminates_after__isnull", False)), fields=["terminates_after", "isin"], name="instrument_termination_idx"),
        ),
    ]
