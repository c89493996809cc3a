"""The results of a search, as far as they are found in the time of an answer.

Where many instruments meet one filter and few of them another, all of the many are read, which takes
seconds with ten millions. The search page is shown without what is not ready after
FIRST_ANSWER_MILLISECONDS, and then asks again with patience. That answer looks through the instruments in
pieces of the order of ISINs, so that it says how far it came when the time of a request is over.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.paginator import Page

from instruments.listings.relevance import ENDED, ByRelevance, RelevancePaginator
from instruments.listings.status import today
from instruments.models import Instrument, InstrumentQuerySet
from marketdata.web import pieces, time_limits
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 20
# The part of the time for a page that counting may take, so that there is enough left to read the rows.
_COUNTING = 0.4
# The time that the facets may take after the first rows, as a part of the time for these.
_FACETS = 0.5


@dataclasses.dataclass(frozen=True)
class Search:
    """A search: a function that applies the filters, and the place in the list.

    A question (words) has its best answers first; else the list has the order of ISINs, or of a date.
    `after` is a cursor, "" for a page by its number. `describe` counts the facets of the instruments.
    """

    find: Callable[[], InstrumentQuerySet]
    is_question: bool
    after: str
    page: str | None
    describe: Callable[[InstrumentQuerySet], list[dict[str, Any]]]


@dataclasses.dataclass
class Results:
    """The instruments of a page, and what is known of the others.

    `page` is None beyond row 1,000, and where pieces were searched. `following` is the cursor after which
    more follow. `total` is the number of instruments, of which there are more if `has_more`; None beyond
    row 1,000. `searched_to` is the cursor that the search came to before its time was over. `is_pending`
    tells that a patient search would find more of this; `is_stopped` that it found nothing in its time.
    """

    rows: list[Instrument] = dataclasses.field(default_factory=list)
    page: Page[Any] | None = None
    following: str | None = None
    total: int | None = None
    has_more: bool = False
    searched_to: str = ""
    facets: list[dict[str, Any]] | None = None
    has_no_facets: bool = False
    is_pending: bool = False
    is_stopped: bool = False

    @property
    def is_searched(self) -> bool:
        """Return False if there may be instruments although there are no rows."""
        return not (self.is_pending or self.is_stopped or self.searched_to)

    @property
    def has_searched_active(self) -> bool:
        """Return True if a question has been looked for among all active instruments."""
        return self.searched_to.startswith(ENDED)

    @property
    def searched_day(self) -> str:
        """The day that a search in the order of dates came to; "" in the order of ISINs."""
        value, _, _ = self.searched_to.removeprefix(ENDED).rpartition(".")
        return value[:10]

    @property
    def searched_isin(self) -> str:
        return self.searched_to.rpartition(".")[2]


def read(asked: Search, *, is_patient: bool) -> Results:
    """Return the results of a search. Raises InvalidQuery for an invalid filter or cursor."""
    seconds = settings.FIRST_ANSWER_MILLISECONDS / 1000
    facet_seconds = seconds * _FACETS
    if is_patient:
        seconds = pieces.get_seconds_left() * pieces.WHOLE
        facet_seconds = settings.FACETS_TIMEOUT_SECONDS
    try:
        with time_limits.limit_part(seconds):
            matching = asked.find()
            count_seconds = min(seconds * _COUNTING, settings.COUNT_TIMEOUT_SECONDS)
            results = _read_page(asked, matching, count_seconds)
    except time_limits.TimeLimitExceeded:
        return _read_pieces(asked) if is_patient else Results(is_pending=True)
    if results.page is None or not results.rows:
        return results
    paginator: Any = results.page.paginator
    if is_patient:
        paginator.count_again(facet_seconds)
        results.total, results.has_more = paginator.count, paginator.has_more
    elif not paginator.is_counted:  # so counting by facets would take too long, too
        results.is_pending = True
        return results
    try:
        with time_limits.limit_part(facet_seconds):
            results.facets = asked.describe(matching)
    except time_limits.TimeLimitExceeded:
        results.has_no_facets, results.is_pending = is_patient, not is_patient
    return results


def _read_page(asked: Search, matching: InstrumentQuerySet, count_seconds: float) -> Results:
    by_relevance = ByRelevance(matching, today()) if asked.is_question else None
    if asked.after:
        pairs = (
            by_relevance.read_after(asked.after, PAGE_SIZE + 1)
            if by_relevance
            else pieces.with_cursors(matching.after(asked.after)[: PAGE_SIZE + 1])
        )
        return Results([row for _, row in pairs[:PAGE_SIZE]], following=_get_following(pairs))
    paginator: Any = (
        RelevancePaginator(by_relevance, PAGE_SIZE, count_seconds=count_seconds)
        if by_relevance
        else BoundedPaginator(matching, PAGE_SIZE, count_seconds=count_seconds)
    )
    page = paginator.get_page(asked.page)
    results = Results(list(page), page, total=paginator.count, has_more=paginator.has_more)
    # Without a count, a page by number may lie beyond the last one.
    if results.has_more and not (paginator.is_counted and page.has_next()):
        last = results.rows[-1]
        results.following = paginator.get_cursor() if by_relevance else matching.get_cursor(last)
    return results


def _read_pieces(asked: Search) -> Results:
    """Return the results from pieces of the list, one after another until a page is full or time is over."""
    if asked.page not in {None, "", "1"}:  # which is not where the pieces begin
        return Results(is_stopped=True)
    try:
        with time_limits.limit_part(pieces.get_seconds_left()):
            matching = asked.find()
            parts = (
                ByRelevance(matching, today()).get_parts()
                if asked.is_question
                else [("", matching)]
            )
        pairs, searched_to = pieces.read_for(
            pieces.get_seconds_left(), parts, asked.after, PAGE_SIZE
        )
    except time_limits.TimeLimitExceeded:
        return Results(is_stopped=True)
    is_full = len(pairs) > PAGE_SIZE
    return Results(
        [row for _, row in pairs[:PAGE_SIZE]],
        following=_get_following(pairs),
        total=None if asked.after else min(len(pairs), PAGE_SIZE),
        has_more=is_full or bool(searched_to),
        searched_to="" if is_full else searched_to,
    )


def _get_following(pairs: pieces.Pairs) -> str | None:
    return pairs[PAGE_SIZE - 1][0] if len(pairs) > PAGE_SIZE else None
