"""The API's own tokens: a short one to ask with, and a longer one, good for one use, to get the next."""

from typing import Any

from django.db import transaction
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import datetime_from_epoch

from accounts.models import User

_MARK = "mark"  # see User.get_session_auth_hash


class Access(AccessToken):
    via = "token"  # as the audit trail says


class Refresh(RefreshToken):
    access_token_class = Access

    @classmethod
    def for_user(cls, user: User) -> "Refresh":  # type: ignore[override]
        """A new token. Its id is kept, to tell it once it is used up, and not the token itself."""
        token = cls()
        token["sub"] = str(user.pk)
        token[_MARK] = user.get_session_auth_hash()
        OutstandingToken.objects.create(
            user=user,
            jti=token["jti"],
            token="",
            created_at=token.current_time,
            expires_at=datetime_from_epoch(token["exp"]),
        )
        return token


def issue(user: User) -> dict[str, str]:
    """A pair of tokens for who has shown to be this user."""
    refresh = Refresh.for_user(user)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


@transaction.atomic
def rotate(raw: str) -> tuple[User, dict[str, str]]:
    """The next pair for a refresh token, which is thereby used up. Raises TokenError."""
    refresh = Refresh(raw)  # type: ignore[arg-type]  # simplejwt's types are wrong here
    user = user_of(refresh)
    _use_up(refresh)
    return user, issue(user)


@transaction.atomic
def end(raw: str) -> User:
    """Use a refresh token up without a next one. Raises TokenError."""
    refresh = Refresh(raw)  # type: ignore[arg-type]
    user = user_of(refresh)
    _use_up(refresh)
    return user


def user_of(token: Token) -> User:
    """Whose token this is. Raises TokenError where it has ended with its user's password or account."""
    key = str(token.get("sub"))
    user = User.objects.filter(pk=key, is_active=True).first() if key.isdecimal() else None
    if user is None or not user.carries_mark(str(token.get(_MARK, ""))):
        raise TokenError("Token has ended")
    return user


def _use_up(refresh: Refresh) -> None:
    """Of two that use one token at the same time, the database lets one through."""
    found: Any = refresh.blacklist()
    if not found[1]:
        raise TokenError("Token is used up")
