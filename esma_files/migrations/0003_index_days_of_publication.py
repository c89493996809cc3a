from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('esma_files', '0002_undo_runs'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='esmafile',
            index=models.Index(fields=['-published_on', 'name'], name='esma_file_published_idx'),
        ),
    ]
