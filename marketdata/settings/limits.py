"""How much a client may ask for, and where that is counted."""

from pathlib import Path
from typing import Any

from marketdata.settings import env


def table() -> dict[str, list[str]]:
    """Rates by who asks: every one of a row's rates holds.

    `anonymous` counts for an address, the others for a user or a key; a user's row is that of the highest
    role that has one, else `client`. `costly` and `login` count beside them. `name` is by account, from
    wherever it is tried.
    """
    return {
        "anonymous": env.read("LIMIT_ANONYMOUS", env.rates, ["50/m", "1000/h"]),
        "client": env.read("LIMIT_CLIENT", env.rates, ["100/m", "1000/h"]),
        "analyst": env.read("LIMIT_ANALYST", env.rates, ["300/m", "5000/h"]),
        "curator": env.read("LIMIT_CURATOR", env.rates, ["300/m", "5000/h"]),
        "admin": env.read("LIMIT_ADMIN", env.rates, ["300/m", "5000/h"]),
        "key": env.read("LIMIT_KEY", env.rates, ["600/m", "20000/h"]),
        "costly": env.read("LIMIT_COSTLY", env.rates, ["10/m"]),
        "login": env.read("LIMIT_LOGIN", env.rates, ["20/m", "100/h"]),
        "name": env.read("LIMIT_NAME", env.rates, ["10/m", "50/h"]),
    }


def caches(base_dir: Path, redis_url: str) -> dict[str, Any]:
    """Django's CACHES: `counts` is Redis, or a file that all processes of this machine share."""
    path = env.read("COUNTS_PATH", env.path, base_dir / "var" / "counts.sqlite3")
    counts: dict[str, Any]
    if redis_url:
        counts = {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": redis_url,
            "KEY_PREFIX": "counts",
            "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 2},  # seconds
        }
    else:
        counts = {
            "BACKEND": "marketdata.common.counts.FileCounts",
            "LOCATION": str(path),
        }
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {"default": memory, "counts": counts}
