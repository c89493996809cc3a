"""Sign in to pages and the admin with Microsoft Entra ID (OpenID Connect, code flow with PKCE).

mozilla-django-oidc redirects the browser and keeps state, nonce and code verifier. It checks neither the
audience nor the issuer of an ID token, so accounts.entra verifies the token as it does access tokens.
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


def _oidc_setting(name: str, *default: Any) -> Any:
    """Return a setting of mozilla-django-oidc, derived from our setting ENTRA."""
    tenant = settings.ENTRA
    if not tenant.get("client"):
        raise Http404("Signing in with Entra ID is not configured.")
    oidc_settings = {
        "OIDC_RP_CLIENT_ID": tenant["client"],
        "OIDC_RP_CLIENT_SECRET": tenant["secret"],
        "OIDC_RP_SIGN_ALGO": "RS256",
        "OIDC_RP_SCOPES": "openid profile email",
        "OIDC_OP_AUTHORIZATION_ENDPOINT": f"{tenant['authority']}/authorize",
        "OIDC_OP_TOKEN_ENDPOINT": f"{tenant['authority']}/token",
        "OIDC_OP_JWKS_ENDPOINT": tenant["keys"],
        "OIDC_OP_USER_ENDPOINT": "",  # unused: the ID token has all claims that are needed
        "OIDC_AUTHENTICATION_CALLBACK_URL": "sign-in-entra-callback",
        "OIDC_USE_PKCE": True,
        "OIDC_TIMEOUT": 10,  # seconds
        "LOGIN_REDIRECT_URL_FAILURE": f"{reverse('sign-in')}?refused=1",
    }
    if name in oidc_settings:
        return oidc_settings[name]
    return import_from_settings(name, *default)


class EntraSignInView(OIDCAuthenticationRequestView):
    """Redirect the browser to the tenant."""

    get_settings = staticmethod(_oidc_setting)


class EntraCallbackView(OIDCAuthenticationCallbackView):
    """Receive the browser when it comes back from the tenant."""

    get_settings = staticmethod(_oidc_setting)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        _oidc_setting("OIDC_RP_CLIENT_ID")  # 404 if Entra ID is not configured
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class EntraBackend(OIDCAuthenticationBackend):
    """Authentication backend for users who have signed in at the tenant."""

    get_settings = staticmethod(_oidc_setting)

    def __init__(self) -> None:
        if settings.ENTRA.get("client"):
            super().__init__()

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """Return the user, None if the tenant refuses, cannot be reached, or sends an invalid token."""
        if request is None or "nonce" not in kwargs or not settings.ENTRA.get("client"):
            return None
        try:
            user: User | None = super().authenticate(request, **kwargs)
        except (MarketDataError, requests.RequestException, SuspiciousOperation) as error:
            log.warning("Sign-in with Entra ID was refused: %s", error)
            return None
        return user

    def get_user(self, user_id: int) -> User | None:
        """Return an active user. The library's own method would return inactive ones too."""
        return User.objects.filter(pk=user_id, is_active=True).first()

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        claims = entra.verify(token, audience=settings.ENTRA["client"])
        if not kwargs.get("nonce") or claims.get("nonce") != kwargs["nonce"]:
            raise entra.TokenRefused("The nonce of the ID token is not that of our request")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        return entra.account_for(payload, request=self.request)


def has_entra_sign_in(request: HttpRequest) -> dict[str, bool]:
    """Context processor: tell templates whether signing in with Entra ID is configured."""
    return {"has_entra_sign_in": bool(settings.ENTRA.get("client"))}
