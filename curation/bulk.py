"""Many corrections in one request: each is proposed or approved by itself, and has an outcome of its own."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from curation import proposals
from curation.proposals import Proposal
from instruments.models import Correction
from marketdata.common.errors import MarketDataError, NotInDatabase

MAX_CORRECTIONS = 100  # of one request


def propose_all(rows: Iterable[Proposal], *, by: str, request: Any = None) -> list[dict[str, Any]]:
    """Propose corrections; return the outcome of each in the same order. Invalid ones are left out."""
    return [_try(functools.partial(proposals.propose, row, by=by, request=request)) for row in rows]


def approve_all(numbers: Iterable[int], *, by: str, request: Any = None) -> list[dict[str, Any]]:
    """Approve corrections by number; return the outcome of each in the same order."""

    def approve(number: int) -> Correction:
        correction = Correction.objects.filter(pk=number).first()
        if correction is None:
            raise NotInDatabase(f"There is no correction {number}.")
        proposals.approve(correction, by=by, request=request)
        return correction

    return [_try(functools.partial(approve, number)) for number in numbers]


def _try(step: Callable[[], Correction]) -> dict[str, Any]:
    """Return the number and state of the correction after a step, or why the step was not taken."""
    try:
        correction = step()
    except MarketDataError as error:
        return {"number": None, "state": None, "problem": str(error)}
    return {"number": correction.number, "state": str(correction.state), "problem": None}
