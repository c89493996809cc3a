"""One row an ISIN: what lists, search and filters need."""

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any, cast

from django.db import connections, models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.base import ModelState
from django.db.models.expressions import RawSQL
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


class ReferenceValue(RawSQL):
    """A column of the joined reference listing, by which instruments are ordered."""

    def __init__(self, column: str) -> None:
        field: Any = Listing._meta.get_field(column)
        super().__init__(f"{Listing._meta.db_table}.{column}", [], field.__class__())
        self.column = column


def _beside(column: str, comparison: str, value: Any, isin: str, *, with_same: bool) -> Q:
    """Return the condition of the rows before or after a value and ISIN, in the order of both.

    `comparison` is "lt" or "gt". `with_same`: the rows with that value and ISIN, too.
    """
    same = f"isin__{comparison}{'e' if with_same else ''}"
    beside = Q((f"{column}__{comparison}", value)) | Q((column, value), (same, isin))
    # The first condition follows from the second, and is the one that can use an index.
    return Q((f"{column}__{comparison}e", value)) & beside


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
        """Return a function that reads instruments by keys that were found at a cost; None for others."""
        return self._rows_of if search.is_found_at_a_cost(self) else None

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

    def find_end(self, cursor: str, size: int) -> str | None:
        """Return the cursor so many instruments of the database after another; None where there are fewer.

        In the order of a date of listings, so many listings.
        """
        order = self.query.annotations.get(ORDERED_BY)
        if isinstance(order, ReferenceValue):
            return self._find_end_by_date(order.column, cursor, size)
        rows = self.model._default_manager.using(self.db).order_by("isin")
        if order is not None:
            rows = rows.reverse()
            rows = rows.filter(isin__lt=cursor) if cursor else rows
        else:
            rows = rows.filter(isin__gt=cursor)
        ends: Any = rows.values_list("isin", flat=True)
        return cast(str | None, ends[size : size + 1].first())

    def _find_end_by_date(self, column: str, cursor: str, size: int) -> str | None:
        rows = Listing.objects.using(self.db).filter(**{f"{column}__isnull": False})
        if cursor:
            value, isin = self._parse_cursor(cursor)
            rows = rows.filter(_beside(column, self._direction, value, isin, with_same=False))
        sign = "-" if self._direction == "lt" else ""
        ends: Any = rows.order_by(f"{sign}{column}", f"{sign}isin").values_list(column, "isin")
        end = ends[size : size + 1].first()
        return None if end is None else f"{to_plain(end[0])}.{end[1]}"

    def up_to(self, cursor: str) -> "InstrumentQuerySet":
        """Return the instruments of a list that come up to this cursor, and the one that has it."""
        if ORDERED_BY in self.query.annotations:
            value, isin = self._parse_cursor(cursor)
            if value is None:
                return self.filter(isin__gte=isin)
            opposite = "gt" if self._direction == "lt" else "lt"
            return self.filter(_beside(ORDERED_BY, opposite, value, isin, with_same=True))
        if _DERIVATIVE in self.query.annotations:
            return self.filter(**{f"{_DERIVATIVE}__lte": cursor})
        return cast(InstrumentQuerySet, search.up_to(self, cursor))

    def _after_value(self, cursor: str) -> "InstrumentQuerySet":
        if not cursor:
            return self
        value, isin = self._parse_cursor(cursor)
        if value is None:
            return self.filter(isin__lt=isin)
        return self.filter(_beside(ORDERED_BY, self._direction, value, isin, with_same=False))

    @property
    def _direction(self) -> str:
        """The comparison with a value that those behind it meet."""
        return "lt" if getattr(self.query.order_by[0], "descending", False) else "gt"

    def _parse_cursor(self, cursor: str) -> tuple[dt.date | None, str]:
        """Return the value and the ISIN of a cursor; None in the descending order of ISINs."""
        text, _, isin = cursor.rpartition(".")
        field = self.query.annotations[ORDERED_BY].output_field
        if not PATTERN.fullmatch(isin):
            raise InvalidQuery("cursor", CURSOR_HELP)
        if isinstance(field, models.CharField):
            return None, isin
        read = dt.datetime if isinstance(field, models.DateTimeField) else dt.date
        try:
            value = read.fromisoformat(text)
        except ValueError as error:
            raise InvalidQuery("cursor", CURSOR_HELP) from error
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            raise InvalidQuery("cursor", CURSOR_HELP)
        return value, isin

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
