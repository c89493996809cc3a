"""Costs that grow with the work and no faster: in steps of SQLite's machine, and not in time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from django.db import connection
from stdnum.isin import calc_check_digit

from instruments.layouts import layout_of
from tests import firds
from tests.instruments.listings.merging import Write, counts, day, full, load

pytestmark = pytest.mark.sqlite
FEW, MANY = 400, 3_200
EACH = 100  # steps


class Counter:
    steps = 0

    def __call__(self) -> None:
        self.steps += EACH


@contextmanager
def counted(database: sqlite3.Connection) -> Iterator[Counter]:
    counter = Counter()
    database.set_progress_handler(counter, EACH)
    try:
        yield counter
    finally:
        database.set_progress_handler(None, EACH)


def bringing_in(name: str, table: str, values: dict[str, object], *, records: int) -> int:
    """The steps to bring in a row of `table` for each of so many records, each of them refused besides."""
    layout = layout_of(name)
    columns, marks = ", ".join(["position", *values]), ", ".join("?" * (len(values) + 1))
    with closing(sqlite3.connect(":memory:")) as staged:
        staged.executescript(layout.schema)
        for position in range(1, records + 1):
            staged.execute("INSERT INTO record (position, fingerprint) VALUES (?, 1)", [position])
            staged.execute(
                "INSERT INTO rejected (position, isin, record) VALUES (?, '', '{}')", [position]
            )
            row = [position, *values.values()]
            staged.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)
        with counted(staged) as counter:
            layout.groups.bring_in(staged)
    return counter.steps


@pytest.mark.parametrize(
    ("name", "table", "values"),
    [
        ("FULINS_F_20250830_01of01", "commodity", {"commodity_product": "Nrgy"}),
        ("DLTINS_20250830_01of01", "basket", {"code": "SE0000115446"}),
        ("FULNCR_20250830_NYAR_1of1", "sub_class", {"sub_class": "A sub-class"}),
        ("DVCRES_20250830", "leaf", {"begins": 1, "mic": "XSTO"}),
    ],
)
def test_groups_cost_as_much_as_there_are_of_them(
    name: str, table: str, values: dict[str, object]
) -> None:
    few = bringing_in(name, table, values, records=FEW)
    many = bringing_in(name, table, values, records=MANY)

    assert few > FEW
    assert many < 2 * few * MANY / FEW


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_file_that_comes_late_costs_as_much_as_it_has_records(make_zip: Write) -> None:
    """Each of its records goes through the timeline, and a full file is merged as a whole."""
    connection.ensure_connection()
    steps = []
    for begin, count in ((0, FEW), (FEW, MANY)):
        bodies = [f"SE{number:09}" for number in range(begin, begin + count)]
        isins = [body + calc_check_digit(body) for body in bodies]
        for number, name in ((20, "Newer"), (10, "Older")):
            records = [
                firds.record("RefData", isin, "XSTO", name=name, period=day(1)) for isin in isins
            ]
            with counted(connection.connection) as counter:
                run = load(make_zip, full(number - bool(begin)), *records)
        assert counts(run)["late"] == count
        steps.append(counter.steps)

    few, many = steps
    assert few > FEW
    assert many < 2 * few * MANY / FEW
