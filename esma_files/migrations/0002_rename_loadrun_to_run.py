from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("esma_files", "0001_initial")]

    operations = [
        migrations.RenameModel("LoadRun", "Run"),
        migrations.RenameField("Run", "outcome", "state"),
        migrations.RenameField("Run", "started_at", "asked_at"),
    ]
