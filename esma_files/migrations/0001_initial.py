import django.db.models.deletion
import django.utils.timezone
import esma_files.models.file
import esma_files.storage.field
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identity', models.CharField(help_text='host/pid/start', max_length=100, unique=True)),
                ('role', models.CharField(choices=[('worker', 'Worker'), ('beat', 'Scheduler (beat)')], max_length=10)),
                ('host', models.CharField(max_length=100)),
                ('pid', models.PositiveIntegerField()),
                ('version', models.CharField(blank=True, help_text='version of MarketData', max_length=50)),
                ('processes', models.PositiveSmallIntegerField(default=1, help_text='runs that the worker does at the same time')),
                ('started_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField(help_text='time of the last report')),
            ],
            options={
                'ordering': ['role', 'host', 'pid'],
            },
        ),
        migrations.CreateModel(
            name='EsmaFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('dataset', models.CharField(choices=esma_files.models.file.dataset_choices, default='esma_firds', max_length=20)),
                ('name', models.CharField(max_length=100)),
                ('kind', models.CharField(choices=esma_files.models.file.kind_choices, max_length=10)),
                ('category', models.CharField(blank=True, help_text='CFI category of a full file; empty in deltas', max_length=1)),
                ('result_group', models.CharField(blank=True, help_text='group and asset class of transparency results by sub-class, as NYAR_EQD', max_length=12)),
                ('published_on', models.DateField()),
                ('part', models.PositiveSmallIntegerField()),
                ('parts', models.PositiveSmallIntegerField()),
                ('sequence', models.BigIntegerField(help_text='place in publication order')),
                ('revision', models.PositiveSmallIntegerField(default=0, help_text='number of times that other bytes were published under this name before')),
                ('md5', models.CharField(blank=True, help_text='as published; empty until it is known', max_length=32)),
                ('created_at', models.DateTimeField(blank=True, help_text='when the publisher created it (CreDt); empty until the file has been read', null=True)),
                ('url', models.CharField(blank=True, help_text='address in the register', max_length=500)),
                ('register_id', models.CharField(blank=True, max_length=50)),
                ('listed_at', models.DateTimeField(default=django.utils.timezone.now, help_text='time of its registration')),
                ('content', esma_files.storage.field.StoredFileField(blank=True, max_length=200, upload_to=esma_files.models.file.stored_as)),
                ('location', models.CharField(choices=[('local', 'Local'), ('blob', 'Blob')], default='local', max_length=10)),
                ('original', models.CharField(blank=True, help_text='name in the storage that the file was moved from', max_length=200)),
                ('tier', models.CharField(blank=True, choices=[('hot', 'Hot'), ('cool', 'Cool'), ('archive', 'Archive')], help_text='in Blob Storage', max_length=10)),
                ('size', models.BigIntegerField(default=0, help_text='bytes stored')),
                ('stored_md5', models.CharField(blank=True, help_text='of the stored bytes; differs from `md5` once compressed', max_length=32)),
                ('stored_at', models.DateTimeField(blank=True, null=True)),
                ('kept', models.BooleanField(default=False, help_text='never deleted by the retention policy')),
                ('loaded_at', models.DateTimeField(blank=True, null=True)),
                ('scope_number', models.PositiveIntegerField(blank=True, help_text='scope that it was loaded with: 0 is everything; empty: not loaded, or to be reloaded', null=True)),
                ('is_excerpt', models.BooleanField(default=False, help_text='holds only a part of what was published: a full file drops no listing')),
                ('is_partly_merged', models.BooleanField(default=False, help_text='its load was interrupted when part of it was merged; the next load finishes it')),
                ('is_released', models.BooleanField(default=False, help_text='a curator has let it through the load gate')),
                ('state', models.CharField(choices=[('listed', 'Listed'), ('downloading', 'Downloading'), ('downloaded', 'Downloaded'), ('loading', 'Loading'), ('held', 'Held'), ('loaded', 'Loaded'), ('archived', 'Archived'), ('deleted', 'Deleted'), ('failed', 'Failed')], default='downloaded', max_length=20)),
                ('state_since', models.DateTimeField(default=django.utils.timezone.now)),
                ('claimed_by', models.CharField(blank=True, max_length=100)),
                ('attempts', models.PositiveSmallIntegerField(default=0, help_text='failed attempts, one after another')),
                ('not_before', models.DateTimeField(blank=True, help_text='time of the next attempt', null=True)),
                ('problem', models.TextField(blank=True)),
            ],
            options={
                'verbose_name': 'ESMA file',
                'ordering': ['-published_on', 'name'],
                'permissions': [('download_esmafile', 'Can have files downloaded'), ('load_esmafile', 'Can have files loaded, or tried again'), ('keep_esmafile', 'Can exempt files from the retention policy')],
                'indexes': [models.Index(fields=['state', 'sequence'], name='esma_file_state_idx'), models.Index(fields=['name'], name='esma_file_name_idx')],
                'constraints': [models.UniqueConstraint(fields=('dataset', 'name', 'md5'), name='esma_file_once')],
            },
        ),
        migrations.CreateModel(
            name='RegisterHistory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('dataset', models.CharField(choices=esma_files.models.file.dataset_choices, max_length=20)),
                ('kind', models.CharField(max_length=10)),
                ('oldest_on', models.DateField(help_text='day of the oldest delta in the last answer')),
                ('checked_on', models.DateField()),
                ('first_oldest_on', models.DateField(help_text='day of the oldest delta in the first answer')),
            ],
            options={
                'verbose_name_plural': 'register histories',
                'constraints': [models.UniqueConstraint(fields=('dataset', 'kind'), name='register_history_once')],
            },
        ),
        migrations.CreateModel(
            name='RejectedRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(help_text='number of the record in the file, from 1')),
                ('isin', models.CharField(blank=True, max_length=50)),
                ('mic', models.CharField(blank=True, max_length=50)),
                ('field', models.CharField(help_text='path of the element within the record', max_length=200)),
                ('value', models.TextField(blank=True)),
                ('reason', models.CharField(max_length=200)),
                ('record', models.JSONField(default=dict)),
                ('file', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rejected_records', to='esma_files.esmafile')),
            ],
            options={
                'ordering': ['file', 'position', 'field'],
                'indexes': [models.Index(fields=['isin'], name='rejected_record_isin_idx')],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('sync', 'Sync'), ('download', 'Download'), ('load', 'Load'), ('keep', 'Keep'), ('delete', 'Delete'), ('clean', 'Clean up'), ('enrich', 'Enrich')], default='load', max_length=20)),
                ('arguments', models.JSONField(blank=True, default=dict)),
                ('requested_by', models.CharField(blank=True, help_text='user name; empty if requested by the schedule', max_length=150)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sent_at', models.DateTimeField(blank=True, help_text='last time the run was sent to the queue', null=True)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('abandoned', 'Abandoned')], default='running', max_length=20)),
                ('claimed_by', models.CharField(blank=True, max_length=100)),
                ('attempt', models.PositiveSmallIntegerField(default=1, help_text='1, or more if workers ended during earlier attempts')),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('seconds', models.FloatField(default=0, help_text='duration of the work')),
                ('share', models.FloatField(default=0, help_text='progress, from 0 to 1')),
                ('done', models.BigIntegerField(default=0, help_text='progress, counted in `unit`')),
                ('unit', models.CharField(blank=True, max_length=20)),
                ('read', models.PositiveIntegerField(default=0)),
                ('new', models.PositiveIntegerField(default=0, help_text='records added')),
                ('changed', models.PositiveIntegerField(default=0, help_text='records that differ from the previous version')),
                ('ended', models.PositiveIntegerField(default=0, help_text='records terminated or cancelled, or files deleted')),
                ('dropped', models.PositiveIntegerField(default=0, help_text='active listings that are missing from the full set completed by this file')),
                ('late', models.PositiveIntegerField(default=0, help_text='records older than the latest version')),
                ('unchanged', models.PositiveIntegerField(default=0)),
                ('rejected', models.PositiveIntegerField(default=0)),
                ('outside', models.PositiveIntegerField(default=0, help_text='records outside the scope')),
                ('unmapped', models.JSONField(blank=True, default=dict, help_text='elements without a field of this project, with their number')),
                ('report', models.JSONField(blank=True, default=list, help_text='further results, one line each')),
                ('problem', models.TextField(blank=True)),
                ('file', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='esma_files.esmafile')),
            ],
            options={
                'ordering': ['-requested_at', '-pk'],
                'indexes': [models.Index(fields=['state', 'kind'], name='run_state_idx'), models.Index(fields=['-requested_at', '-id'], name='run_requested_idx')],
            },
        ),
    ]
