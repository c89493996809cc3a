"""Look-up of instruments by ISIN: one, or a list in which each ISIN gets its own answer."""

import dataclasses
import enum
from collections.abc import Sequence

from instruments.isin import problem_of
from instruments.models import Instrument, InstrumentQuerySet
from marketdata.common.errors import InvalidQuery, NotInDatabase

MAX_ISINS = 1_000


class LookupStatus(enum.StrEnum):
    """The outcome for one ISIN of a list."""

    FOUND = "found"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"
    INVALID = "invalid"


@dataclasses.dataclass(frozen=True)
class LookupResult:
    """The outcome for one ISIN. `reason` is a sentence unless it was found."""

    isin: str
    status: LookupStatus
    reason: str | None = None


def check_isin(text: str) -> str:
    """Return an ISIN in upper case. Raises InvalidQuery if it is not one."""
    isin = text.strip().upper()
    if problem := problem_of(isin):
        raise InvalidQuery("isin", f"{isin}: {problem}.")
    return isin


def get_instrument(text: str) -> Instrument:
    """Return the instrument with an ISIN. Raises InvalidQuery, NotInDatabase."""
    isin = check_isin(text)
    instrument = Instrument.objects.filter(pk=isin).first()
    if instrument is None:
        raise NotInDatabase(f"No instrument with the ISIN {isin} is in the files loaded.")
    return instrument


def split_isins(text: str) -> list[str]:
    """Return the ISINs of a comma-separated text, in upper case, each once."""
    return list(dict.fromkeys(isin.strip().upper() for isin in text.split(",")))


def look_up(isins: Sequence[str], matching: InstrumentQuerySet | None = None) -> list[LookupResult]:
    """Return the outcome for each ISIN, in the same order and length. Two queries at most.

    With `matching`, instruments that are known but not among these are `excluded`. Raises InvalidQuery
    for more than MAX_ISINS.
    """
    if len(isins) > MAX_ISINS:
        raise InvalidQuery("isin", f"At most {MAX_ISINS:,} ISINs; these are {len(isins):,}.")
    codes = [isin.strip().upper() for isin in isins]
    problems = {code: problem_of(code) for code in codes}
    valid = [code for code, problem in problems.items() if problem is None]
    known = set(Instrument.objects.filter(pk__in=valid).values_list("pk", flat=True))
    included = known
    if matching is not None:
        included = set(matching.filter(pk__in=valid).order_by().values_list("pk", flat=True))

    def describe(code: str) -> LookupResult:
        if problem := problems[code]:
            return LookupResult(code, LookupStatus.INVALID, f"Not an ISIN: {problem}.")
        if code in included:
            return LookupResult(code, LookupStatus.FOUND)
        if code in known:
            return LookupResult(code, LookupStatus.EXCLUDED, "The other filters exclude it.")
        return LookupResult(code, LookupStatus.UNKNOWN, "No loaded file has this ISIN.")

    return [describe(code) for code in codes]
