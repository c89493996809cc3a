"""Which database the environment asks for."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import env

# WAL lets people read while a load writes; NORMAL is as safe as FULL against a killed process.
_SQLITE_START = (
    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    "PRAGMA cache_size=-98304; PRAGMA temp_store=FILE; PRAGMA temp.cache_size=-65536; PRAGMA journal_size_limit=67108864;"
)


def from_environment(base_dir: Path) -> dict[str, Any]:
    """Django's `DATABASES["default"]` for `DATABASE_TYPE`."""
    kind = env.read("DATABASE_TYPE", str, "sqlite")
    if kind != "sqlite":
        raise ImproperlyConfigured(
            f"DATABASE_TYPE={kind!r}: this release runs on sqlite only; set DATABASE_TYPE=sqlite."
        )
    return sqlite(env.read("SQLITE_DB_PATH", env.path, base_dir / "var" / "marketdata.sqlite3"))


def sqlite(path: Path) -> dict[str, Any]:
    """One SQLite file; IMMEDIATE, so that two writers wait for each other and never deadlock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 60,  # seconds to wait for another writer: longer than a merge holds the lock
            "transaction_mode": "IMMEDIATE",
            "init_command": _SQLITE_START,
        },
        "CONN_HEALTH_CHECKS": True,
        # On disk, as in life: a load attaches it from a connection of its own.
        "TEST": {"NAME": path.with_name("test.sqlite3")},
    }


def by_name(default: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All databases that the environment configures, for `transfer`; `default` is the one in use."""
    return {"sqlite": default}
