"""Signing in to pages and admin by Entra ID (OpenID Connect, code flow with PKCE, by mozilla-django-oidc).

The library leads the way and keeps state, nonce and verifier; it checks neither for whom an ID token is nor
who issued it, so that is done as for access tokens.
"""

import logging
from typing import Any

import requests
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from accounts import entra
from accounts.models import User
from marketdata.common.errors import MarketDataError

log = logging.getLogger(__name__)


def _setting(name: str, *default: Any) -> Any:
    """What the library asks the settings for, drawn from the one setting ENTRA."""
    known = settings.ENTRA
    if not known.get("client"):
        raise Http404("Signing in by Entra ID is not set up here.")
    found = {
        "OIDC_RP_CLIENT_ID": known["client"],
        "OIDC_RP_CLIENT_SECRET": known["secret"],
        "OIDC_RP_SIGN_ALGO": "RS256",
        "OIDC_RP_SCOPES": "openid profile email",
        "OIDC_OP_AUTHORIZATION_ENDPOINT": f"{known['authority']}/authorize",
        "OIDC_OP_TOKEN_ENDPOINT": f"{known['authority']}/token",
        "OIDC_OP_JWKS_ENDPOINT": known["keys"],
        "OIDC_OP_USER_ENDPOINT": "",  # the ID token has all that is needed
        "OIDC_AUTHENTICATION_CALLBACK_URL": "sign-in-entra-callback",
        "OIDC_USE_PKCE": True,
        "OIDC_TIMEOUT": 10,  # seconds
        "LOGIN_REDIRECT_URL_FAILURE": f"{reverse('sign-in')}?refused=1",
    }
    return found[name] if name in found else import_from_settings(name, *default)


class Begin(OIDCAuthenticationRequestView):
    """Sends a browser to the tenant."""

    get_settings = staticmethod(_setting)


class Callback(OIDCAuthenticationCallbackView):
    """Where the tenant sends a browser back to."""

    get_settings = staticmethod(_setting)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        _setting("OIDC_RP_CLIENT_ID")
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer


class EntraBackend(OIDCAuthenticationBackend):
    """Accounts for who the tenant says has signed in."""

    get_settings = staticmethod(_setting)

    def __init__(self) -> None:
        if settings.ENTRA.get("client"):
            super().__init__()

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """None where the tenant refuses, is out of reach, or says what is not good."""
        if request is None or "nonce" not in kwargs or not settings.ENTRA.get("client"):
            return None
        try:
            user: User | None = super().authenticate(request, **kwargs)
        except (MarketDataError, requests.RequestException, SuspiciousOperation) as error:
            log.warning("Signing in by Entra ID was refused: %s", error)
            return None
        return user

    def get_user(self, user_id: int) -> User | None:
        """The library would let an account in that is switched off."""
        return User.objects.filter(pk=user_id, is_active=True).first()

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        claims = entra.verified(token, audience=settings.ENTRA["client"])
        if not kwargs.get("nonce") or claims.get("nonce") != kwargs["nonce"]:
            raise entra.TokenRefused("The ID token answers another question than ours")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        return entra.account_of(payload, request=self.request)


def configured(request: HttpRequest) -> dict[str, bool]:
    """For templates: whether there is a tenant to sign in with."""
    return {"entra": bool(settings.ENTRA.get("client"))}
