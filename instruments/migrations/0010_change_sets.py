import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone


def begin(apps, schema_editor):
    """What is there already is older than the numbers: it has number 0."""
    sets = apps.get_model("instruments", "ChangeSet").objects.using(schema_editor.connection.alias)
    sets.create(number=0, made_at=timezone.now())


class Migration(migrations.Migration):

    dependencies = [
        ('esma_files', '0001_initial'),
        ('instruments', '0009_underlyings'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChangeSet',
            fields=[
                ('number', models.BigIntegerField(primary_key=True, serialize=False)),
                ('made_at', models.DateTimeField(help_text='just before it was committed')),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.AddField(
            model_name='listing',
            name='change',
            field=models.ForeignKey(db_constraint=False, db_index=False, default=0, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='instruments.changeset'),
        ),
        migrations.AddIndex(
            model_name='listing',
            index=models.Index(fields=['change'], name='listing_change_idx'),
        ),
    ]
