from django.db import migrations
from django.db.models import F


def say(apps, schema_editor):
    """Fill in the new fields of the files that are there: all were stored, and ESMA's."""
    files = apps.get_model("esma_files", "EsmaFile").objects
    files.update(stored_md5=F("md5"), stored_at=F("state_since"), listed_at=F("state_since"))
    files.filter(state="loaded").update(loaded_at=F("state_since"))
    files.filter(kind__in=["FULECR", "DLTECR", "FULNCR", "DLTNCR"]).update(source="esma_fitrs")


class Migration(migrations.Migration):
    dependencies = [("esma_files", "0003_registers_and_storage")]

    operations = [migrations.RunPython(say, migrations.RunPython.noop)]
