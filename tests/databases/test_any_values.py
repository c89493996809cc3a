"""Whatever a column can hold survives the move, and is the same to both databases."""

import datetime as dt
import decimal
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databases.rows import canonical
from databases.tables import NOT_COPIED
from tests.databases.conftest import everything, execute
from tests.databases.moving import differences, transfer
from tests.properties import examples

pytestmark = pytest.mark.usefixtures("any_database")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
MOMENTS = st.datetimes()
DECIMALS = st.decimals(
    min_value=-(10**18) + 1, max_value=10**18 - 1, allow_nan=False, places=17
) | st.decimals(min_value=-(10**18) + 1, max_value=10**18 - 1, allow_nan=False, places=1)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)  # JSON has neither
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
LISTINGS = {
    "full_name": st.none() | TEXT,
    "floating_rate_name": st.none() | TEXT,
    "underlying_basket": st.none() | TEXT,
    "fixed_rate": st.none() | DECIMALS.map(lambda number: format(number, "f")),
    "strike_amount": st.none() | DECIMALS.map(lambda number: format(number, "f")),
    "maturity_date": st.none() | st.dates().map(str),
    "first_trade_at": st.none() | MOMENTS.map(str),
    "commodity_derivative": st.none() | st.integers(0, 1),
    "fingerprint": st.integers(-(2**63), 2**63 - 1),
}
EVENTS = {
    "actor": TEXT,
    "address": st.none() | st.ip_addresses().map(str),
    "old": st.none() | JSON.map(json.dumps),
    "new": st.none() | JSON.map(lambda value: json.dumps(value, ensure_ascii=False)),
}
RUNS = {"seconds": st.floats(allow_nan=False, allow_infinity=False), "share": st.floats(0, 1)}
ROWS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "instruments_listing": LISTINGS,
    "audit_event": EVENTS,
    "esma_files_run": RUNS,
}


@pytest.mark.slow
@examples(15)
@given(data=st.data())
def test_any_values_survive(data: st.DataObject, source: Path, target: Path) -> None:
    for table in ("instruments_venue", "instruments_instrument"):  # which take time, and are not it
        execute(source, f"DELETE FROM {table}")
    execute(source, "DROP TRIGGER IF EXISTS audit_event_no_update")
    keys = {table: [key for (key,) in execute(source, f"SELECT id FROM {table}")] for table in ROWS}
    for table, columns in ROWS.items():
        changed = data.draw(st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=20))
        for key, row in zip(keys[table], changed, strict=False):
            sets = ", ".join(f"{column} = ?" for column in row)
            execute(source, f"UPDATE {table} SET {sets} WHERE id = ?", *row.values(), key)

    transfer(source, target, "--restart")

    own = (*NOT_COPIED, "sqlite_sequence")
    assert everything(target, but=own) == everything(source, but=own)
    assert differences(source, target) == {}


@given(number=DECIMALS, zeros=st.integers(0, 17))
def test_a_decimal_has_one_form(number: decimal.Decimal, zeros: int) -> None:
    """SQL Server gives 17 decimals, SQLite those that were published."""
    written = format(number, "f") + "0" * zeros  # there is a point in each

    assert canonical(decimal.Decimal(written)) == canonical(number)
    assert decimal.Decimal(canonical(number)) == number


@given(
    moment=st.datetimes(timezones=st.just(dt.UTC)).filter(lambda at: 1 < at.year < 9999),
    hours=st.integers(-12, 14),
)
def test_a_moment_is_the_same_in_every_zone(moment: dt.datetime, hours: int) -> None:
    there = moment.astimezone(dt.timezone(dt.timedelta(hours=hours)))

    assert canonical(there) == canonical(moment)
