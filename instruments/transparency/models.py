"""Transparency results (FITRS): liquidity and size of trading, by ISIN and by sub-class."""

from django.db import models
from django.db.models import Q

from instruments.listings.models.record import decimal, text
from instruments.published_results.models import Period, PublishedResult, period_of


class Subject(models.TextChoices):
    """The sections that a result contains: liquidity, thresholds, statistics."""

    NONE = "none", "Nothing"
    LIQUIDITY = "liquidity", "Liquidity"
    THRESHOLDS = "thresholds", "Thresholds"
    LIQUIDITY_THRESHOLDS = "liquidity, thresholds", "Liquidity and thresholds"
    STATISTICS = "statistics", "Statistics"
    LIQUIDITY_STATISTICS = "liquidity, statistics", "Liquidity and statistics"
    THRESHOLDS_STATISTICS = "thresholds, statistics", "Thresholds and statistics"
    ALL = "liquidity, thresholds, statistics", "Liquidity, thresholds and statistics"


class ResultRecord(PublishedResult):
    """A record of FITRS. The columns are those of `instruments.transparency.fields`."""

    record_kind = models.CharField(max_length=15, help_text="the message that it was published in")
    subject = models.CharField(max_length=40, choices=Subject)

    full_name = text(350)
    trading_venue = text(4)
    classification = text(4, help_text="kind of instrument, as SHRS, ETFS, BOND or DERV")
    liquid = models.BooleanField(null=True)
    total_transactions = decimal()
    total_volume = decimal()

    # Non-equity
    sub_class = text(1000, help_text="description of the sub-class")
    criteria = models.JSONField(null=True, help_text="name and value of each criterion")
    pre_trade_lis = decimal()
    pre_trade_lis_currency = text(3)
    pre_trade_lis_number = decimal()
    post_trade_lis = decimal()
    post_trade_lis_currency = text(3)
    post_trade_lis_number = decimal()
    pre_trade_ssti = decimal()
    pre_trade_ssti_currency = text(3)
    pre_trade_ssti_number = decimal()
    post_trade_ssti = decimal()
    post_trade_ssti_currency = text(3)
    post_trade_ssti_number = decimal()

    class Meta:
        abstract = True

    @property
    def is_bond(self) -> bool:
        """True where the rules for bonds hold: quarterly liquidity, yearly thresholds."""
        return bool(self.classification == "BOND")


class TransparencyResult(ResultRecord):
    """The result for one ISIN, by one methodology, over one reporting period."""

    isin = models.CharField(max_length=12)

    # Equity
    methodology = text(4, help_text="YEAR, SINT, ESTM or FFWK; none for non-equity")
    applied_on = models.DateField(null=True)
    applied_from = models.DateField(null=True)
    applied_to = models.DateField(null=True)
    applied_period_from = models.DateField(null=True)
    applied_period_to = models.DateField(null=True)
    average_daily_turnover = decimal()
    average_daily_turnover_currency = text(3)
    average_transaction_value = decimal()
    average_transaction_value_currency = text(3)
    large_in_scale = decimal()
    standard_market_size = decimal()
    average_daily_transactions = decimal()
    trading_days = decimal()
    relevant_market = text(4)
    relevant_market_daily_transactions = decimal()

    class Meta:
        ordering = ["isin", "result_key", "fingerprint", "register"]
        constraints = [
            models.UniqueConstraint(
                fields=["isin", "result_key", "fingerprint", "register"], name="result_once"
            ),
        ]
        # Each with the ISIN after it, so that a list in that order need not be sorted.
        indexes = [
            models.Index(fields=["classification", "isin"], name="result_class_idx"),
            models.Index(fields=["reported_period_to", "isin"], name="result_period_idx"),
            models.Index(
                fields=["methodology", "isin"],
                condition=Q(methodology__isnull=False),
                name="result_methodology_idx",
            ),
            models.Index(
                fields=["relevant_market", "isin"],
                condition=Q(relevant_market__isnull=False),
                name="result_market_idx",
            ),
            models.Index(
                fields=["isin"], condition=Q(superseded=True), name="result_superseded_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.isin}, {self.subject}"

    @property
    def application_period(self) -> Period:
        """First and last day as published (ApplPrd); each None where it is open or not published."""
        return period_of(self, "applied")


class SubclassTransparency(ResultRecord):
    """The result for a sub-class of non-equity instruments, which `criteria` describe."""

    list_column = "asset_class"

    asset_class = models.CharField(max_length=4, help_text="as BOND, EQDV or IRDV")

    class Meta:
        ordering = ["asset_class", "result_key", "fingerprint", "register"]
        constraints = [
            models.UniqueConstraint(
                fields=["asset_class", "result_key", "fingerprint", "register"],
                name="subclass_result_once",
            ),
        ]
        verbose_name = "transparency of a sub-class"
        verbose_name_plural = "transparency of sub-classes"

    def __str__(self) -> str:
        return f"{self.asset_class} {self.sub_class or ''}, {self.subject}"
