"""An index of imports by user, the oldest of which are deleted."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('curation', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='importbatch',
            index=models.Index(fields=['created_by'], name='import_created_by_idx'),
        ),
    ]
