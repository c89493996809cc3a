"""Access tokens of a Microsoft Entra ID tenant, and the accounts of the users they are issued for.

A token is valid if the tenant signed it (RS256, with a key that the tenant publishes), it was issued by this
tenant (`iss`, `tid`) for this service (`aud`), and has not expired. ENTRA_ROLES maps its app roles to roles.
Accounts are found by object id (`oid`): names and e-mail addresses can be reassigned to other people.
"""

import functools
import re
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from jwt import PyJWKClient, PyJWKClientConnectionError

from accounts.models import User
from accounts.models.user import USERNAME_PATTERN, looks_taken
from accounts.roles import ROLES
from audit import trail
from marketdata.common.errors import PermanentError, RetryableError
from marketdata.common.unchanged import remember

_CLOCK_TOLERANCE = 60  # seconds


class TokenRefused(PermanentError):
    """A token of the tenant is not valid; the message gives the reason."""


class TenantUnavailable(RetryableError):
    """The signing keys of the tenant cannot be fetched, so no token can be verified now."""


class EntraToken:
    """The value of `request.auth` for a request with an access token of the tenant."""

    via = "entra"  # the way of authentication in the audit trail


def claims_tenant(token: str) -> bool:
    """Return True if a token names the tenant as its issuer. The signature is not verified here."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return False
    return bool(claims.get("iss") == settings.ENTRA["issuer"])


def authenticate(token: str, *, request: Any, is_reading: bool = False) -> tuple[User, EntraToken]:
    """Return the user of an access token; `is_reading` is that of `tokens.user_of`.

    Raises TokenRefused, TenantUnavailable.
    """
    claims = verify(token, audience=settings.ENTRA["audience"])
    return account_for(claims, request=request, is_reading=is_reading), EntraToken()


def verify(token: str, *, audience: str) -> dict[str, Any]:
    """Return the claims of a valid token. Raises TokenRefused, TenantUnavailable."""
    entra = settings.ENTRA
    try:
        key = _signing_keys(entra["keys"]).get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=entra["issuer"],
            leeway=_CLOCK_TOLERANCE,
            options={"require": ["exp", "iat", "iss", "aud", "tid", "oid"]},
        )
    except PyJWKClientConnectionError as error:
        raise TenantUnavailable("The signing keys of Entra ID cannot be fetched") from error
    except jwt.PyJWTError as error:
        raise TokenRefused(f"The Entra ID token is not valid ({error})") from error
    if claims["tid"] != entra["tenant"]:
        raise TokenRefused("The Entra ID token is of another tenant")
    return claims


def account_for(claims: dict[str, Any], *, request: Any, is_reading: bool = False) -> User:
    """Return the account for these claims, created on first use, with the roles of the claims.

    Writes to the database only if something has changed, so that it need not wait for other writers.
    Raises TokenRefused for a deactivated account.
    """
    entra_id = f"{claims['tid']}/{claims['oid']}"
    accounts = User.objects.prefetch_related("groups").filter(entra_id=entra_id)
    if is_reading:
        known = remember(("user", entra_id), accounts.first)
        if known is not None and known.is_active and _read_roles(claims) == set(known.roles):
            return known
    user = accounts.first()
    if user is None:
        try:
            user = _create_account(entra_id, claims, request=request)
        except IntegrityError:  # a simultaneous request has created it
            user = accounts.get()
    if not user.is_active:
        raise TokenRefused("The account has been deactivated")
    _update_roles(user, _read_roles(claims), request=request)
    return user


@transaction.atomic
def _create_account(entra_id: str, claims: dict[str, Any], *, request: Any) -> User:
    """Create an account under the tenant's user name.

    It has the object id as its name if the user name is invalid here, or is taken or looks like one that is.
    """
    name = str(claims.get("preferred_username") or claims.get("azp") or "")[:150]
    taken_names = list(User.objects.values_list("username", flat=True))
    is_free = name not in taken_names and not looks_taken(name, taken_names)
    if not is_free or not re.match(USERNAME_PATTERN, name):
        name = str(claims["oid"])
    user = User(username=name, entra_id=entra_id, email=str(claims.get("email", ""))[:254])
    user.set_unusable_password()
    user.save()
    trail.record("user.created", request=_django_request(request), actor=user.username, about=user)
    return user


def _read_roles(claims: dict[str, Any]) -> set[str]:
    """Return the roles that the app roles of a token stand for."""
    app_roles = claims.get("roles")
    names = app_roles if isinstance(app_roles, list) else []
    mapping = settings.ENTRA["roles"]
    return {mapping[name] for name in names if isinstance(name, str) and name in mapping}


def _update_roles(user: User, roles: set[str], *, request: Any) -> None:
    """Give the user the roles of the token and no others, since roles are assigned in the tenant."""
    old_roles = user.roles
    if roles == set(old_roles):
        return
    groups = {group.name: group for group in Group.objects.filter(name__in=roles)}
    if groups.keys() == set(old_roles):  # ENTRA_ROLES names a role that does not exist
        return
    with transaction.atomic():
        user.groups.set(groups.values())
        user._prefetched_objects_cache = {}  # type: ignore[attr-defined]
        user.is_staff = any(ROLES[name].is_staff for name in groups if name in ROLES)
        user.save(update_fields=["is_staff"])
        trail.record(
            "user.roles",
            request=_django_request(request),
            actor=user.username,
            about=user,
            old={"roles": old_roles},
            new={"roles": user.roles},
        )


def _django_request(request: Any) -> Any:
    """Return Django's request inside a DRF request, whose user is not known during authentication."""
    return getattr(request, "_request", request)


@functools.cache
def _signing_keys(url: str) -> PyJWKClient:
    """Return a client for the tenant's signing keys.

    It keeps them for five minutes, and fetches them again for an unknown key id, at most every 5 seconds.
    """
    return PyJWKClient(url, timeout=5, cooldown_duration=5)
