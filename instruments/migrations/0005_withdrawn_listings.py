"""Listings that were deleted, for the changes feed: from now on; it refused earlier cursors instead."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('esma_files', '0001_initial'),
        ('instruments', '0004_replaced_full_files'),
    ]

    operations = [
        migrations.CreateModel(
            name='WithdrawnListing',
            fields=[
                ('listing_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('isin', models.CharField(max_length=12)),
                ('mic', models.CharField(max_length=4)),
                ('register', models.CharField(choices=[('ESMA', 'EU (ESMA)'), ('FCA', 'UK (FCA)')], max_length=5)),
                ('status', models.CharField(choices=[('active', 'Active'), ('dropped', 'Dropped'), ('terminated', 'Terminated'), ('cancelled', 'Cancelled')], max_length=10)),
                ('valid_from', models.DateField()),
                ('source_position', models.PositiveIntegerField()),
                ('cfi_code', models.CharField(blank=True, max_length=6, null=True)),
                ('change', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='withdrawn_listings', to='instruments.changeset')),
                ('source_file', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='esma_files.esmafile')),
            ],
            options={
                'ordering': ['change', 'listing_id'],
                'indexes': [models.Index(fields=['change', 'listing_id'], name='withdrawn_listing_idx')],
            },
        ),
    ]
