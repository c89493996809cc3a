"""Rate limits of requests, and the cache that counts them."""

from pathlib import Path
from typing import Any

from marketdata.settings import env

_MEMORY = "django.core.cache.backends.locmem.LocMemCache"


def table(lock_out_rate: str) -> dict[str, list[str]]:
    """Return the rates of each limit, all of which apply.

    `anonymous` and `login` are counted by address, `key` by API key, and `costly` by user. A user's limit is
    that of the highest role that has one, else `client`. The last four limit attempts to sign in: `name` by
    user name, `name_reserve` in addition for networks that the user has signed in from, and `pair` by user
    name and network, of which `pair_success` counts the successful ones.
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
        "name": env.read("LIMIT_NAME", env.rates, ["8/m", "40/h"]),
        "name_reserve": env.read("LIMIT_NAME_RESERVE", env.rates, ["2/m", "10/h"]),
        "pair": [lock_out_rate],
        "pair_success": [lock_out_rate],
    }


def caches(base_dir: Path, redis_url: str) -> dict[str, Any]:
    """Return Django's CACHES: `counts` is in Redis, or in a file shared by all processes of this machine."""
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
            "BACKEND": "marketdata.web.counts.FileCounts",
            "LOCATION": str(path),
        }
    return {"default": {"BACKEND": _MEMORY}, "counts": counts, "answers": _answers(redis_url)}


def _answers(redis_url: str) -> dict[str, Any]:
    """Return the cache of answers (`instruments/api_cache.py`): Redis, else the memory of a process."""
    if not redis_url:
        # Two entries an answer: its content, and the response as it was sent.
        return {"BACKEND": _MEMORY, "LOCATION": "answers", "OPTIONS": {"MAX_ENTRIES": 2_000}}
    timeouts = {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 2}  # seconds
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": redis_url,
        "KEY_PREFIX": "answers",
        "OPTIONS": {**timeouts, "IGNORE_EXCEPTIONS": True},  # without it, each answer is computed
    }
