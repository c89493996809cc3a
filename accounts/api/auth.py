"""/auth/: tokens, the own account, and the own password."""

from typing import Any, cast

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import TokenError

from accounts import mail_addresses, tokens, users
from accounts.api.errors import errors_as_problems
from accounts.api.serializers import (
    CredentialsSerializer,
    OwnAccountChangeSerializer,
    OwnAccountSerializer,
    PasswordSerializer,
    RefreshSerializer,
    TokensSerializer,
)
from accounts.models import User
from accounts.sign_in_limits import confirm_password
from audit import trail
from marketdata.api.no_store import NoStore
from marketdata.api.problems import documented
from marketdata.web.access import IN_PERSON, PUBLIC, SIGNED_IN

_PROBLEMS = documented(
    {
        401: "Invalid credentials or token.",
        403: "Not available with an API key, or not from this network.",
    }
)


class _IgnoreCredentials(BaseAuthentication):
    """Authenticate nobody, so that an expired token in the header does not prevent signing in."""

    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class _TokenEndpoint(NoStore):
    """Base of the endpoints for clients that have no valid access token."""

    needs = {"POST": PUBLIC}
    authentication_classes = (_IgnoreCredentials,)


class TokenView(_TokenEndpoint):
    """Exchange a user name and password for a pair of tokens."""

    @extend_schema(
        summary="Sign in",
        request=CredentialsSerializer,
        responses={200: TokensSerializer, **_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        credentials = self.read_body(CredentialsSerializer)
        user: Any = authenticate(request._request, **credentials)
        if user is None:
            raise AuthenticationFailed("Invalid user name or password.")
        user_logged_in.send(sender=type(user), request=request._request, user=user)
        return Response(tokens.issue(user))


class RefreshView(_TokenEndpoint):
    """Exchange a refresh token, which can be used once, for a new pair of tokens."""

    @extend_schema(
        summary="Refresh tokens",
        request=RefreshSerializer,
        responses={200: TokensSerializer, **_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        try:
            user, token_pair = tokens.rotate(self.read_body(RefreshSerializer)["refresh"])
        except TokenError as error:
            trail.record("token.refused", request=request, new={"reason": str(error)})
            raise AuthenticationFailed(f"{error}: sign in again.") from error
        trail.record("token.refreshed", request=request, actor=user.username, about=user)
        return Response(token_pair)


class LogoutView(_TokenEndpoint):
    """End a refresh token. The access token expires by itself within 15 minutes."""

    @extend_schema(
        summary="Sign out", request=RefreshSerializer, responses={204: None, **_PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        try:
            user = tokens.end(self.read_body(RefreshSerializer)["refresh"])
        except TokenError as error:
            raise AuthenticationFailed(f"{error}.") from error
        trail.record("logout", request=request, actor=user.username, about=user)
        return Response(status=204)


class OwnAccountView(NoStore):
    """The own account, with roles and permissions."""

    needs = {"GET": SIGNED_IN, "PATCH": IN_PERSON}

    @extend_schema(
        summary="Get the own account", responses={200: OwnAccountSerializer, **_PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        return Response(OwnAccountSerializer(_user(request)).data)

    @extend_schema(
        summary="Change the own account",
        description="A link is sent to a new mail address, which is used once it is confirmed by this link,"
        " within a day; until then the answer has the old one. An empty address is set at once.",
        request=OwnAccountChangeSerializer,
        responses={
            200: OwnAccountSerializer,
            **_PROBLEMS,
            **documented({409: "Too many links were sent to you within a day."}),
        },
    )
    def patch(self, request: Request) -> Response:
        changes = self.read_body(OwnAccountChangeSerializer)
        mail_addresses.ask(_user(request), changes["email"], request=request)
        return Response(OwnAccountSerializer(_user(request)).data)


class PasswordView(NoStore):
    """Change the own password, which ends all tokens and all other sessions of the user."""

    needs = {"POST": IN_PERSON}

    @extend_schema(
        summary="Change the own password",
        request=PasswordSerializer,
        responses={204: None, **_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        passwords = self.read_body(PasswordSerializer)
        user = _user(request)
        if not confirm_password(request._request, user, passwords["old_password"]):
            raise ValidationError({"old_password": ["This is not your password."]})
        with errors_as_problems():
            users.set_password(user, passwords["new_password"], request=request)
        if request.auth is None:
            update_session_auth_hash(request._request, user)
        return Response(status=204)


def _user(request: Request) -> User:
    """Return the user, who is not anonymous because the access rules have been checked."""
    return cast(User, request.user)
