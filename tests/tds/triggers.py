"""Triggers that refuse a change, the only kind that this server knows."""

import re

from tests.tds.tokens import SqlError

_REFUSING = re.compile(
    r"CREATE\s+(?P<replaces>OR\s+ALTER\s+)?TRIGGER\s+(?P<name>\w+)\s+ON\s+(?P<table>\w+)"
    r"\s+AFTER\s+(?P<action>UPDATE|DELETE)\s+AS"
    r"\s+IF\s+EXISTS\s*\(SELECT\s+1\s+FROM\s+deleted\)"
    r"\s+BEGIN;\s*THROW\s+(?P<number>\d+),\s*'(?P<message>[^']*)',\s*\d+;\s*END;?",
    re.IGNORECASE,
)
_DROP = re.compile(r"DROP\s+TRIGGER\s+(IF\s+EXISTS\s+)?(\w+);?", re.IGNORECASE)
_RAISED = re.compile(r"THROW (\d+): (.*)", re.DOTALL)


def translate(sql: str) -> list[str]:
    """Return SQLite's statements for a CREATE TRIGGER or DROP TRIGGER. Raises SqlError."""
    if drop := _DROP.fullmatch(sql.strip()):
        return [f"DROP TRIGGER {drop[1] or ''}{drop[2]}"]
    create = _REFUSING.fullmatch(sql.strip())
    if create is None:
        raise SqlError(262, f"This server does not know this trigger: {sql[:200]}", 14)
    statement = (
        f"CREATE TRIGGER {create['name']} AFTER {create['action']} ON {create['table']} BEGIN"
        f" SELECT RAISE(ABORT, 'THROW {create['number']}: {create['message']}'); END"
    )
    if create["replaces"]:
        return [f"DROP TRIGGER IF EXISTS {create['name']}", statement]
    return [statement]


def get_refusal(message: str) -> SqlError | None:
    """Return the error that a trigger threw, from SQLite's message; None if no trigger did."""
    raised = _RAISED.fullmatch(message)
    return SqlError(int(raised[1]), raised[2], 16) if raised else None
