"""Authentication of API requests by access token or API key. DRF's own class handles sessions."""

import re
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import api_keys, entra, tokens
from accounts.models import ApiKey, User
from marketdata.settings.masking import KEY_PATTERN


class ServiceUnavailable(APIException):
    status_code = 503


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`, with an access token of this service or of Entra ID."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        text = _credentials(request, "bearer")
        if text is None:
            return None
        if re.fullmatch(KEY_PATTERN, text):
            raise AuthenticationFailed(
                "This is an API key: send it as Authorization: Api-Key <key>."
            )
        is_reading = request.method in SAFE_METHODS
        try:
            if settings.ENTRA and entra.claims_tenant(text):
                return entra.authenticate(text, request=request, is_reading=is_reading)
            token = tokens.read_access(text)
            return tokens.user_of(token, is_reading=is_reading), token
        except (TokenError, entra.TokenRefused) as error:
            raise AuthenticationFailed(f"{error}: sign in again.") from error
        except entra.TenantUnavailable as error:
            raise ServiceUnavailable(f"{error}: try again later.") from error

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>`."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        text = _credentials(request, "api-key")
        if text is None:
            return None
        api_key = api_keys.authenticate(text)
        if api_key is None:
            raise AuthenticationFailed("This API key does not exist, has expired or was revoked.")
        api_key.record_use()
        return api_key.owner, api_key


def _credentials(request: Request, scheme: str) -> str | None:
    """Return the credentials of the header Authorization, None if it is absent or has another scheme."""
    parts = request.META.get("HTTP_AUTHORIZATION", "").split()
    if not parts or parts[0].lower() != scheme:
        return None
    if len(parts) != 2:
        raise AuthenticationFailed(
            f"Invalid header Authorization: expected one word after {scheme.title()}."
        )
    return str(parts[1])


class _BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token from /api/v1/auth/token/, or from Entra ID if configured.",
        }


class _ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key <key>`, with an API key from /api/v1/api-keys/.",
        }
