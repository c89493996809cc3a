"""JSON Web Tokens of this service: short-lived access tokens, and refresh tokens for a single use."""

import functools
import time
from typing import Any

from django.db import transaction
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import datetime_from_epoch

from accounts.models import User
from marketdata.common.unchanged import remember

_VERIFIED = 1_000  # access tokens that a process remembers
_SESSION_HASH = "mark"  # claim with the value of User.get_session_auth_hash


class Access(AccessToken):
    via = "token"  # as recorded in the audit trail


def read_access(text: str) -> Access:
    """Return a valid access token. Raises TokenError.

    Its signature is verified once, and its end compared with the time whenever it is used.
    """
    token = _verify(text)
    return token if token["exp"] > time.time() else Access(text)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=_VERIFIED)
def _verify(text: str) -> Access:
    return Access(text)  # type: ignore[arg-type]  # simplejwt's types are wrong here


class Refresh(RefreshToken):
    access_token_class = Access

    @classmethod
    def for_user(cls, user: User) -> "Refresh":  # type: ignore[override]
        """Return a new token. Its id is stored, to recognize it when it has been used, but not its text."""
        token = cls()
        token["sub"] = str(user.pk)
        token[_SESSION_HASH] = user.get_session_auth_hash()
        OutstandingToken.objects.create(
            user=user,
            jti=token["jti"],
            token="",
            created_at=token.current_time,
            expires_at=datetime_from_epoch(token["exp"]),
        )
        return token


def issue(user: User) -> dict[str, str]:
    """Return a new pair of tokens for an authenticated user."""
    refresh = Refresh.for_user(user)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


@transaction.atomic
def rotate(text: str) -> tuple[User, dict[str, str]]:
    """Exchange a refresh token for a new pair of tokens. Raises TokenError."""
    refresh = Refresh(text)  # type: ignore[arg-type]  # simplejwt's types are wrong here
    user = user_of(refresh)
    _use_up(refresh)
    return user, issue(user)


@transaction.atomic
def end(text: str) -> User:
    """End a refresh token without issuing new ones. Raises TokenError."""
    refresh = Refresh(text)  # type: ignore[arg-type]
    user = user_of(refresh)
    _use_up(refresh)
    return user


def user_of(token: Token, *, is_reading: bool = False) -> User:
    """Return the user of a token.

    `is_reading` says that the request changes no user: then one that was read before is as good as long as
    nothing in the database has changed, with the permissions that are known of it.

    Raises TokenError if the account has been deactivated or the password changed since it was issued.
    """
    key = str(token.get("sub"))
    user = remember(("user", key), lambda: _read_active(key)) if is_reading else _read_active(key)
    if user is None or not user.matches_session_hash(str(token.get(_SESSION_HASH, ""))):
        raise TokenError("Token has ended")
    return user


def _read_active(key: str) -> User | None:
    return User.objects.filter(pk=key, is_active=True).first() if key.isdecimal() else None


def _use_up(refresh: Refresh) -> None:
    """Mark a refresh token as used. Of simultaneous uses, the database's unique key admits one."""
    blacklisted: Any = refresh.blacklist()
    if not blacklisted[1]:
        raise TokenError("Token has already been used")
