"""Limits on attempts to sign in with a user name and a password.

Django asks the authentication backends in this order. The first three can refuse an attempt; only the last
checks the password.

1. `NetworkLimitBackend`: attempts from one network.
2. `accounts.lockout.LockoutBackend`: lock-out of a user name at a network after wrong passwords.
3. `NameLimitBackend`: attempts with one user name. It counts only attempts that were not refused before, so
   an attacker at one address cannot use up the attempts of the owner, who is elsewhere.
4. Django's ModelBackend.

A refused attempt is no guess: the password is not checked. The request has the reason in `sign_in_refusal`:
"limit" or "lockout". Attempts during a lock-out extend it.
"""

import unicodedata
from typing import Any

from django.contrib.auth import authenticate
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.models import KnownNetwork, User
from marketdata.web import limits
from marketdata.web.address import client_network


def canonical_name(username: str) -> str:
    """Return the form of a user name that attempts are counted under: variants of a name count as one."""
    return unicodedata.normalize("NFKC", username).casefold()


class NetworkLimitBackend:
    """Refuse attempts beyond the limit `login`, counted by network."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> None:
        if request is None or username is None:
            return
        usage = limits.count(request, "login")
        limits.keep(request, usage)
        if usage is not None and usage.is_exceeded:
            raise refuse(request, "limit")


class NameLimitBackend:
    """Refuse attempts beyond the limits `pair` (by user name and network) and `name` (by user name).

    `pair` allows as many failures as a lock-out. It is counted before the password is checked, so that
    simultaneous attempts cannot exceed it; successful ones are subtracted afterwards. When `name` is used up,
    a network that the user has signed in from can still use `name_reserve`.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> None:
        if request is None or username is None:
            return
        pair = _pair(username, client_network(request))
        attempts = limits.count(request, "pair", client=pair)
        successes = limits.count(request, "pair_success", client=pair, increment=False)
        if attempts and successes and attempts.used - successes.used > attempts.limit:
            limits.keep(request, attempts)
            raise refuse(request, "limit")
        name = canonical_name(username)
        usage = limits.count(request, "name", client=name)
        if usage is None:
            return
        if usage.is_exceeded and KnownNetwork.objects.is_known(username, client_network(request)):
            usage = limits.count(request, "name_reserve", client=name) or usage
        limits.keep(request, usage)
        if usage.is_exceeded:
            raise refuse(request, "limit")


def refuse(request: HttpRequest, reason: str) -> PermissionDenied:
    """Return the exception upon which Django asks no other backend, with the reason kept on the request."""
    request.sign_in_refusal = reason  # type: ignore[attr-defined]
    return PermissionDenied()


def record_success(request: HttpRequest, username: str) -> None:
    """Subtract the attempt of this request from the count of failures."""
    pair = _pair(username, client_network(request))
    limits.count(request, "pair_success", client=pair)


def forgive(username: str, network: str) -> None:
    """Reset the count of failures of a user name at a network."""
    request = HttpRequest()
    pair = _pair(username, network)
    attempts = limits.count(request, "pair", client=pair, increment=False)
    successes = limits.count(request, "pair_success", client=pair, increment=False)
    if attempts and successes:
        for _ in range(attempts.used - successes.used):
            limits.count(request, "pair_success", client=pair)


def confirm_password(request: HttpRequest, user: User, password: str) -> bool:
    """Return True if this is the user's password. Guesses are limited and locked out as in signing in."""
    request.confirms_password = True  # type: ignore[attr-defined]
    username = user.get_username()
    confirmed = authenticate(request, username=username, password=password)
    if confirmed is None or confirmed.pk != user.pk:
        return False
    record_success(request, username)
    return True


def _pair(username: str, network: str) -> str:
    return f"{network} {canonical_name(username)}"
