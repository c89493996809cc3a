"""Look-up of instruments by ISIN, FIGI or ticker: one, or a list in which each code gets its own answer."""

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from instruments.figis.models import FIGI_PATTERN
from instruments.figis.questions import check_unambiguous, resolve, resolve_one
from instruments.isin import PATTERN, problem_of
from instruments.models import Instrument, InstrumentQuerySet
from marketdata.common.errors import InvalidQuery, NotInDatabase

MAX_ISINS = 1_000
_NO_TICKER = "No instrument has it as its ticker."


class LookupStatus(enum.StrEnum):
    """The outcome for one ISIN of a list."""

    FOUND = "found"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"
    INVALID = "invalid"


@dataclasses.dataclass(frozen=True)
class LookupResult:
    """The outcome for one ISIN, FIGI or ticker. `reason` is a sentence unless it was found.

    `instrument_isin` is the ISIN of the instrument; None unless it was found.
    """

    isin: str
    status: LookupStatus
    reason: str | None = None
    instrument_isin: str | None = None


def check_isin(text: str) -> str:
    """Return an ISIN in upper case. Raises InvalidQuery if it is not one."""
    isin = text.strip().upper()
    if not isin:
        raise InvalidQuery("isin", "There is no ISIN.")
    if problem := problem_of(isin):
        raise InvalidQuery("isin", f"{isin}: {problem}.")
    return isin


def _check_isin_or_ticker(code: str) -> str:
    """Return an ISIN. Raises InvalidQuery for another code, which no instrument has as its ticker."""
    if (problem := problem_of(code)) and _may_be_figi_or_ticker(code):
        raise InvalidQuery("isin", f"{code}: {problem}. {_NO_TICKER}")
    return check_isin(code)


def resolve_isin(text: str) -> str:
    """Return the ISIN that a text is, or that a FIGI or ticker of one instrument means. No query for an ISIN.

    The ISIN need not be that of an instrument. Raises InvalidQuery, NotInDatabase for an unknown FIGI.
    """
    [isin] = resolve_isins([text])
    return isin


def resolve_isins(texts: Iterable[str]) -> list[str]:
    """Return what `resolve_isin` returns for each text, in the same order.

    No query for ISINs; for FIGIs and tickers two, and one for each 300 of them. A tenth of all FIGIs have the
    form and the check digit of an ISIN too: such a code is an ISIN only where an instrument has it, or where
    no instrument has it as its FIGI. An unknown FIGI among several codes raises InvalidQuery.
    """
    codes = [text.strip().upper() for text in texts]
    others = [code for code in dict.fromkeys(codes) if _may_be_figi_or_ticker(code)]
    resolved = _resolve(others)

    def resolve_code(code: str) -> str:
        if isin := check_unambiguous(code, resolved.get(code, [])):
            return isin
        if problem_of(code) and _is_figi(code):
            message = f"No instrument with the FIGI {code} is in the database."
            raise InvalidQuery("isin", message) if len(codes) > 1 else NotInDatabase(message)
        return _check_isin_or_ticker(code)

    return [resolve_code(code) for code in codes]


def resolve_list(texts: Iterable[str], parameter: str) -> list[str]:
    """Return what `resolve_isins` does for a parameter that is a list. Raises InvalidQuery of that name."""
    try:
        return resolve_isins(texts)
    except (InvalidQuery, NotInDatabase) as error:
        raise InvalidQuery(parameter, str(error)) from error


def find_isins(text: str) -> list[str]:
    """Return the ISINs of a comma-separated text of ISINs, FIGIs and tickers; others are left out.

    For codes other than ISINs, a query for each 300 of them, and two more.
    """
    codes = split_isins(text)
    isins = dict.fromkeys(code for code in codes if problem_of(code) is None)
    for resolved in _resolve([code for code in codes if _may_be_figi_or_ticker(code)]).values():
        isins |= dict.fromkeys(resolved)
    return list(isins)


def _resolve(codes: Sequence[str]) -> dict[str, list[str]]:
    """Return the ISINs that each code means that may be a FIGI or a ticker.

    A code that is the ISIN of an instrument means that alone.
    """
    if not codes:
        return {}
    valid = [code for code in codes if problem_of(code) is None]
    known = Instrument.objects.filter(pk__in=valid).values_list("pk", flat=True) if valid else []
    return resolve(codes) | {isin: [isin] for isin in known}


def get_instrument(text: str) -> Instrument:
    """Return the instrument with an ISIN, or with a FIGI or ticker that only it has.

    Raises InvalidQuery, NotInDatabase.
    """
    code = text.strip().upper()
    problem = problem_of(code)
    instrument = Instrument.objects.filter(pk=code).first() if problem is None else None
    if instrument is None and _may_be_figi_or_ticker(code):
        instrument = Instrument.objects.filter(pk=resolve_one(code)).first()
    if instrument is None:
        if problem and _is_figi(code):
            raise NotInDatabase(f"No instrument with the FIGI {code} is in the database.")
        _check_isin_or_ticker(code)
        raise NotInDatabase(f"No instrument with the ISIN {code} is in the files loaded.")
    return instrument


def split_isins(text: str) -> list[str]:
    """Return the ISINs of a comma-separated text, in upper case, each once."""
    return list(dict.fromkeys(isin.strip().upper() for isin in text.split(",")))


def look_up(isins: Sequence[str], matching: InstrumentQuerySet | None = None) -> list[LookupResult]:
    """Return the outcome for each ISIN, FIGI or ticker, in the same order and length.

    Two queries, and for codes other than ISINs one for each 300 and one more. With `matching`, instruments
    that are known but not among these are `excluded`. Raises InvalidQuery for more than MAX_ISINS.
    """
    if len(isins) > MAX_ISINS:
        raise InvalidQuery("isin", f"At most {MAX_ISINS:,} ISINs; these are {len(isins):,}.")
    codes = [isin.strip().upper() for isin in isins]
    problems = {code: problem_of(code) for code in codes}
    valid = {code: code for code, problem in problems.items() if problem is None}
    known = set(Instrument.objects.filter(pk__in=valid).values_list("pk", flat=True))
    instrument_isins = {code: code for code in known}
    other = [code for code in problems if code not in known and _may_be_figi_or_ticker(code)]
    ambiguous = {}
    for code, resolved in (resolve(other) if other else {}).items():
        if len(resolved) == 1:
            instrument_isins[code] = resolved[0]
        else:
            ambiguous[code] = resolved
    included = set(instrument_isins.values())
    if matching is not None:
        included = set(matching.filter(pk__in=included).order_by().values_list("pk", flat=True))

    def describe(code: str) -> LookupResult:
        if instrument_isin := instrument_isins.get(code):
            if instrument_isin in included:
                return LookupResult(code, LookupStatus.FOUND, instrument_isin=instrument_isin)
            return LookupResult(code, LookupStatus.EXCLUDED, "The other filters exclude it.")
        if code in ambiguous:
            listed = ", ".join(ambiguous[code][:10])
            reason = f"It is a ticker or FIGI of several instruments: {listed}."
            return LookupResult(code, LookupStatus.INVALID, reason)
        return _describe_unknown(code, problems[code])

    return [describe(code) for code in codes]


def look_up_results(text: str, matching: QuerySet[Any]) -> list[LookupResult]:
    """Return the outcome for each ISIN or FIGI of a comma-separated text in a list of published results.

    `matching` are the results in the list. An ISIN with other results only is `excluded`.
    """
    codes = split_isins(text)
    problems = {code: problem_of(code) for code in codes}
    isins = {code: [code] for code, problem in problems.items() if problem is None}
    isins |= _resolve([code for code in codes if _may_be_figi_or_ticker(code)])
    every = {isin for resolved in isins.values() for isin in resolved}
    published = matching.model._default_manager.filter(isin__in=every)
    included, known = (
        set(rows.filter(isin__in=every).order_by().values_list("isin", flat=True).distinct())
        for rows in (matching, published)
    )

    def describe(code: str) -> LookupResult:
        resolved = isins.get(code, [])
        for isin in resolved:
            if isin in included:
                return LookupResult(code, LookupStatus.FOUND, instrument_isin=isin)
        if known.intersection(resolved):
            return LookupResult(code, LookupStatus.EXCLUDED, "The other filters exclude it.")
        if resolved:
            return LookupResult(code, LookupStatus.UNKNOWN, "No loaded file has a result of it.")
        return _describe_unknown(code, problems[code])

    return [describe(code) for code in codes]


def _describe_unknown(code: str, problem: str | None) -> LookupResult:
    """Return the outcome for a code of no instrument; `problem` is the reason why it is no ISIN."""
    if problem is None:
        return LookupResult(code, LookupStatus.UNKNOWN, "No loaded file has this ISIN.")
    if _is_figi(code):
        return LookupResult(code, LookupStatus.UNKNOWN, "No instrument has this FIGI.")
    reason = f"Not an ISIN: {problem}."
    if _may_be_figi_or_ticker(code):
        reason = f"{reason} {_NO_TICKER}"
    return LookupResult(code, LookupStatus.INVALID, reason)


def _is_figi(code: str) -> bool:
    return FIGI_PATTERN.fullmatch(code) is not None


def _may_be_figi_or_ticker(code: str) -> bool:
    return _is_figi(code) or (bool(code) and not PATTERN.fullmatch(code))
