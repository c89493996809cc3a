"""Lists by dates of the reference listing, and in their order, against plain sorts of all rows."""

import datetime as dt
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.test import Client

from instruments.listings import dates
from instruments.models import ChangeSet, Instrument, Listing
from marketdata.common.errors import InvalidQuery
from tests.properties import mostly_slow

LIST = "/api/v1/instruments/"
pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def reference_values(column: str) -> dict[str, Any]:
    """Return a column of the reference listing of each instrument that has a value there."""
    rows = Listing.objects.values_list("isin", "mic", "register", column)
    values = {(isin, mic, register): value for isin, mic, register, value in rows}
    return {
        row.isin: value
        for row in Instrument.objects.all()
        if (value := values[row.isin, row.mic, row.register]) is not None
    }


def read_whole_list(client: Client, parameters: dict[str, str]) -> list[str]:
    """Return the ISINs of a list from its first page to its last, by `next`."""
    address, isins = LIST, []
    response = client.get(address, {**parameters, "per_page": "7"})
    while True:
        assert response.status_code == 200, response.content
        answer = response.json()
        isins += [row["isin"] for row in answer["results"]]
        if answer["pagination"]["next"] is None:
            return isins
        response = client.get(answer["pagination"]["next"])


@pytest.mark.slow
@pytest.mark.parametrize("column", ["maturity_date", "first_trade_at"])
@pytest.mark.parametrize("cursor", mostly_slow([{}, {"cursor": ""}]))
@pytest.mark.parametrize(
    "filters", mostly_slow([{}, {"category": "d"}, {"q": "a"}, {"status": "Active"}])
)
def test_a_list_is_in_the_order_of_dates(
    client: Client, column: str, cursor: dict[str, str], filters: dict[str, str]
) -> None:
    values = reference_values(column)
    matching = set(read_whole_list(client, filters))
    ascending = sorted(values.keys() & matching, key=lambda isin: (values[isin], isin))
    for ordering, isins in ((column, ascending), (f"-{column}", ascending[::-1])):
        parameters = {**filters, **cursor, "ordering": ordering}
        assert read_whole_list(client, parameters) == isins


def test_a_list_is_in_the_order_of_isins_backwards(client: Client) -> None:
    isins = read_whole_list(client, {"category": "D"})
    assert len(isins) > 7
    assert read_whole_list(client, {"category": "D", "ordering": "isin"}) == isins
    assert read_whole_list(client, {"category": "D", "ordering": "-isin"}) == isins[::-1]


@pytest.mark.parametrize("ordering", ["maturity_date", "-maturity_date", "-isin"])
def test_many_instruments_are_ordered_by_the_index_as_few_are(ordering: str) -> None:
    bonds = Instrument.objects.of_category("D")
    every = Instrument.objects.filter(cfi_code__startswith="D")
    few = list(dates.order(bonds, every, ordering, many=1_000))
    many = dates.order(bonds, every, ordering, many=1)
    assert list(many) == few
    third = few[2]
    cursor = many.get_cursor(many[2])
    assert cursor == few[2].pk or cursor.endswith(f".{third.pk}")
    assert list(many.after(cursor)) == few[3:]


@pytest.mark.sqlite
def test_many_names_are_not_sorted() -> None:
    named = Instrument.objects.search("a")
    with pytest.raises(InvalidQuery, match="More than 1 names match"):
        dates.order(named, named, "maturity_date", many=1)


@pytest.mark.parametrize("many", [1, 1_000])
def test_a_condition_is_that_of_the_reference_listing(many: int) -> None:
    values = reference_values("maturity_date")
    middle = sorted(values.values())[len(values) // 2]
    matching = dates.filter_by_reference(
        Instrument.objects.all(), Q(maturity_date__lt=middle), many=many
    )
    assert {row.isin for row in matching} == {i for i, day in values.items() if day < middle}


@pytest.mark.parametrize(
    ("prefix", "column", "to_day"),
    [
        ("maturity", "maturity_date", lambda value: value),
        pytest.param("expiry", "expiry_date", lambda value: value, marks=pytest.mark.slow),
        pytest.param(
            "first_trade", "first_trade_at", lambda value: value.date(), marks=pytest.mark.slow
        ),
    ],
)
def test_a_range_is_between_its_days(
    client: Client, prefix: str, column: str, to_day: Callable[[Any], dt.date]
) -> None:
    days = {isin: to_day(value) for isin, value in reference_values(column).items()}
    in_order = sorted(set(days.values()))
    low, high = in_order[len(in_order) // 4], in_order[3 * len(in_order) // 4]
    cases: list[tuple[dict[str, str], Callable[[dt.date], bool]]] = [
        ({f"{prefix}_after": str(low)}, lambda day: low < day),
        ({f"{prefix}_before": str(high)}, lambda day: day < high),
        (
            {f"{prefix}_after": str(low), f"{prefix}_before": str(high)},
            lambda day: low < day < high,
        ),
        ({f"{prefix}_after": str(high), f"{prefix}_before": str(low)}, lambda day: False),
    ]
    for parameters, matches in cases:
        isins = read_whole_list(client, parameters)
        assert isins == sorted(isin for isin, day in days.items() if matches(day))


@pytest.mark.slow
def test_instruments_changed_since_a_moment_are_listed(client: Client) -> None:
    newest = ChangeSet.objects.latest("number")
    changed = set(Listing.objects.filter(change=newest.number).values_list("isin", flat=True))
    assert changed
    since = newest.made_at.isoformat()
    assert set(read_whole_list(client, {"changed_since": since})) == changed
    every = read_whole_list(client, {})
    assert read_whole_list(client, {"changed_since": "2020-01-01"}) == every
    later = (newest.made_at + dt.timedelta(days=1)).date()
    assert read_whole_list(client, {"changed_since": str(later)}) == []
    for many in (1, 1_000):
        matching = dates.filter_changed_since(Instrument.objects.all(), newest.made_at, many=many)
        assert {row.isin for row in matching} == changed


@pytest.mark.parametrize(
    "parameters",
    [
        {"ordering": "full_name"},
        {"maturity_after": "2025"},
        {"first_trade_before": "2025-02-30"},
        {"changed_since": "yesterday"},
        {"changed_since": "0001-01-01T00:00:00+10:00"},
        {"ordering": "maturity_date", "cursor": "DE000A1R07V3"},
        {"ordering": "maturity_date", "cursor": "2025-13-01.DE000A1R07V3"},
        {"ordering": "first_trade_at", "cursor": "2025-01-01.DE000A1R07V3"},
        {"ordering": "-isin", "cursor": "."},
    ],
)
def test_an_invalid_value_is_named(client: Client, parameters: dict[str, str]) -> None:
    response = client.get(LIST, parameters)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [list(parameters)[-1]]


def test_commands_exports_and_the_page_have_the_same_filters(client: Client) -> None:
    parameters = {"maturity_before": "2027-01-01", "ordering": "-maturity_date"}
    isins = read_whole_list(client, parameters)
    assert len(isins) > 2

    output = io.StringIO()
    options = ["--maturity_before", "2027-01-01", "--ordering=-maturity_date", "--limit", "1000"]
    call_command("instruments", "list", *options, "--format", "json", stdout=output)
    assert [row["isin"] for row in json.loads(output.getvalue())] == isins
    with pytest.raises(CommandError, match="--maturity_before"):
        call_command("instruments", "list", "--maturity_before", "soon")

    page = client.get("/", parameters).content.decode()
    places = [page.index(isin) for isin in isins[:20]]
    assert places == sorted(places)
