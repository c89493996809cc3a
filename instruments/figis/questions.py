"""Questions about FIGIs: those of an ISIN, one FIGI, and the instruments that a FIGI or a ticker means."""

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence

from instruments.figis import exchange_codes
from instruments.figis.models import FIGI_PATTERN
from instruments.isin import problem_of
from instruments.models import Figi, FigiRequest, Instrument, Listing, Venue
from marketdata.common.batches import in_batches
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.lookup import clean_code

NEVER_ASKED = "never_asked"
# Codes in one statement. Each is compared with four columns, and SQL Server takes 2,100 parameters.
_CODES = 300


@dataclasses.dataclass(frozen=True)
class VenueFigi:
    """A FIGI, and the venue with a listing of its instrument that it is for; "" where that is not certain."""

    figi: Figi
    mic: str


@dataclasses.dataclass(frozen=True)
class InstrumentFigis:
    """The FIGIs of an ISIN, and the state of the request for them."""

    isin: str
    state: str
    asked_at: dt.datetime | None
    due_at: dt.datetime | None
    problem: str
    figis: list[VenueFigi]

    def sorted_by_use(self) -> list[VenueFigi]:
        """Return current ones first: those of venues with a listing, then composites, then others."""

        def place(row: VenueFigi) -> tuple[bool, bool, bool, str]:
            figi = row.figi
            is_composite = figi.figi == figi.composite_figi
            return not figi.is_current, not row.mic, not is_composite, figi.exchange_code

        return sorted(self.figis, key=place)


def get_figis(isin: str) -> InstrumentFigis:
    """Return the FIGIs of an instrument and the state of the request, with four queries at most.

    Raises InvalidQuery for a malformed ISIN, NotInDatabase where no loaded file has it.
    """
    isin = clean_code(isin, "isin", problem_of)
    request = FigiRequest.objects.filter(isin=isin, mic="").first()
    figis = list(Figi.objects.filter(isin=isin))
    mics = list(
        Listing.objects.filter(isin=isin).order_by("mic").values_list("mic", flat=True).distinct()
    )
    if not (request or figis or mics):
        raise NotInDatabase(f"No loaded file has the ISIN {isin}.")
    return InstrumentFigis(
        isin=isin,
        state=request.state if request else NEVER_ASKED,
        asked_at=request.asked_at if request else None,
        due_at=request.due_at if request else None,
        problem=request.problem if request else "",
        figis=_with_venues(figis, mics),
    )


def _with_venues(figis: list[Figi], listed_mics: list[str]) -> list[VenueFigi]:
    rows = Venue.objects.filter(pk__in=listed_mics).values_list("mic", "operating_mic")
    operating_mics = dict(rows) if figis else {}
    return [
        VenueFigi(
            figi,
            figi.mic or exchange_codes.find_venue(figi.exchange_code, listed_mics, operating_mics),
        )
        for figi in figis
    ]


@dataclasses.dataclass(frozen=True)
class FigiInstruments:
    """A FIGI with the ISINs that it belongs to. `kind` is figi, composite or share_class."""

    figi: str
    kind: str
    rows: list[Figi]

    @property
    def isins(self) -> list[str]:
        return sorted({row.isin for row in self.rows})


def get_figi(text: str) -> FigiInstruments:
    """Return a FIGI of any kind. Raises InvalidQuery, NotInDatabase."""
    figi = clean_code(text, "figi", problem_of_figi)
    rows = list(Figi.objects.of_any_kind(figi))
    if not rows:
        raise NotInDatabase(f"The FIGI {figi} is not in the database.")
    own = [row for row in rows if row.figi == figi]
    if own:
        return FigiInstruments(figi, "figi", own)
    is_composite = any(row.composite_figi == figi for row in rows)
    return FigiInstruments(figi, "composite" if is_composite else "share_class", rows)


def problem_of_figi(text: str) -> str | None:
    """Return the reason why `text` is not a FIGI, in words; None for a well-formed one."""
    if len(text) != 12:
        return f"a FIGI has 12 characters, this has {len(text)}"
    if not FIGI_PATTERN.fullmatch(text):
        return "a FIGI is two consonants, G, eight consonants or digits, and a digit"
    return None


def resolve(codes: Collection[str]) -> dict[str, list[str]]:
    """Return the ISINs that each FIGI or ticker means, for those of `codes` that mean any.

    Only ISINs of instruments in the database count. A query for each 300 codes, and one for all ISINs.
    """
    isins: dict[str, set[str]] = defaultdict(set)
    for batch in in_batches(sorted(set(codes)), _CODES):
        figis = {code for code in batch if FIGI_PATTERN.fullmatch(code)}
        rows = Figi.objects.with_any_code(figis, tickers=batch)
        for row in rows.values_list(
            "isin", "figi", "composite_figi", "share_class_figi", "ticker"
        ).order_by("isin"):
            for code in set(batch).intersection(row[1:]):
                isins[code].add(row[0])
    mentioned = sorted(set().union(*isins.values()))
    known: set[str] = set()
    for batch in in_batches(mentioned):
        known.update(Instrument.objects.filter(pk__in=batch).values_list("pk", flat=True))
    return {code: sorted(values & known) for code, values in isins.items() if values & known}


def resolve_one(code: str) -> str | None:
    """Return the ISIN of the instrument that a FIGI or ticker means; None where it means none.

    Raises InvalidQuery, with the ISINs, where it means several.
    """
    return check_unambiguous(code, resolve([code]).get(code, []))


def check_unambiguous(code: str, isins: Sequence[str]) -> str | None:
    """Return the only ISIN that a FIGI or ticker means; None where it means none.

    Raises InvalidQuery, with the ISINs, where it means several.
    """
    if len(isins) > 1:
        listed = ", ".join(isins[:10]) + (", ..." if len(isins) > 10 else "")
        raise InvalidQuery(
            "isin", f"{code!r} is a FIGI or ticker of {len(isins)} instruments: {listed}."
        )
    return isins[0] if isins else None
