"""The underlyings of instruments, and by the same rows the derivatives of an underlying."""

from django.db import models

from instruments.listings.models.instrument import Instrument


class Link(models.IntegerChoices):
    """The way in which an instrument names its underlying, the closest first."""

    SINGLE = 1, "single"
    INDEX = 2, "index"
    RATE = 3, "rate"
    BASKET = 4, "basket"


# The columns of a record that name an underlying; `underlying_basket` names several.
LINKS = {
    "underlying_isin": Link.SINGLE,
    "underlying_lei": Link.SINGLE,
    "underlying_index_isin": Link.INDEX,
    "underlying_index_rate_isin": Link.INDEX,
    "interest_rate_isin": Link.RATE,
    "first_leg_rate_isin": Link.RATE,
    "other_leg_rate_isin": Link.RATE,
    "underlying_basket": Link.BASKET,
}


class Underlying(models.Model):
    """One instrument has one code as an underlying, by what any of its listings says.

    Derived: a load rewrites it, in the same transaction as the listings. The code need not be that
    of an instrument: indices are not, and an issuer has a LEI.
    """

    code = models.CharField(max_length=20, help_text="ISIN, or LEI of an issuer")
    # No index leads from an instrument to its underlyings: its listings name them.
    instrument = models.ForeignKey(
        Instrument,
        on_delete=models.CASCADE,
        related_name="underlyings",
        db_constraint=False,
        db_index=False,
    )
    link = models.PositiveSmallIntegerField(
        choices=Link, help_text="how it is named; the closest where listings differ"
    )

    class Meta:
        ordering = ["code", "instrument"]
        constraints = [
            models.UniqueConstraint(fields=["code", "instrument"], name="underlying_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} of {self.instrument_id}"
