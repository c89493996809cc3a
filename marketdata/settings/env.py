"""Typed readers of environment variables. An invalid value stops the start and is named with its variable."""

import os
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from marketdata.settings.masking import Secret

T = TypeVar("T")
Network = IPv4Network | IPv6Network

# What a converter takes, where its name does not tell.
_EXPECTED = {
    "account": "name of a storage account: 3 to 24 lower-case letters and digits, and no host",
    "connection_string": "connection string of Application Insights: copy it from the portal",
    "count": "number of 0 or more",
    "counts": "list such as O:60,R:60",
    "flag": "setting: use true or false",
    "hosts": "list of hosts, such as firds.esma.europa.eu,http://127.0.0.1:8000",
    "networks": "list of networks, such as 10.0.0.0/8,192.0.2.7",
    "pairs": "list such as Reader=viewer,Writer=curator",
    "pem": "key in PEM format",
    "pem_file": "path of a readable file in PEM format",
    "port": "port: a number from 1 to 65535",
    "positive": "number of 1 or more",
    "rates": "list of rates, such as 100/m,1000/h",
    "redis_url": "address of a Redis, such as redis://host:6379/0",
    "storage_connection_string": "connection string of a storage account: copy it from the portal",
    "url": "address that begins with https:// or http://",
}
# What App Service passes on as the value while it cannot read the secret that the reference names.
_UNRESOLVED_REFERENCE = "@Microsoft.KeyVault("
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _read_environment(name: str) -> str:
    return os.environ.get(name, "")


def _describe_missing(name: str) -> str:
    return f"Set the environment variable {name}."


# Returns the text of a secret by the name of its variable; secrets.py may replace it by a key vault.
read_secret: Callable[[str], str] = _read_environment
# Returns what to do about a required secret that is missing; secrets.py replaces it too.
describe_missing_secret: Callable[[str], str] = _describe_missing
# Variables that hold secrets.
SECRETS = frozenset(
    {
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AZURE_SQL_PASSWORD",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_KEY",
        "ENTRA_CLIENT_SECRET",
        "JWT_PRIVATE_KEY",
        "OPENFIGI_API_KEY",
        "REDIS_URL",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
        "SMTP_PASSWORD",
    }
)
# Secrets that are never in a key vault: the key vault is reached with them.
_SECRETS_OF_THE_ENVIRONMENT = frozenset({"AZURE_CLIENT_SECRET"})


def read(name: str, convert: Callable[[str], T], default: T | None = None) -> T:
    """Return the converted value of a variable. Without a default, the variable is required.

    Raises ImproperlyConfigured if the variable is missing or its value is not valid.
    """
    is_secret = name in SECRETS | _SECRETS_OF_THE_ENVIRONMENT
    raw = (read_secret if name in SECRETS else _read_environment)(name).strip()
    if not raw:
        if default is None:
            describe = describe_missing_secret if name in SECRETS else _describe_missing
            raise ImproperlyConfigured(describe(name))
        return default
    if raw.startswith(_UNRESOLVED_REFERENCE):
        raise ImproperlyConfigured(
            f"{name} is a reference to a key vault that App Service has not resolved. Its state is beside"
            " the setting in the portal: give the identity of the app the role Key Vault Secrets User, create"
            " the secret if there is none, and restart the app."
        )
    if is_secret:
        raw = Secret(raw)  # masked in the error below, too
    try:
        value = convert(raw)
        return cast(T, Secret(value)) if is_secret and isinstance(value, str) else value
    except (KeyError, ValueError, OSError) as error:
        if convert in (secret, keys):  # Never show a key in a log.
            raise ImproperlyConfigured(
                f"{name} is too weak. Use at least 50 random characters, for example from"
                " `python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
            ) from None
        expected = _EXPECTED.get(convert.__name__, convert.__name__)
        raise ImproperlyConfigured(f"{name}={raw!r} is not a valid {expected}.") from error


def flag(raw: str) -> bool:
    return _FLAGS[raw.lower()]


def path(raw: str) -> Path:
    return Path(raw).expanduser().resolve()


def folder(name: str, at: Path) -> Path:
    """Create the folder of a variable unless it exists, and return it. Raises ImproperlyConfigured."""
    try:
        at.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} needs the folder {at}, which cannot be created: {error.strerror}. Create it, let the"
            " user of the service write there, or choose another one."
        ) from error
    return at


def names(raw: str) -> list[str]:
    """Return the items of a comma-separated list."""
    return [name.strip() for name in raw.split(",") if name.strip()]


def counts(raw: str) -> dict[str, int]:
    """Return the numbers of a list of names and numbers, such as `O:60,R:60`."""
    pairs = (item.partition(":") for item in names(raw))
    return {name.strip(): count(number.strip()) for name, _, number in pairs}


def url(raw: str) -> str:
    """Return an http or https address without a trailing slash."""
    parts = urlsplit(raw)
    if parts.scheme not in ("https", "http") or not parts.hostname or " " in raw:
        raise ValueError(raw)
    return raw.rstrip("/")


def hosts(raw: str) -> list[str]:
    """Return the items of a comma-separated list of hosts, with ports perhaps, and `http://` perhaps."""
    items = names(raw)
    if not all(re.fullmatch(r"(http://)?[\w.:\[\]-]+", item) for item in items):
        raise ValueError(raw)
    return items


def account(raw: str) -> str:
    """Return the name of a storage account."""
    if not re.fullmatch("[a-z0-9]{3,24}", raw):
        raise ValueError(raw)
    return raw


def storage_connection_string(raw: str) -> str:
    """Return a connection string of a storage account: `NAME=VALUE;...`."""
    parts = dict(part.split("=", 1) for part in raw.lower().strip(";").split(";"))
    if not parts.keys() & {"accountname", "blobendpoint", "usedevelopmentstorage"}:
        raise ValueError(raw)
    return raw


def redis_url(raw: str) -> str:
    if not raw.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(raw)
    return raw


def connection_string(raw: str) -> str:
    """Return a connection string of Application Insights: `InstrumentationKey=UUID;NAME=VALUE;...`."""
    parts = dict(part.split("=", 1) for part in raw.lower().strip(";").split(";"))
    UUID(parts["instrumentationkey"])
    return raw


def positive(raw: str) -> int:
    number = int(raw)
    if number < 1:
        raise ValueError(raw)
    return number


def count(raw: str) -> int:
    """Return an integer of 0 or more."""
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
    """Return a converter that accepts only the known words."""

    def choice(raw: str) -> str:
        if raw not in known:
            raise ValueError(raw)
        return raw

    choice.__name__ = f"choice: {' or '.join(known)}"
    return choice


def networks(raw: str) -> list[Network]:
    """Return networks from a comma-separated list in CIDR notation, or of single addresses."""
    return [ip_network(name) for name in names(raw)]


def rates(raw: str) -> list[str]:
    """Return rates as `100/m,1000/h`: requests per second, minute, hour or day."""
    items = names(raw)
    if not all(re.fullmatch("[1-9][0-9]*/[smhd]", item) for item in items):
        raise ValueError(raw)
    return items


def secret(raw: str) -> str:
    """Return a signing key. Raises ValueError if it is too short or not random."""
    if len(raw) < 50 or len(set(raw)) < 10 or raw.startswith("django-insecure-"):
        raise ValueError("too weak")
    return raw


def keys(raw: str) -> list[str]:
    """Return a list of one signing key that is being retired, as Django takes it."""
    return [Secret(secret(raw))]


def pem(raw: str) -> str:
    """Return text in PEM format."""
    if "-----BEGIN" not in raw:
        raise ValueError("this is no PEM")
    return raw


def pem_file(raw: str) -> str:
    """Return the text of the PEM file at this path."""
    return pem(path(raw).read_text())


def pairs(raw: str) -> dict[str, str]:
    """Return a mapping from comma-separated pairs, as `Reader=viewer,Writer=curator`."""
    return {left.strip(): right.strip() for left, right in (pair.split("=") for pair in names(raw))}
