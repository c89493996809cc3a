"""Typed readers of environment variables: a bad value stops the start and names its variable."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def read(name: str, convert: Callable[[str], T], default: T | None = None) -> T:
    """Convert the variable `name`; without a default, the variable must be set."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        if default is None:
            raise ImproperlyConfigured(f"Set the environment variable {name}.")
        return default
    try:
        return convert(raw)
    except (KeyError, ValueError) as error:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a valid {convert.__name__}.") from error


def flag(raw: str) -> bool:
    return _TRUTH[raw.lower()]


def path(raw: str) -> Path:
    return Path(raw).expanduser().resolve()


def names(raw: str) -> list[str]:
    """A list with commas between."""
    return [name.strip() for name in raw.split(",") if name.strip()]


def url(raw: str) -> str:
    """An address by http or https, without the slash at its end."""
    if not raw.startswith(("https://", "http://")):
        raise ValueError(raw)
    return raw.rstrip("/")


def positive(raw: str) -> int:
    number = int(raw)
    if number < 1:
        raise ValueError(raw)
    return number
