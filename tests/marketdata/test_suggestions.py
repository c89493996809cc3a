"""Errors about unknown names are short: the closest name, and a few names or where many are listed."""

from typing import Any

import pytest

from marketdata.common.suggestions import describe_choice, describe_unknown
from tests.accounts.clients import client_of_new_user

MANY = [f"field_{number}" for number in range(21)]


def test_a_few_names_are_listed_and_of_many_where_they_are() -> None:
    few = describe_unknown("colr", ["day", "colour"], "field")
    many = describe_unknown("feild_7", MANY, "field")

    assert few == "Unknown field 'colr'. Did you mean 'colour'? Known fields: colour, day."
    assert many.startswith("Unknown field 'feild_7'. Did you mean 'field_")
    assert many.endswith("? /api/docs/ lists all 21 fields.")
    assert describe_unknown("x", [], "field") == "Unknown field 'x'. There is no field."


def test_the_closest_of_many_choices_is_suggested() -> None:
    assert describe_choice("Z", ["", "A", "B"]) == "'Z' is not a valid choice. Choose one of: A, B."
    assert describe_choice("FIELD_20", MANY) == (
        "'FIELD_20' is not a valid choice. Did you mean 'field_20'? /api/docs/ lists all 21 choices."
    )


def test_names_are_suggested_as_they_are_written() -> None:
    assert "Did you mean 'idValue'?" in describe_unknown("idvalu", ["idType", "idValue"], "column")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "name", "suggested"),
    [
        ("/api/v1/instruments/?curency=EUR", "curency", "currency"),
        ("/api/v1/files/?fields=stat", "fields", "state"),
        ("/api/v1/instruments/export/?fields=full_nam", "fields", "full_name"),
    ],
)
def test_an_unknown_name_of_many_is_answered_shortly(path: str, name: str, suggested: str) -> None:
    ann = client_of_new_user("ann", "curator")

    [message] = ann.client.get(path).json()["errors"][name]

    assert f"Did you mean {suggested!r}?" in message
    assert len(message) < 120


@pytest.mark.django_db
def test_an_unknown_filter_of_a_watch_list_is_answered_shortly() -> None:
    ann = client_of_new_user("ann", "curator")
    body: dict[str, Any] = {"name": "list", "isins": [], "filter": "curency=EUR"}

    [message] = ann("post", "/watchlists/", body).json()["errors"]["filter"]

    assert message == (
        "Unknown filter 'curency'. Did you mean 'currency'? /api/docs/ lists all 27 filters."
    )
