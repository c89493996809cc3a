"""Find problems of published data.

Each finder yields the problems of a kind, of all instruments or of a few. By night all of them are compared
with the kept ones (`find_all`), which scans each large table once for a kind; no request does. After a
decision about a correction only its instrument is looked at (`look_again`).
"""

import datetime as dt
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Upper
from django.utils import timezone
from pyroaring import BitMap64

from curation.models import Problem, ProblemCount
from curation.problem_kinds import KINDS
from instruments.classification import cfi
from instruments.entities.mapped_issuers import is_different
from instruments.listings.corrections import correct_listings
from instruments.listings.publications import listings_of
from instruments.listings.status import today
from instruments.listings.terms import FIRST_REAL_DAY
from instruments.models import (
    CfiCode,
    Correction,
    FullFile,
    Instrument,
    LegalEntity,
    ListedVenue,
    Listing,
    MappedIssuer,
    Register,
    Status,
    TransparencyResult,
    Venue,
)
from instruments.transparency.questions import PublishedResults
from marketdata.common.batches import in_batches

KEPT = 100_000  # problems of a kind
_CHUNK = 2_000  # rows that are read at a time
_EXCHANGE_TRADED = ("O", "F")
Isins = Collection[str] | None
Finder = Callable[[Isins], Iterator[Problem]]


def _active(isins: Isins) -> QuerySet[Instrument]:
    rows = Instrument.objects.filter(status=Status.ACTIVE).order_by("isin")
    return rows if isins is None else rows.filter(pk__in=isins)


def _pages(isins: QuerySet[Any, str], size: int = 500) -> Iterator[list[str]]:
    """Yield ISINs in their order. A statement for each page, so that others can be sent meanwhile."""
    page = list(isins[:size])
    while page:
        yield page
        page = list(isins.filter(isin__gt=page[-1])[:size])


def _of(rows: QuerySet[Any, Any], isins: Isins) -> QuerySet[Any, Any]:
    return rows if isins is None else rows.filter(isin__in=isins)


def _about_issuers(
    kind: str, rows: QuerySet[Instrument], describe: Callable[[str, str], str]
) -> Iterator[Problem]:
    """Yield a problem of the issuer of each instrument, with GLEIF's issuer of the ISIN as suggestion."""
    mapped = MappedIssuer.objects.filter(isin=OuterRef("isin")).order_by()
    values = rows.annotate(mapped=Subquery(mapped.values("mapped_lei__lei")[:1])).values_list(
        "isin", "register", "cfi_code", "issuer_lei", "mapped"
    )
    for isin, register, code, lei, other in values.iterator(chunk_size=_CHUNK):
        suggested = other if other and other != lei else ""
        yield Problem(
            kind=kind,
            isin=isin,
            register=register,
            category=code[:1],
            published=lei,
            suggested=suggested,
            detail=describe(lei, suggested),
        )


def _find_no_entity(isins: Isins) -> Iterator[Problem]:
    entities = LegalEntity.objects.filter(lei=OuterRef("issuer_lei")).order_by()
    return _about_issuers(
        "no_entity",
        _active(isins).filter(~Exists(entities)),
        lambda lei, _: f"No record of {lei} is loaded." if lei else "No LEI is published.",
    )


def _find_issuer_operator(isins: Isins) -> Iterator[Problem]:
    operators = Venue.objects.with_known_operator().order_by().values("lei")
    rows = _active(isins).filter(issuer_lei__in=operators)
    for category in _EXCHANGE_TRADED:
        rows = rows.exclude(cfi_code__gte=category, cfi_code__lt=chr(ord(category) + 1))
    return _about_issuers(
        "issuer_operator", rows, lambda lei, _: f"{lei} is the operator of a venue."
    )


def _find_issuer_differs(isins: Isins) -> Iterator[Problem]:
    return _about_issuers(
        "issuer_differs",
        _active(isins).filter(is_different()),
        lambda lei, other: f"GLEIF has {other}, the register {lei}.",
    )


def _find_cfi(kind: str, is_problem: Callable[[str], str | None]) -> Finder:
    def find(isins: Isins) -> Iterator[Problem]:
        details = {
            code: detail
            for code in CfiCode.objects.order_by().values_list("code", flat=True)
            if (detail := is_problem(code))
        }
        for codes in in_batches(sorted(details)):
            rows = _active(isins).filter(cfi_code__in=codes)
            for isin, register, code in rows.values_list("isin", "register", "cfi_code").iterator(
                chunk_size=_CHUNK
            ):
                yield Problem(
                    kind=kind,
                    isin=isin,
                    register=register,
                    category=code[:1],
                    published=code,
                    detail=details[code],
                )

    return find


def _describe_invalid(code: str) -> str | None:
    try:
        problems = cfi.decode(code).problems
    except cfi.BadCfi as error:
        return f"{error}."[:500]
    return f"{problems[0]}."[:500] if problems else None


def _describe_edition(code: str) -> str | None:
    try:
        edition = cfi.decode(code).edition
    except cfi.BadCfi:
        return None
    if edition in (None, cfi.EDITION):
        return None
    return f"The code is of the edition of {edition}, not of {cfi.EDITION}."


def _find_venue_unknown(isins: Isins) -> Iterator[Problem]:
    if isins is not None:
        return
    for venue in ListedVenue.objects.missing().order_by("mic"):
        yield Problem(
            kind="venue_unknown",
            mic=venue.mic,
            published=venue.mic,
            detail=f"Listings of any status with this MIC: {venue.listings:,}.",
        )


def _simplify(name: str) -> str:
    """Return a name without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", name.upper())


def _find_names_differ(isins: Isins) -> Iterator[Problem]:
    active = _of(Listing.objects.filter(status=Status.ACTIVE), isins)
    candidates = (
        active.order_by("isin")
        .annotate(name=Upper("full_name"))
        .values("isin")
        .annotate(first=Min("name"), last=Max("name"))
        .exclude(first=F("last"))
        .values_list("isin", flat=True)
    )
    for page in _pages(candidates):
        listings: dict[tuple[str, str], list[Listing]] = defaultdict(list)
        rows = Listing.objects.filter(isin__in=page, status=Status.ACTIVE)
        columns = ("isin", "register", "mic", "status", "cfi_code", "full_name")
        for listing in rows.only(*columns).order_by("isin", "register", "mic"):
            listings[listing.isin, listing.register].append(listing)
        corrections: dict[str, list[Correction]] = defaultdict(list)
        for correction in Correction.objects.live().of(page).filter(field="full_name"):
            corrections[correction.isin].append(correction)
        for (isin, _), group in listings.items():
            correct_listings(group, corrections[isin])
            yield from _compare_names(group)


def _compare_names(listings: list[Listing]) -> Iterator[Problem]:
    """Yield the listings of an instrument in a register whose name is not that of most."""
    named = [(listing, listing.full_name) for listing in listings if listing.full_name]
    counts = Counter(_simplify(name) for _, name in named)
    if len(counts) < 2:
        return
    # Of equally frequent names the first in the order of venues.
    simplified, most = counts.most_common(1)[0]
    usual = next(name for _, name in named if _simplify(name) == simplified)
    for listing, name in named:
        if _simplify(name) != simplified:
            yield Problem(
                kind="names_differ",
                isin=listing.isin,
                register=listing.register,
                mic=listing.mic,
                category=(listing.cfi_code or "")[:1],
                published=name,
                suggested=usual,
                detail=f"{most} of {len(named)} active listings have the suggested name.",
            )


def _find_terminated_listed(isins: Isins) -> Iterator[Problem]:
    sets = _read_newest_sets()
    begin = dt.datetime.combine(FIRST_REAL_DAY, dt.time.min, dt.UTC)
    rows = _of(Listing.objects.filter(status=Status.ACTIVE), isins).filter(
        terminated_at__gte=begin, terminated_at__lt=timezone.now()
    )
    columns = ("pk", "isin", "register", "mic", "cfi_code", "terminated_at")
    for pk, isin, register, mic, code, terminated_at in (
        rows.order_by("isin", "mic").values_list(*columns).iterator(chunk_size=_CHUNK)
    ):
        day, listings = sets.get((register, (code or "")[:1]), (dt.date.min, BitMap64()))
        if terminated_at.date() < day and pk in listings:
            yield Problem(
                kind="terminated_listed",
                isin=isin,
                register=register,
                mic=mic,
                category=code[:1],
                published=terminated_at.date().isoformat(),
                detail=f"Terminated on {terminated_at.date()}, and in the full set of {day}.",
            )


def _read_newest_sets() -> dict[tuple[str, str], tuple[dt.date, BitMap64]]:
    """Return day and listings of the newest full set of each register and category."""
    days: dict[tuple[str, str], dt.date] = {}
    listings: dict[tuple[str, str], BitMap64] = defaultdict(BitMap64)
    rows = FullFile.objects.select_related("file", "reconciliation").defer("listings")
    for full_file in rows.order_by("-file__published_on"):
        key = (full_file.reconciliation.register, full_file.reconciliation.category)
        if days.setdefault(key, full_file.file.published_on) == full_file.file.published_on:
            listings[key] |= listings_of(full_file)
    return {key: (day, listings[key]) for key, day in days.items()}


def _find_expired_active(isins: Isins) -> Iterator[Problem]:
    day = today()
    ended = Q(ended_as__isnull=False, active_until__gte=FIRST_REAL_DAY, active_until__lt=day)
    columns = ("isin", "register", "cfi_code", "ended_as", "active_until")
    rows = _active(isins).filter(ended).values_list(*columns)
    for isin, register, code, ended_as, last in rows.iterator(chunk_size=_CHUNK):
        yield Problem(
            kind="expired_active",
            isin=isin,
            register=register,
            category=code[:1],
            published=last.isoformat(),
            detail=f"Published as active; {ended_as} by its own dates since {last}.",
        )


def _find_transparency_conflict(isins: Isins) -> Iterator[Problem]:
    current = TransparencyResult.objects.filter(superseded=False, withdrawn_on=None).order_by()
    others = current.filter(isin=OuterRef("isin"), register=OuterRef("register"))
    same_result = others.filter(result_key=OuterRef("result_key")).exclude(pk=OuterRef("pk"))
    candidates = (
        _of(current, isins)
        .filter(Q(Exists(same_result)) | Q(liquid=True) & Q(Exists(others.filter(liquid=False))))
        .values_list("isin", flat=True)
        .distinct()
        .order_by("isin")
    )
    for page in _pages(candidates):
        published = {register: PublishedResults(page, register=register) for register in Register}
        for isin, (register, results) in itertools.product(page, published.items()):
            answers = results.get_applicable(isin, today())
            respect = next((name for name, answer in answers.items() if answer.conflict), None)
            if respect is not None:
                yield Problem(
                    kind="transparency_conflict",
                    isin=isin,
                    register=register,
                    published=respect.replace("_", " "),
                    detail=answers[respect].why[:500],
                )


_FINDERS: dict[str, Finder] = {
    "no_entity": _find_no_entity,
    "issuer_operator": _find_issuer_operator,
    "issuer_differs": _find_issuer_differs,
    "cfi_invalid": _find_cfi("cfi_invalid", _describe_invalid),
    "cfi_edition": _find_cfi("cfi_edition", _describe_edition),
    "venue_unknown": _find_venue_unknown,
    "names_differ": _find_names_differ,
    "terminated_listed": _find_terminated_listed,
    "expired_active": _find_expired_active,
    "transparency_conflict": _find_transparency_conflict,
}


def _get_missing_source(kind: str) -> str:
    """Return the reason for which a kind cannot be found, as a source is not loaded; "" if it can."""
    if kind == "no_entity" and not LegalEntity.objects.exists():
        return "No golden copy of GLEIF is loaded."
    if kind in ("issuer_operator", "venue_unknown") and not Venue.objects.exists():
        return "No list of venues is loaded."
    if kind == "issuer_differs" and not MappedIssuer.objects.exists():
        return "No ISIN-LEI file of GLEIF is loaded."
    return ""


def find_all(kinds: Collection[str] = tuple(KINDS), *, kept: int = KEPT) -> list[ProblemCount]:
    """Find the problems of these kinds, replace the kept ones, each kind in a transaction, and count them.

    At most `kept` problems of a kind are kept, the first by ISIN.
    """
    return [_find_kind(kind, kept) for kind in kinds]


def _find_kind(kind: str, kept: int) -> ProblemCount:
    skipped = _get_missing_source(kind)
    problems = {} if skipped else _collect(itertools.islice(_FINDERS[kind](None), kept + 1))
    has_more = len(problems) > kept
    if has_more:
        del problems[next(reversed(problems))]
    with transaction.atomic():
        _replace(Problem.objects.filter(kind=kind), problems)
        count, _ = ProblemCount.objects.update_or_create(
            kind=kind,
            defaults={
                "problems": len(problems),
                "has_more": has_more,
                "skipped": skipped,
                "counted_at": timezone.now(),
            },
        )
    return count


def look_again(isins: Collection[str]) -> None:
    """Look for problems of these instruments again, at most 500, and keep them as they are now.

    Kinds that were never looked for are left alone.
    """
    for count in ProblemCount.objects.filter(skipped=""):
        kept = Problem.objects.filter(kind=count.kind)
        with transaction.atomic():
            _replace(kept.filter(isin__in=isins), _collect(_FINDERS[count.kind](isins)))
            ProblemCount.objects.filter(pk=count.pk).update(problems=kept.count())


def _collect(problems: Iterator[Problem]) -> dict[tuple[str, str, str], Problem]:
    return {problem.key: problem for problem in problems}


def _replace(kept: QuerySet[Problem], problems: dict[tuple[str, str, str], Problem]) -> None:
    """Keep the problems that were found: those that are new, and those that changed with their first day."""
    now = today()
    first_days: dict[tuple[str, str, str], dt.date] = {}
    unchanged, gone = set(), []
    for problem in kept.iterator(chunk_size=_CHUNK):
        other = problems.get(problem.key)
        if other is not None:
            first_days[problem.key] = problem.found_on
        if other is not None and other.values == problem.values:
            unchanged.add(problem.key)
        else:
            gone.append(problem.pk)
    for keys in in_batches(gone):
        Problem.objects.filter(pk__in=keys).delete()
    new = [problem for key, problem in problems.items() if key not in unchanged]
    for problem in new:
        problem.found_on = first_days.get(problem.key, now)
    Problem.objects.bulk_create(new, batch_size=100)
