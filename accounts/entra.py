"""Tokens of a tenant of Microsoft Entra ID, and the accounts of who they are for.

A token is good when the tenant signed it (RS256, a key that the tenant publishes), for us (`aud`), by this
tenant (`iss`, `tid`), and now. Its app roles become our roles by ENTRA_ROLES. Accounts are found by the
object id (`oid`): a name or an e-mail address can be given to somebody else.
"""

import dataclasses
import functools
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from jwt import PyJWKClient, PyJWKClientConnectionError

from accounts.models import User
from accounts.roles import ROLES
from audit import trail
from marketdata.common.errors import PermanentError, RetryableError

_LEEWAY = 60  # seconds that clocks may differ


class TokenRefused(PermanentError):
    """A token of the tenant that is not good; the text says why, and not more than that."""


class TenantUnavailable(RetryableError):
    """The tenant's keys cannot be read now: nobody can tell whether a token is good."""


@dataclasses.dataclass(frozen=True)
class EntraToken:
    """What `request.auth` is for a request with such a token."""

    claims: dict[str, Any]
    via = "entra"


def is_from_tenant(raw: str) -> bool:
    """Whether a token says that it is the tenant's: only to choose who checks it."""
    try:
        claims = jwt.decode(raw, options={"verify_signature": False})
    except jwt.PyJWTError:
        return False
    return bool(claims.get("iss") == settings.ENTRA["issuer"])


def authenticate(raw: str, *, request: Any) -> tuple[User, EntraToken]:
    """The user of an access token. Raises TokenRefused, TenantUnavailable."""
    claims = verified(raw, audience=settings.ENTRA["audience"])
    return account_of(claims, request=request), EntraToken(claims)


def verified(raw: str, *, audience: str) -> dict[str, Any]:
    """The claims of a token that is good. Raises TokenRefused, TenantUnavailable."""
    entra = settings.ENTRA
    try:
        key = _keys(entra["keys"]).get_signing_key_from_jwt(raw)
        claims: dict[str, Any] = jwt.decode(
            raw,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=entra["issuer"],
            leeway=_LEEWAY,
            options={"require": ["exp", "iat", "iss", "aud", "tid", "oid"]},
        )
    except PyJWKClientConnectionError as error:
        raise TenantUnavailable("Entra ID does not say which keys it signs with") from error
    except jwt.PyJWTError as error:
        raise TokenRefused(f"The token of Entra ID is not good ({error})") from error
    if claims["tid"] != entra["tenant"]:
        raise TokenRefused("The token is of another tenant")
    return claims


def account_of(claims: dict[str, Any], *, request: Any) -> User:
    """The account for these claims, made when it first comes, with the roles they say now.

    Nothing is written, and no writer waited for, when nothing has changed.
    """
    entra_id = f"{claims['tid']}/{claims['oid']}"
    accounts = User.objects.prefetch_related("groups").filter(entra_id=entra_id)
    user = accounts.first()
    if user is None:
        try:
            user = _new_account(entra_id, claims, request=request)
        except IntegrityError:  # another request was first
            user = accounts.get()
    if not user.is_active:
        raise TokenRefused("The account is switched off")
    _give_roles(user, claims.get("roles"), request=request)
    return user


@transaction.atomic
def _new_account(entra_id: str, claims: dict[str, Any], *, request: Any) -> User:
    """Under the name that the tenant uses, unless somebody else here has it already."""
    name = str(claims.get("preferred_username") or claims.get("azp") or claims["oid"])[:150]
    if User.objects.filter(username__iexact=name).exists():
        name = str(claims["oid"])
    user = User(username=name, entra_id=entra_id, email=str(claims.get("email", ""))[:254])
    user.set_unusable_password()
    user.save()
    trail.record("user.created", request=_around(request), actor=user.username, about=user)
    return user


def _give_roles(user: User, said: Any, *, request: Any) -> None:
    """The roles of the token and no others: the tenant is where they are given and taken."""
    known = settings.ENTRA["roles"]
    given = [role for role in said if isinstance(role, str)] if isinstance(said, list) else []
    wanted = {known[role] for role in given if role in known}
    old = user.roles
    if wanted == set(old):
        return
    groups = {group.name: group for group in Group.objects.filter(name__in=wanted)}
    if groups.keys() == set(old):  # ENTRA_ROLES names a role that there is not
        return
    with transaction.atomic():
        user.groups.set(groups.values())
        user._prefetched_objects_cache = {}  # type: ignore[attr-defined]
        user.is_staff = any(ROLES[name].staff for name in groups if name in ROLES)
        user.save(update_fields=["is_staff"])
        trail.record(
            "user.roles",
            request=_around(request),
            actor=user.username,
            about=user,
            old={"roles": old},
            new={"roles": user.roles},
        )


def _around(request: Any) -> Any:
    """Django's request in DRF's: DRF's does not know its user yet, and must not ask now."""
    return getattr(request, "_request", request)


@functools.cache
def _keys(url: str) -> PyJWKClient:
    """The tenant's keys, kept for five minutes; an unknown key id asks again, at most every 5 seconds."""
    return PyJWKClient(url, timeout=5, cooldown_duration=5)
