"""Typed readers of environment variables: a bad value stops the start and names its variable."""

import os
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
Network = IPv4Network | IPv6Network

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
    except (KeyError, ValueError, OSError) as error:
        if convert is secret:  # which is not for logs
            raise ImproperlyConfigured(
                f"{name} is too weak to sign with: 50 random characters or more, as from"
                " `python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
            ) from None
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


def count(raw: str) -> int:
    """A whole number, zero included."""
    number = int(raw)
    if number < 0:
        raise ValueError(raw)
    return number


def port(raw: str) -> int:
    number = int(raw)
    if not 1 <= number <= 65_535:
        raise ValueError(raw)
    return number


def one_of(*known: str) -> Callable[[str], str]:
    """A reader of one of these words."""

    def choice(raw: str) -> str:
        if raw not in known:
            raise ValueError(raw)
        return raw

    choice.__name__ = f"choice: {' or '.join(known)}"
    return choice


def networks(raw: str) -> list[Network]:
    """Networks as CIDR, with commas between; a single address is one too."""
    return [ip_network(name) for name in names(raw)]


def rates(raw: str) -> list[str]:
    """Limits as `100/m,1000/h`: times a second, minute, hour or day."""
    found = names(raw)
    if not all(re.fullmatch("[1-9][0-9]*/[smhd]", rate) for rate in found):
        raise ValueError(raw)
    return found


def secret(raw: str) -> str:
    """Long and random enough to sign with: `make demo` and docs/settings.md make such a one."""
    if len(raw) < 50 or len(set(raw)) < 10 or raw.startswith("django-insecure-"):
        raise ValueError("too weak")
    return raw


def pem(raw: str) -> str:
    """The text of a file with a key."""
    text = path(raw).read_text()
    if "-----BEGIN" not in text:
        raise ValueError(raw)
    return text


def pairs(raw: str) -> dict[str, str]:
    """Pairs with commas between, as `Reader=viewer,Writer=curator`."""
    return {left.strip(): right.strip() for left, right in (pair.split("=") for pair in names(raw))}
