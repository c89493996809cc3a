"""What a transfer notes in its target."""

from django.db import models


class CopiedTable(models.Model):
    """How far a transfer into this database has got with one table. Rows and note are one transaction."""

    table = models.CharField(max_length=128, primary_key=True)
    source = models.CharField(max_length=500, help_text="where the rows come from")
    last_key = models.CharField(max_length=500, blank=True, help_text="of the last row copied")
    rows = models.BigIntegerField(default=0)
    done = models.BooleanField(default=False)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.table}: {self.rows:,} rows"
