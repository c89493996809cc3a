"""SQL for the end of an instrument by its own dates: columns of `Instrument` that filters compare with a day.

They express `instruments.listings.status` in SQL: each day's effective status follows from `active_until`,
`ended_as` and `terminates_after` without reading a listing.
"""

from instruments.listings.terms import FIRST_REAL_DAY
from instruments.staging.dialect import day_of

END_COLUMNS = ("ended_as", "active_until", "terminates_after")
_OPEN = "'9999-12-31'"  # later than every end that counts
_NEVER = "'0001-01-01'"  # the last active day of what is not published as active
_FIRST_PLACEHOLDER = "'2900-01-01'"  # registers write far days for "none"


def active_until(row: str) -> str:
    """Return the last day on which a listing is active, the first or the last possible day where none is."""
    end = _earlier(_earlier(_terminated(row), _expired(row)), _matured(row))
    return f"CASE WHEN {row}.status = 'active' THEN {end} ELSE {_NEVER} END"


def columns(row: str, until: str) -> dict[str, str]:
    """Return the SQL of each of END_COLUMNS.

    `row` is the reference listing, `until` the latest `active_until` of all listings of the instrument.
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
