"""A record of FIRDS: one instrument on one venue, with every field of RTS 23."""

from decimal import Decimal
from typing import Any

from django.db import models

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from marketdata.common.fields import ExactDecimalField


class Register(models.TextChoices):
    """The register of an authority that a record is from."""

    ESMA = "ESMA", "EU (ESMA)"
    FCA = "FCA", "UK (FCA)"

    @classmethod
    def of_dataset(cls, dataset: str) -> "Register":
        """The register that the files of a dataset tell of."""
        return cls(Dataset(dataset).authority)

    @property
    def counted_in(self) -> str:
        """The column of `Instrument` and `ListedVenue` with the number of its listings."""
        return {"ESMA": "eu_listings", "FCA": "uk_listings"}[self.value]

    @property
    def instruments_counted_in(self) -> str:
        """The column of `InstrumentCount` with the number of its instruments."""
        return {"ESMA": "eu_instruments", "FCA": "uk_instruments"}[self.value]


class Status(models.TextChoices):
    """The last published status of a listing; dropped: it was active, and a complete full set lacks it."""

    ACTIVE = "active", "Active"
    DROPPED = "dropped", "Dropped"
    TERMINATED = "terminated", "Terminated"
    CANCELLED = "cancelled", "Cancelled"


def text(max_length: int, **options: Any) -> "models.CharField[str | None, str | None]":
    """Text that may be absent; an absent element is NULL, as ESMA leaves empty ones out."""
    return models.CharField(max_length=max_length, null=True, blank=True, **options)


def decimal() -> "models.DecimalField[Decimal | None, Decimal | None]":
    """18 digits before the point and 17 after it: ESMA allows 18 digits, up to 17 of them after."""
    return ExactDecimalField(max_digits=35, decimal_places=17, null=True)


class ListingRecord(models.Model):
    """A record of FIRDS. The columns are those of `instruments.listings.fields.FIELDS`, in its order."""

    isin = models.CharField(max_length=12)
    mic = models.CharField(max_length=4)
    register = models.CharField(max_length=5, choices=Register, default=Register.ESMA)
    status = models.CharField(max_length=10, choices=Status)
    valid_from = models.DateField()
    # The file that published it first; `fingerprint` is a hash of its values (instruments/staging).
    source_file = models.ForeignKey(
        EsmaFile, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    source_position = models.PositiveIntegerField(help_text="1 is the first record of the file")
    record_kind = models.CharField(max_length=10)
    fingerprint = models.BigIntegerField()
    known_from = models.DateField(
        null=True,
        help_text="day of the republished file that brought it; empty for the day of the file",
    )

    # General
    full_name = text(350)
    short_name = text(350)
    cfi_code = text(6)
    notional_currency = text(3)
    commodity_derivative = models.BooleanField(null=True)
    issuer_lei = text(20)

    # Venue
    issuer_requested = models.BooleanField(null=True)
    admission_approved_at = models.DateTimeField(null=True)
    admission_requested_at = models.DateTimeField(null=True)
    first_trade_at = models.DateTimeField(null=True)
    terminated_at = models.DateTimeField(null=True)

    # Debt
    total_issued_nominal = decimal()
    total_issued_nominal_currency = text(3)
    maturity_date = models.DateField(null=True)
    nominal_value_per_unit = decimal()
    nominal_value_per_unit_currency = text(3)
    fixed_rate = decimal()
    floating_rate_isin = text(12)
    floating_rate_index = text(4)
    floating_rate_name = text(350)
    floating_rate_term_unit = text(4)
    floating_rate_term_value = decimal()
    floating_rate_spread = decimal()
    seniority = text(4)

    # Derivatives
    expiry_date = models.DateField(null=True)
    price_multiplier = decimal()
    underlying_isin = text(12)
    underlying_lei = text(20)
    underlying_index_isin = text(12)
    underlying_index_rate_isin = text(12)
    underlying_index_code = text(4)
    underlying_index_name = text(350)
    underlying_index_term_unit = text(4)
    underlying_index_term_value = decimal()
    underlying_basket = models.TextField(
        null=True, help_text="ISINs and LEIs of a basket in the order published, spaces between"
    )
    option_type = text(4)
    strike_amount = decimal()
    strike_currency = text(3)
    strike_sign = models.BooleanField(null=True)
    strike_percentage = decimal()
    strike_yield = decimal()
    strike_basis_points = decimal()
    strike_pending = text(4)
    strike_pending_currency = text(3)
    exercise_style = text(4)
    delivery_type = text(4)

    # Commodity derivatives
    commodity_product = text(40, help_text="branch of ESMA's product tree, as Nrgy/Elctrcty")
    commodity_base_product = text(4)
    commodity_sub_product = text(4)
    commodity_additional_sub_product = text(4)
    commodity_transaction_type = text(4)
    commodity_final_price_type = text(4)

    # Interest-rate derivatives
    interest_rate_isin = text(12)
    interest_rate_index = text(4)
    interest_rate_name = text(350)
    interest_rate_term_unit = text(4)
    interest_rate_term_value = decimal()
    first_leg_fixed_rate = decimal()
    first_leg_rate_isin = text(12)
    first_leg_rate_index = text(4)
    first_leg_rate_name = text(350)
    first_leg_rate_term_unit = text(4)
    first_leg_rate_term_value = decimal()
    other_leg_currency = text(3)
    other_leg_fixed_rate = decimal()
    other_leg_rate_isin = text(12)
    other_leg_rate_index = text(4)
    other_leg_rate_name = text(350)
    other_leg_rate_term_unit = text(4)
    other_leg_rate_term_value = decimal()

    # Foreign-exchange derivatives
    fx_type = text(4)
    fx_other_currency = text(3)

    # Technical
    inconsistent = models.BooleanField(null=True)
    last_updated_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    competent_authority = text(2)
    published_on = models.DateField(null=True)
    published_from = models.DateField(null=True)
    published_to = models.DateField(null=True)
    published_period_from = models.DateField(null=True)
    published_period_to = models.DateField(null=True)
    never_published = models.BooleanField(null=True)
    relevant_venue = text(4)
    technical_record_id = text(35)

    class Meta:
        abstract = True
