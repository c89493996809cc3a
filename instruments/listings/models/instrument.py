"""One row an ISIN: what lists, search and filters need."""

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any, cast

from django.db import connections, models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.base import ModelState
from django.utils.functional import cached_property

from instruments.classification import cfi
from instruments.classification.models import CfiCode
from instruments.figis.models import FIGI_PATTERN, Figi
from instruments.isin import PATTERN, problem_of
from instruments.listings import search
from instruments.listings.models.listing import Listing, read_listings
from instruments.listings.models.record import Register, Status, text
from marketdata.common.errors import InvalidQuery
from marketdata.common.plain import to_plain
from marketdata.web.pages import CURSOR_HELP

# The annotation of derivatives by which they are ordered: the ISIN, as in the index of underlyings.
_DERIVATIVE = "derivative_isin"
# The annotation with the value that instruments are ordered by, if that is not the ISIN alone
# (`instruments.listings.dates`).
ORDERED_BY = "ordered_by"
# Codes that are asked for by a list; a statement of SQL Server takes 2,100 parameters in all.
_LISTED = 300


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    """Each question can be added to any other: see `instruments.listings.search`."""

    def of_category(self, category: str) -> "InstrumentQuerySet":
        return self.cfi_starting(category[:1])

    def cfi_starting(self, prefix: str) -> "InstrumentQuerySet":
        return self.classified(prefix.ljust(cfi.LENGTH, cfi.ANY))

    def classified(self, *patterns: str) -> "InstrumentQuerySet":
        """Instruments whose CFI code matches one of these patterns of six, `*` for any letter."""
        letters = [pattern.rstrip(cfi.ANY) for pattern in patterns]
        if all(len(letter) == 1 for letter in letters):
            coded, condition = self._coded("category", letters), Q()
            for letter in letters:
                # A range and not LIKE: only a range can use an index, where there is one.
                condition |= Q(cfi_code__gte=letter, cfi_code__lt=chr(ord(letter) + 1))
            return coded.filter(condition)
        known = CfiCode.objects.order_by().matching(patterns).values_list("code", flat=True)
        if connections[self.db].vendor != "sqlite":
            return self.filter(
                cfi_code__in=known
            )  # a list could be longer than it takes parameters
        codes = list(known)
        return self._coded("cfi", codes).filter(cfi_code__in=codes)

    def in_currency(self, currency: str) -> "InstrumentQuerySet":
        """By notional currency."""
        return self._coded("currency", [currency]).filter(notional_currency=currency)

    def issued_by(self, *leis: str) -> "InstrumentQuerySet":
        """By the issuer that is published: one of these LEIs, at most 1,000."""
        return self._coded("issuer", leis).filter(issuer_lei__in=leis)

    def with_status(self, status: str) -> "InstrumentQuerySet":
        return self._coded("status", [status]).filter(status=status)

    def traded_on(self, *mics: str, register: str = "") -> "InstrumentQuerySet":
        """Instruments with a listing on one of these venues, in a register or in any, of any status."""
        listings = Listing.objects.filter(isin=OuterRef("isin"), mic__in=mics).order_by()
        if register:
            listings = listings.filter(register=register)
        return self._coded("mic", mics).filter(Exists(listings))

    def in_register(self, register: str) -> "InstrumentQuerySet":
        """Instruments with a listing in this register, whatever its status."""
        counted = {f"{Register(register).counted_in}__isnull": False}
        return self._coded("register", [register]).filter(**counted)

    def derived_from(self, code: str) -> "InstrumentQuerySet":
        """Instruments with this ISIN, or LEI of an issuer, as an underlying; `link` says how.

        A join and no subquery, and by ISIN in the order of its index: the first page of an underlying
        with a million derivatives reads no more than a page.
        """
        derivatives = self.filter(underlyings__code=code).annotate(
            link=F("underlyings__link"), **{_DERIVATIVE: F("underlyings__instrument_id")}
        )
        return derivatives.order_by(_DERIVATIVE)

    def search(self, words: str) -> "InstrumentQuerySet":
        """By an ISIN or FIGI, or by words of which each begins a word of a name, or the ISIN; 20 at most."""
        code = words.strip().upper()
        if FIGI_PATTERN.fullmatch(code):
            return self.with_figi(code, or_isin=True)
        if problem_of(code) is None:
            return self._with_key(Q(pk=code))
        return cast(InstrumentQuerySet, search.named(self, words))

    def with_figi(self, figi: str, *, or_isin: bool = False) -> "InstrumentQuerySet":
        """By a FIGI of any kind; with `or_isin`, also by the same code as an ISIN."""
        isins = Figi.objects.of_any_kind(figi).order_by().values("isin")
        has_figi = Q(pk__in=isins)
        return self._with_key(has_figi | Q(pk=figi) if or_isin else has_figi)

    def _with_key(self, condition: Q) -> "InstrumentQuerySet":
        """Instruments that meet a condition that hardly any does."""
        keys = Instrument.objects.order_by().filter(condition).values("isin")
        return cast(InstrumentQuerySet, search.among(self, keys, search.HARDLY_ANY))

    @property
    def rows_of_search(self) -> Callable[[list[str]], "InstrumentQuerySet"] | None:
        """Return a function that reads instruments by keys that the index found; None without it."""
        if not search.is_in_its_order(self) or self.query.annotations:
            return None
        return self._rows_of

    def _rows_of(self, isins: list[str]) -> "InstrumentQuerySet":
        return self.model._default_manager.using(self.db).filter(pk__in=isins).order_by("isin")

    def after(self, isin: str) -> "InstrumentQuerySet":
        """Return the instruments after a cursor: an ISIN, or a value and an ISIN where a value orders them.

        All of them for "". Raises InvalidQuery.
        """
        if ORDERED_BY in self.query.annotations:
            return self._after_value(isin)
        if isin and not PATTERN.fullmatch(isin):
            raise InvalidQuery("cursor", CURSOR_HELP)
        if _DERIVATIVE in self.query.annotations:
            return self.filter(**{f"{_DERIVATIVE}__gt": isin})
        return cast(InstrumentQuerySet, search.after(self, isin))

    def find_end(self, isin: str, size: int) -> str | None:
        """Return the ISIN so many instruments of the database after another; None where there are fewer.

        None also for a list that is not in the order of ISINs.
        """
        if ORDERED_BY in self.query.annotations:
            return None
        following = self.model._default_manager.using(self.db).filter(isin__gt=isin)
        ends: Any = following.order_by("isin").values_list("isin", flat=True)
        return cast(str | None, ends[size : size + 1].first())

    def up_to(self, isin: str) -> "InstrumentQuerySet":
        """Return the instruments of a list in the order of ISINs that come up to this ISIN, and it."""
        if _DERIVATIVE in self.query.annotations:
            return self.filter(**{f"{_DERIVATIVE}__lte": isin})
        return cast(InstrumentQuerySet, search.up_to(self, isin))

    def _after_value(self, cursor: str) -> "InstrumentQuerySet":
        if not cursor:
            return self
        text, _, isin = cursor.rpartition(".")
        field = self.query.annotations[ORDERED_BY].output_field
        is_descending = getattr(
            self.query.order_by[0], "descending", self.query.order_by[0] == "-isin"
        )
        beyond = "lt" if is_descending else "gt"
        if not PATTERN.fullmatch(isin):
            raise InvalidQuery("cursor", CURSOR_HELP)
        if isinstance(field, models.CharField):
            return self.filter(**{f"isin__{beyond}": isin})
        read = dt.datetime if isinstance(field, models.DateTimeField) else dt.date
        try:
            value = read.fromisoformat(text)
        except ValueError as error:
            raise InvalidQuery("cursor", CURSOR_HELP) from error
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            raise InvalidQuery("cursor", CURSOR_HELP)
        following = Q((f"{ORDERED_BY}__{beyond}", value)) | Q(
            (ORDERED_BY, value), (f"isin__{beyond}", isin)
        )
        # The first condition follows from the second, and is the one that can use an index.
        return self.filter(Q((f"{ORDERED_BY}__{beyond}e", value)), following)

    @staticmethod
    def get_cursor(instrument: "Instrument") -> str:
        """Return the cursor with which a list continues after this instrument."""
        value = getattr(instrument, ORDERED_BY, None)
        if value is None or value == instrument.pk:
            return instrument.pk
        return f"{to_plain(value)}.{instrument.pk}"

    def _coded(self, kind: str, codes: Collection[str]) -> "InstrumentQuerySet":
        return cast(InstrumentQuerySet, search.coded(self, kind, codes))


class Instrument(models.Model):
    """An instrument, with the attributes of its reference listing.

    Of all registers together, the reference listing is the one on the most liquid market (`RlvntTradgVn`),
    else the one with the earliest first trade, then by MIC, then ESMA's; an active one before one that has
    ended. Its terms are in `Listing`. A load derives the row in the same transaction as the listings.
    """

    isin = models.CharField(max_length=12, primary_key=True)
    full_name = models.CharField(max_length=350, blank=True)
    short_name = models.CharField(max_length=350, blank=True)
    cfi_code = models.CharField(max_length=6, blank=True)
    notional_currency = models.CharField(max_length=3, blank=True)
    issuer_lei = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=10, choices=Status)
    mic = models.CharField(max_length=4, help_text="venue of the authoritative listing")
    register = models.CharField(max_length=5, choices=Register)
    listing_count = models.PositiveIntegerField()
    eu_listings = models.PositiveIntegerField(null=True, help_text="null where it has none")
    uk_listings = models.PositiveIntegerField(null=True, help_text="null where it has none")
    # Its end by its own dates; the effective status of each day follows (`instruments.listings.status`).
    active_until = models.DateField(
        null=True,
        help_text="last day on which one of its listings is active; null without an end,"
        " 0001-01-01 where none is published as active",
    )
    ended_as = text(10, help_text="effective status after that day")
    terminates_after = models.DateField(
        null=True, help_text="last day before the status expired or matured becomes terminated"
    )

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ["isin"]
        permissions = [
            ("export_instrument", "Can export instruments, up to a number"),
            ("export_all_instrument", "Can export any number of instruments"),
            ("enrich_instrument", "Can request data of instruments from outside services"),
        ]
        indexes = [
            # Most instruments are in the EU's register: those are found in any order of reading.
            models.Index(
                fields=["isin"], name="instrument_uk_idx", condition=Q(uk_listings__isnull=False)
            ),
            models.Index(
                fields=["ended_as", "active_until", "isin", "terminates_after"],
                name="instrument_end_idx",
                condition=Q(ended_as__isnull=False),
            ),
            models.Index(
                fields=["terminates_after", "isin"],
                name="instrument_termination_idx",
                condition=Q(terminates_after__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.isin} {self.full_name}"

    @classmethod
    def from_db(  # type: ignore[override]  # the types are those of a later Django
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> "Instrument":
        """Create an instrument of a row, in a quarter of Django's time: lists read a thousand of them.

        As for a pickled instance, nothing is called but `__new__`; a column that was not read is deferred.
        """
        instrument = cls.__new__(cls)
        instrument._state = ModelState()
        instrument._state.adding, instrument._state.db = False, db
        instrument.__dict__.update(zip(field_names, values, strict=True))
        return instrument

    @cached_property
    def classification(self) -> cfi.Decoded | None:
        """The decoded CFI code; None where no record has one."""
        return cfi.decode(self.cfi_code) if self.cfi_code else None

    @property
    def category(self) -> str:
        """The CFI category letter; "" where no record says it."""
        return self.cfi_code[:1]

    @cached_property
    def listings(self) -> list[Listing]:
        """All its listings with the names of their venues and source files, by venue; read once."""
        return read_listings(self.isin)

    @property
    def authoritative(self) -> Listing:
        """The reference listing."""
        key = (self.mic, self.register)
        return next(row for row in self.listings if (row.mic, row.register) == key)
