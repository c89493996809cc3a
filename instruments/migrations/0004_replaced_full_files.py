"""The listings of older revisions of full files; those that were replaced already are not known any more."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("esma_files", "0001_initial"), ("instruments", "0003_other_issuers")]

    operations = [
        migrations.CreateModel(
            name="ReplacedFullFile",
            fields=[
                (
                    "file",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="esma_files.esmafile",
                    ),
                ),
                ("listings", models.BinaryField()),
            ],
        ),
    ]
