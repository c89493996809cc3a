from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("accounts", "0002_user_sign_outs")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="entra_id",
            field=models.CharField(blank=True, editable=False, help_text='tenant and object id, for who signs in by Entra ID', max_length=100, null=True, unique=True),
        ),
    ]
