"""Codes (ISIN, MIC, LEI) that a user typed."""

from collections.abc import Callable

from marketdata.common.errors import InvalidQuery


def clean_code(code: str, field: str, find_problem: Callable[[str], str | None]) -> str:
    """Return a code in upper case. Raises InvalidQuery with the reason that `find_problem` returns.

    `find_problem` returns None for a valid code; `instruments.isin.problem_of` is one.
    """
    code = code.strip().upper()
    if problem := find_problem(code):
        raise InvalidQuery(field, f"{code!r} is not valid: {problem}.")
    return code
