"""Questions about problems: the kinds with their numbers, and the problems of a kind."""

from typing import Any

from curation.models import Problem, ProblemCount
from curation.problem_kinds import KINDS, ProblemKind
from curation.proposals import Proposal
from marketdata.common.errors import NotInDatabase
from marketdata.common.plain import describe_columns, to_plain
from marketdata.common.suggestions import describe_unknown


def get_kind(code: str) -> ProblemKind:
    """Return a kind of problem. Raises NotInDatabase, with the similar ones."""
    if code not in KINDS:
        raise NotInDatabase(describe_unknown(code, KINDS, "kind"))
    return KINDS[code]


def describe_kind(kind: ProblemKind, count: ProblemCount | None) -> dict[str, Any]:
    """Return a kind with its number of problems; that is null if it was not looked for them."""
    is_counted = count is not None and not count.skipped
    return {
        "kind": kind.code,
        "title": kind.title,
        "why": kind.why,
        "to_do": kind.to_do,
        "field": kind.field or None,
        "problems": count.problems if count and is_counted else None,
        "has_more": bool(count and count.has_more),
        "skipped": (count.skipped or None) if count else "Not looked for yet.",
        "counted_at": to_plain(count.counted_at) if count else None,
    }


def list_kinds() -> list[dict[str, Any]]:
    """Return all kinds with their numbers. One query."""
    counts = {count.kind: count for count in ProblemCount.objects.all()}
    return [describe_kind(kind, counts.get(code)) for code, kind in KINDS.items()]


def describe_problem(problem: Problem) -> dict[str, Any]:
    return {
        "number": problem.pk,
        "kind": problem.kind,
        **{
            name: getattr(problem, name) or None
            for name in ("isin", "register", "mic", "category", "published", "suggested")
        },
        "field": problem.about.field or None,
        **describe_columns(problem, ("detail", "found_on")),
    }


def make_proposal(problem: Problem, **values: Any) -> Proposal:
    """Return the proposal of a correction that solves a problem; `values` are those of `Proposal`.

    Raises NotInDatabase if no correction can solve it.
    """
    if not problem.about.field:
        raise NotInDatabase(f"{problem}: a correction cannot solve it. {problem.about.to_do}")
    return Proposal(
        register=problem.register,
        isin=problem.isin,
        mic=problem.mic,
        field=problem.about.field,
        **values,
    )
