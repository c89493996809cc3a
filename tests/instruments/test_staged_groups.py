"""What groups cost to be brought into their records: in steps of SQLite's machine, and not in time."""

import sqlite3
from contextlib import closing

import pytest

from instruments.loading.layouts import layout_of

FEW, MANY = 400, 3_200
EACH = 100  # steps


def steps_of(name: str, table: str, values: dict[str, object], *, records: int) -> int:
    """To bring in a row of `table` for each of so many records, each of them refused besides."""
    layout = layout_of(name)
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1

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
        staged.set_progress_handler(count, EACH)
        layout.groups.bring_in(staged, name)
    return counted


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
    few = steps_of(name, table, values, records=FEW)
    many = steps_of(name, table, values, records=MANY)

    assert few > FEW / EACH
    assert many < 2 * few * MANY / FEW
