"""Masks what no log, error page or export may show: secrets of the service, and credentials of its users."""

import re

# Text of an API key: prefix and secret.
KEY_PATTERN = r"md_([0-9a-f]{12})_([A-Za-z0-9_-]{43})"
_JWT_PATTERN = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
CREDENTIAL = re.compile(f"{KEY_PATTERN}|{_JWT_PATTERN}")
_CREDENTIAL_MASK = "[masked]"

# The values of all secrets that this process has read.
_secret_values: set[str] = set()
_SECRET_MASK = "********"  # noqa: S105
_SHORTEST_MASKED = 8  # characters; a shorter value would hide ordinary words


class Secret(str):
    """Text that is not shown: its representation, as in `diffsettings` and error pages, is masked."""

    __slots__ = ()

    def __new__(cls, value: str) -> "Secret":
        if len(value) >= _SHORTEST_MASKED:
            _secret_values.add(str(value))
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"'{_SECRET_MASK}'"


def mask_credentials(text: str) -> str:
    """Return the text with [masked] in place of the secrets of API keys and of tokens."""
    return CREDENTIAL.sub(
        lambda m: f"md_{m[1]}_{_CREDENTIAL_MASK}" if m[1] else _CREDENTIAL_MASK, text
    )


def mask(text: str) -> str:
    """Return the text without secrets of the service and without credentials of its users."""
    for value in _secret_values:
        text = text.replace(value, _SECRET_MASK)
    return mask_credentials(text)
