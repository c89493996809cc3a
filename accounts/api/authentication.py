"""Who asks, by what the request carries: a token, a key, or (DRF's own) a session."""

import re
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import APIException, AuthenticationFailed, ParseError
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import entra, keys, tokens
from accounts.models import ApiKey, User
from accounts.models.api_key import PATTERN

_IN_ADDRESS = ("api_key", "apikey", "api-key", "key", "token", "access_token")


class Unavailable(APIException):
    status_code = 503


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer ...` with an access token of ours, or of the tenant of Entra ID."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        raw = _credentials(request, "bearer")
        if raw is None:
            return None
        try:
            if settings.ENTRA and entra.is_from_tenant(raw):
                return entra.authenticate(raw, request=request)
            token = tokens.Access(raw)  # type: ignore[arg-type]
            return tokens.user_of(token), token
        except (TokenError, entra.TokenRefused) as error:
            raise AuthenticationFailed(f"{error}: sign in again.") from error
        except entra.TenantUnavailable as error:
            raise Unavailable(f"{error}: try again later.") from error

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key ...`; a key in the address is refused, as addresses are logged."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        for name, value in request.query_params.items():
            if name.lower() in _IN_ADDRESS or re.search(PATTERN, str(value)):
                raise ParseError(
                    "A key or token in an address ends up in logs: send it in the header"
                    " Authorization, and revoke this one."
                )
        text = _credentials(request, "api-key")
        if text is None:
            return None
        key = keys.find(text)
        if key is None:
            raise AuthenticationFailed("There is no such key, or it has expired or been revoked.")
        key.note_use()
        return key.owner, key


def _credentials(request: Request, scheme: str) -> str | None:
    """What follows the scheme in the header; None where the header has another one, or is absent."""
    parts = get_authorization_header(request).split()
    if not parts or parts[0].lower() != scheme.encode():
        return None
    if len(parts) != 2:
        raise AuthenticationFailed(f"Authorization: {scheme.title()} takes one word after it.")
    return parts[1].decode("latin-1")


class _BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token of /api/v1/auth/token/, or of Entra ID where configured.",
        }


class _KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key ` and a key of /api/v1/api-keys/.",
        }
