from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('instruments', '0010_publications_of_results'),
    ]

    operations = [
        migrations.CreateModel(
            name='DataVersion',
            fields=[
                ('subject', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('version', models.CharField(help_text='random, and never used again', max_length=16)),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['subject'],
            },
        ),
    ]
