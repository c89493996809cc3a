"""Errors of a bulk load after which rows are inserted one by one."""

import mssql_python
import pytest

from instruments.staging.bulk import is_failed_bulk_load


class PanicException(BaseException):  # the name that pyo3 gives a panic in Rust
    """As pyo3 makes it: derived from BaseException, and not to be imported from anywhere."""


@pytest.mark.parametrize(
    "error",
    [
        mssql_python.DatabaseError("bulk load refused", "ddbc"),
        RuntimeError("IO error: Connection reset by peer"),
        ValueError("Timestamp overflow"),
        PanicException("called `Option::unwrap()` on a `None` value"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_rows_are_inserted_after_an_error_or_a_panic_of_the_driver(error: BaseException) -> None:
    assert is_failed_bulk_load(error)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), KeyError("isin")])
def test_other_errors_end_the_load(error: BaseException) -> None:
    assert not is_failed_bulk_load(error)
