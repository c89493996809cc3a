from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('esma_files', '0006_load_gate'),
    ]

    operations = [
        migrations.AddField(
            model_name='esmafile',
            name='created_at',
            field=models.DateTimeField(blank=True, help_text='when the publisher created it (CreDt); empty until the file has been read', null=True),
        ),
    ]
