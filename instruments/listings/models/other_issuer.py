"""Issuers that some record of an instrument has, and its row has not: of earlier days and other venues."""

from django.db import models


class OtherIssuer(models.Model):
    """An LEI in field 5 of some record of an instrument that is not, or was not, the one of its row.

    With the issuers in the rows of instruments, these lead to all instruments that may have had an issuer on
    a day. A load adds rows and deletes none, so an LEI may also be the one of the instrument now, or that of
    a record that was withdrawn. Nearly all instruments have none.
    """

    lei = models.CharField(max_length=20)
    isin = models.CharField(max_length=12)

    class Meta:
        ordering = ["lei", "isin"]
        constraints = [models.UniqueConstraint(fields=["lei", "isin"], name="other_issuer_once")]

    def __str__(self) -> str:
        return f"{self.lei} of {self.isin}"
