"""Looking rows up by a code (ISIN, MIC, LEI) that a user typed."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from marketdata.common.errors import InvalidQuery, NotInDatabase

M = TypeVar("M", bound=Model)


def clean_code(code: str, field: str, find_problem: Callable[[str], str | None]) -> str:
    """Return a code in upper case. Raises InvalidQuery with the reason that `find_problem` returns.

    `find_problem` returns None for a valid code; `instruments.isin.problem_of` is one.
    """
    code = code.strip().upper()
    if problem := find_problem(code):
        raise InvalidQuery(field, f"{code!r} is not valid: {problem}.")
    return code


def get_by_code(
    rows: QuerySet[M],
    code: str,
    *,
    field: str,
    find_problem: Callable[[str], str | None],
    not_found: str = "",
) -> M:
    """Return the row whose primary key is the code, in any case. Raises InvalidQuery, NotInDatabase.

    get_by_code(Instrument.objects.all(), isin, field="isin", find_problem=problem_of)
    """
    code = clean_code(code, field, find_problem)
    row: Any = rows.filter(pk=code).first()
    if row is None:
        name = rows.model._meta.verbose_name
        raise NotInDatabase(
            not_found or f"No {name} with the {field.upper()} {code} is in the database."
        )
    return row  # type: ignore[no-any-return]
