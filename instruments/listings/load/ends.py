"""SQL for the end of an instrument by its own dates: columns of `Instrument` that filters compare with a day.

They express `instruments.listings.status` in SQL: each day's effective status follows from `active_until`,
`ended_as` and `terminates_after` without reading a listing.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from instruments.listings.terms import FIRST_REAL_DAY
from instruments.staging.dialect import day_of

END_COLUMNS = ("ended_as", "active_until", "terminates_after")
_LAST_DAY, _FIRST_DAY, _FIRST_FAR_DAY = "9999-12-31", "0001-01-01", "2900-01-01"
_OPEN = f"'{_LAST_DAY}'"  # later than every end that counts
_NEVER = f"'{_FIRST_DAY}'"  # the last active day of what is not published as active
_FIRST_PLACEHOLDER = f"'{_FIRST_FAR_DAY}'"  # registers write far days for "none"


def active_until(row: str) -> str:
    """Return the last day on which a listing is active, the first or the last possible day where none is.

    Most listings have one of the three days at most, for which the expression is shorter.
    """
    end = _earlier(_earlier(_terminated(row), _expired(row)), _matured(row))
    return f"""CASE WHEN {row}.status <> 'active' THEN {_NEVER}
        WHEN {row}.terminated_at IS NULL AND {row}.maturity_date IS NULL THEN {_expired(row)}
        WHEN {row}.terminated_at IS NULL AND {row}.expiry_date IS NULL THEN {_matured(row)}
        ELSE {end} END"""


def find_active_until(columns: Mapping[str, pa.Array], size: int, *, is_active: bool) -> pa.Array:
    """Return the last active day of each of `size` staged records, as `active_until` does it for listings.

    `columns` has the texts of those of the three days that some record has. `is_active`: whether the records
    are published as active; those of one kind all are, or none. It is done while a file is staged, since a
    load takes as long as its merges (decision 113).
    """
    if not is_active:
        return pa.repeat(_FIRST_DAY, size)
    ends = [
        _find_real_days(columns[name])
        for name in ("terminated_at", "expiry_date", "maturity_date")
        if name in columns
    ]
    if not ends:
        return pa.repeat(_LAST_DAY, size)
    return pc.fill_null(pc.min_element_wise(*ends), _LAST_DAY)


def _find_real_days(texts: pa.StringArray) -> pa.StringArray:
    """Return the days of dates, or of dates and times; NULL for none and for a placeholder."""
    days = pc.utf8_slice_codeunits(texts, 0, len(_LAST_DAY))
    is_real = pc.and_(pc.greater_equal(days, str(FIRST_REAL_DAY)), pc.less(days, _FIRST_FAR_DAY))
    return pc.if_else(is_real, days, None)


def columns(row: str, until: str) -> dict[str, str]:
    """Return the SQL of each of END_COLUMNS.

    `row` is the reference listing, `until` the latest `active_until` of all listings of the instrument. It is
    repeated, so it has to be a column: SQLite computes an expression anew each time.
    """
    is_active = f"{row}.status = 'active'"
    return {
        "ended_as": f"""CASE WHEN {until} = {_OPEN} THEN NULL WHEN NOT {is_active} THEN {row}.status
            WHEN {_terminated(row)} <= {until} THEN 'terminated'
            WHEN {_expired(row)} <= {_matured(row)} THEN 'expired' ELSE 'matured' END""",
        "active_until": f"CASE WHEN {until} = {_OPEN} THEN NULL ELSE {until} END",
        "terminates_after": f"""CASE WHEN {is_active} AND {until} <> {_OPEN}
            AND {_terminated(row)} > {until} AND {_terminated(row)} <> {_OPEN}
            THEN {_terminated(row)} END""",
    }


def _terminated(row: str) -> str:
    return _real(day_of(f"{row}.terminated_at"))


def _expired(row: str) -> str:
    return _real(f"{row}.expiry_date")


def _matured(row: str) -> str:
    return _real(f"{row}.maturity_date")


def _real(date: str) -> str:
    """SQL of a date; of the last possible day for none and for a placeholder."""
    is_real = f"{date} >= '{FIRST_REAL_DAY}' AND {date} < {_FIRST_PLACEHOLDER}"
    return f"CASE WHEN {is_real} THEN {date} ELSE {_OPEN} END"


def _earlier(first: str, second: str) -> str:
    return f"CASE WHEN {first} <= {second} THEN {first} ELSE {second} END"
