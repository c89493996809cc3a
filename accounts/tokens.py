"""JSON Web Tokens of this service: short-lived access tokens, and refresh tokens for a single use."""

from typing import Any

from django.db import transaction
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import datetime_from_epoch

from accounts.models import User

_SESSION_HASH = "mark"  # claim with the value of User.get_session_auth_hash


class Access(AccessToken):
    via = "token"  # as recorded in the audit trail


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


def user_of(token: Token) -> User:
    """Return the user of a token.

    Raises TokenError if the account has been deactivated or the password changed since it was issued.
    """
    key = str(token.get("sub"))
    user = User.objects.filter(pk=key, is_active=True).first() if key.isdecimal() else None
    if user is None or not user.matches_session_hash(str(token.get(_SESSION_HASH, ""))):
        raise TokenError("Token has ended")
    return user


def _use_up(refresh: Refresh) -> None:
    """Mark a refresh token as used. Of simultaneous uses, the database's unique key admits one."""
    blacklisted: Any = refresh.blacklist()
    if not blacklisted[1]:
        raise TokenError("Token has already been used")
