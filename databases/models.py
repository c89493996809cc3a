"""The progress of a transfer, kept in its target."""

from django.db import models


class CopiedTable(models.Model):
    """Progress of a transfer into this database for one table, written in the transaction of the rows."""

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
