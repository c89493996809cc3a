"""One row an ISIN: what lists, search and filters need."""

from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property

from instruments import cfi
from instruments.isin import problem_of
from instruments.models.classification import CfiCode
from instruments.models.listing import Listing
from instruments.models.record import Register, Status

MAX_WORDS = 20


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    def of_category(self, letter: str) -> "InstrumentQuerySet":
        return self.cfi_starting(letter[:1])

    def cfi_starting(self, prefix: str) -> "InstrumentQuerySet":
        """A range and not LIKE: on SQLite only a range uses the index."""
        if not prefix:
            return self.all()
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return self.filter(cfi_code__gte=prefix, cfi_code__lt=end)

    def classified(self, *patterns: str) -> "InstrumentQuerySet":
        """Instruments whose CFI code matches one of these patterns of six, `*` for any letter."""
        beginning = patterns[0].rstrip(cfi.ANY) if len(patterns) == 1 else cfi.ANY
        if cfi.ANY not in beginning:
            return self.cfi_starting(beginning)
        codes = CfiCode.objects.order_by().matching(patterns)
        return self.filter(cfi_code__in=codes.values("code"))

    def traded_on(self, mic: str, *, register: str = "") -> "InstrumentQuerySet":
        """Instruments with a listing there, in this register or in any, whatever its status."""
        listings = Listing.objects.filter(mic=mic).order_by()
        if register:
            listings = listings.filter(register=register)
        return self.filter(pk__in=listings.values("isin"))

    def in_register(self, register: str) -> "InstrumentQuerySet":
        """Instruments with a listing in this register, whatever its status."""
        return self.filter(**{f"{Register(register).counted_in}__isnull": False})

    def derived_from(self, code: str) -> "InstrumentQuerySet":
        """Instruments with this ISIN, or LEI of an issuer, as an underlying; `link` says how.

        A join and no subquery, and by ISIN in the order of its index: the first page of an underlying
        with a million derivatives reads no more than a page.
        """
        found = self.filter(underlyings__code=code).annotate(link=F("underlyings__link"))
        return found.order_by("underlyings__instrument_id")

    def search(self, words: str) -> "InstrumentQuerySet":
        """An ISIN, or instruments that have every word in a name; the first 20 words count."""
        isin = words.strip().upper()
        if problem_of(isin) is None:
            return self.filter(pk=isin)
        found = self.all()
        for word in words.split()[:MAX_WORDS]:
            named = Q(pk__startswith=word.upper())
            # SQLite's LIKE knows the case of ASCII only.
            for form in {word} if word.isascii() else {word, word.lower(), word.upper()}:
                named |= Q(full_name__icontains=form) | Q(short_name__icontains=form)
            found = found.filter(named)
        return found


class Instrument(models.Model):
    """What the authoritative listing says of an instrument, for all of them.

    Of all registers together, that is the listing on the most liquid market (`RlvntTradgVn`), else the
    one with the earliest first trade, then by MIC, then ESMA's; an active one before one that has ended.
    Its terms are in `Listing`. Derived: a load writes it anew, in the same transaction as the listings.
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

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ["isin"]
        permissions = [
            ("export_instrument", "Can export instruments, up to a number"),
            ("export_all_instrument", "Can export any number of instruments"),
        ]
        indexes = [
            models.Index(fields=["cfi_code", "isin"], name="instrument_cfi_idx"),
            models.Index(fields=["issuer_lei", "isin"], name="instrument_issuer_idx"),
            models.Index(fields=["notional_currency", "isin"], name="instrument_currency_idx"),
            # Most instruments are in the EU's register: those are found in any order of reading.
            models.Index(
                fields=["isin"], name="instrument_uk_idx", condition=Q(uk_listings__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.isin} {self.full_name}"

    @cached_property
    def classification(self) -> cfi.Decoded | None:
        """What its CFI code says; None where no record has one."""
        return cfi.decode(self.cfi_code) if self.cfi_code else None

    @property
    def category(self) -> str:
        """The CFI category letter; "" where no record says it."""
        return self.cfi_code[:1]

    @cached_property
    def listings(self) -> list[Listing]:
        """All its listings with their source files, by venue; read once."""
        return list(
            Listing.objects.of(self.isin).with_venues().select_related("source_file", "dropped_by")
        )

    @property
    def authoritative(self) -> Listing:
        """The listing that speaks for the instrument."""
        mine = (self.mic, self.register)
        return next(found for found in self.listings if (found.mic, found.register) == mine)
