"""The issuers of records that are not those of their instruments, of the records that are loaded already."""

from django.db import migrations, models

_RECORDS = " UNION ALL ".join(
    f"SELECT issuer_lei, isin FROM instruments_{table}"
    for table in ("listing", "listingversion", "withdrawnrecord")
)
FILL = f"""
    INSERT INTO instruments_otherissuer (lei, isin)
    SELECT DISTINCT r.issuer_lei, r.isin FROM ({_RECORDS}) AS r
    LEFT JOIN instruments_instrument i ON i.isin = r.isin
    WHERE r.issuer_lei <> coalesce(i.issuer_lei, '')
"""


class Migration(migrations.Migration):
    dependencies = [("instruments", "0002_search_index")]

    operations = [
        migrations.CreateModel(
            name="OtherIssuer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("lei", models.CharField(max_length=20)),
                ("isin", models.CharField(max_length=12)),
            ],
            options={
                "ordering": ["lei", "isin"],
                "constraints": [
                    models.UniqueConstraint(fields=("lei", "isin"), name="other_issuer_once")
                ],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
