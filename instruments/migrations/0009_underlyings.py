import django.db.models.deletion
from django.db import migrations, models

# As in instruments/listings/models/underlying.py when this was written: column and link.
COLUMNS = {
    "underlying_isin": 1,
    "underlying_lei": 1,
    "underlying_index_isin": 2,
    "underlying_index_rate_isin": 2,
    "interest_rate_isin": 3,
    "first_leg_rate_isin": 3,
    "other_leg_rate_isin": 3,
}
BASKET = 4
BATCH = 1_000


def note_underlyings(apps, schema_editor):
    """What the listings name that are there already. Baskets are few, and are taken apart here."""
    listing = apps.get_model("instruments", "Listing")
    underlying = apps.get_model("instruments", "Underlying")
    named = " UNION ALL ".join(
        f"SELECT {column} AS code, isin, {link} AS link FROM {listing._meta.db_table}"
        f" WHERE {column} IS NOT NULL"
        for column, link in COLUMNS.items()
    )
    schema_editor.execute(
        f"INSERT INTO {underlying._meta.db_table} (code, instrument_id, link)"
        f" SELECT code, isin, min(link) FROM ({named}) AS named GROUP BY isin, code"
    )
    using = schema_editor.connection.alias
    baskets = listing.objects.using(using).exclude(underlying_basket=None).order_by("pk")
    after = 0
    # A page at a time: SQL Server writes nothing while an answer is still being read.
    while page := list(
        baskets.filter(pk__gt=after).values_list("pk", "isin", "underlying_basket")[:BATCH]
    ):
        after = page[-1][0]
        add(underlying.objects.using(using), {(code, isin) for _, isin, all_ in page for code in all_.split()})


def add(underlyings, pairs):
    """Those that are not there already."""
    isins = sorted({isin for _, isin in pairs})
    known = set()
    for some in (isins[i : i + 500] for i in range(0, len(isins), 500)):
        known.update(
            underlyings.filter(instrument__in=some).values_list("code", "instrument_id")
        )
    underlyings.bulk_create(
        (
            underlyings.model(code=code, instrument_id=isin, link=BASKET)
            for code, isin in sorted(pairs - known)
        ),
        batch_size=500,
    )


class Migration(migrations.Migration):

    dependencies = [
        ('instruments', '0008_uk_register'),
    ]

    operations = [
        migrations.CreateModel(
            name='Underlying',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(help_text='ISIN, or LEI of an issuer', max_length=20)),
                ('link', models.PositiveSmallIntegerField(choices=[(1, 'single'), (2, 'index'), (3, 'rate'), (4, 'basket')], help_text='how it is named; the closest where listings differ')),
                ('instrument', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='underlyings', to='instruments.instrument')),
            ],
            options={
                'ordering': ['code', 'instrument'],
                'constraints': [models.UniqueConstraint(fields=('code', 'instrument'), name='underlying_once')],
            },
        ),
        migrations.RunPython(note_underlyings, migrations.RunPython.noop),
    ]
