"""Transient faults, recognized by the server's messages: mssql-python omits the numbers."""

import mssql_python
import pytest

from marketdata.azure_sql import faults


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("Resource ID: 1. The request limit for the database is 90 and has been reached.", 10928),
        ("The server is currently too busy to support requests up to 120.", 10929),
        ("The instance of the Database Engine cannot obtain a LOCK resource at this time.", 1204),
        ("Invalid object name 't'.", None),
    ],
)
def test_the_number_is_known_by_the_words(message: str, number: int | None) -> None:
    error = mssql_python.OperationalError("Statement failed", message)

    assert faults.find_number(error) == number
    assert faults.is_transient(error) is (number is not None)
