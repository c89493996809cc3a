"""Fewer cases in `make test`, all of them in `make test-all`: examples of properties, and parameters."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

QUICK, THOROUGH = "quick", "thorough"
_QUICK_SHARE = 5  # the quick profile runs one example in five


def register_profiles() -> None:
    """Register both profiles and load the quick one; `--hypothesis-profile` chooses the other.

    Examples have no deadline, because they load files and wait for disks. Tests of tables clear them
    themselves between examples, so function-scoped fixtures are allowed.
    """
    for name, examples_by_default in ((QUICK, 20), (THOROUGH, 100)):
        settings.register_profile(
            name,
            max_examples=examples_by_default,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
    settings.load_profile(QUICK)


def examples(thorough: int) -> settings:
    """Run a property test with this number of examples, or with a fifth of them when quick."""
    if settings.get_current_profile_name() == THOROUGH:
        return settings(max_examples=thorough)
    return settings(max_examples=max(thorough // _QUICK_SHARE, 5))


def mostly_slow(cases: Iterable[Any], quick_share: int = 6) -> list[Any]:
    """Return the parameters of a costly test, each as it is: one in `quick_share` quick, the rest slow."""
    return [
        case if number % quick_share == 0 else pytest.param(case, marks=pytest.mark.slow)
        for number, case in enumerate(cases)
    ]
