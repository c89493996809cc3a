"""The cache backends of the service with their calls reported; used with telemetry only."""

from typing import Any

from django_redis.cache import RedisCache

from marketdata.common.telemetry import Call
from marketdata.web.counts import FileCounts


class _Measured:
    """Reports what counting and health checks call, before the backend that follows in the MRO."""

    def get(self, key: Any, default: Any = None, *args: Any, **options: Any) -> Any:
        missing = object()
        with Call("cache", "counts", "get") as call:
            value = super().get(key, missing, *args, **options)  # type: ignore[misc]
            call.is_hit = value is not missing
        return value if call.is_hit else default

    def add(self, *args: Any, **options: Any) -> Any:
        with Call("cache", "counts", "add"):
            return super().add(*args, **options)  # type: ignore[misc]

    def incr(self, *args: Any, **options: Any) -> Any:
        with Call("cache", "counts", "incr"):
            return super().incr(*args, **options)  # type: ignore[misc]


class MeasuredFileCounts(_Measured, FileCounts):
    """Counters in a file of this machine."""


class MeasuredRedis(_Measured, RedisCache):
    """Counters in Redis."""
