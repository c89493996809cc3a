"""/auth/: tokens, oneself, and one's password."""

from typing import Any, cast

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError

from accounts import lifecycle, tokens
from accounts.api.errors import as_problems
from accounts.api.serializers import (
    ChangedMeSerializer,
    CredentialsSerializer,
    MeSerializer,
    PasswordSerializer,
    RefreshSerializer,
    TokensSerializer,
)
from accounts.models import User
from audit import trail
from marketdata.api.problems import documented
from marketdata.common.access import IN_PERSON, PUBLIC, SIGNED_IN

_REFUSED = documented(
    {
        400: "A field is missing, unknown, or cannot be what it says.",
        401: "Name and password, or token, are not good.",
        403: "A key cannot do this, or you cannot from where you are.",
    }
)


class _Unasked(BaseAuthentication):
    """Nobody: an old token in the header is no hindrance to getting a new one."""

    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class _Tokens(APIView):
    """Asked by who is not signed in."""

    needs = {"POST": PUBLIC}
    authentication_classes = (_Unasked,)


class TokenView(_Tokens):
    """Sign in: a name and a password for a pair of tokens."""

    @extend_schema(
        summary="Sign in",
        request=CredentialsSerializer,
        responses={200: TokensSerializer, **_REFUSED},
    )
    def post(self, request: Request) -> Response:
        given = _valid(CredentialsSerializer, request)
        user: Any = authenticate(request._request, **given)
        if user is None:
            raise AuthenticationFailed("No account with this name and password.")
        user_logged_in.send(sender=type(user), request=request._request, user=user)
        return Response(tokens.issue(user))


class RefreshView(_Tokens):
    """The next pair of tokens; the refresh token that was sent is used up."""

    @extend_schema(
        summary="Get the next pair of tokens",
        request=RefreshSerializer,
        responses={200: TokensSerializer, **_REFUSED},
    )
    def post(self, request: Request) -> Response:
        try:
            user, pair = tokens.rotate(_valid(RefreshSerializer, request)["refresh"])
        except TokenError as error:
            trail.record("token.refused", request=request, new={"reason": str(error)})
            raise AuthenticationFailed(f"{error}: sign in again.") from error
        trail.record("token.refreshed", request=request, actor=user.username, about=user)
        return Response(pair)


class LogoutView(_Tokens):
    """End a refresh token; the access token ends by itself within 15 minutes."""

    @extend_schema(summary="Sign out", request=RefreshSerializer, responses={204: None, **_REFUSED})
    def post(self, request: Request) -> Response:
        try:
            user = tokens.end(_valid(RefreshSerializer, request)["refresh"])
        except TokenError as error:
            raise AuthenticationFailed(f"{error}.") from error
        trail.record("logout", request=request, actor=user.username, about=user)
        return Response(status=204)


class MeView(APIView):
    """Oneself: name, roles, and everything that one may do."""

    needs = {"GET": SIGNED_IN, "PATCH": IN_PERSON}

    @extend_schema(summary="Who am I?", responses={200: MeSerializer, **_REFUSED})
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(_me(request)).data)

    @extend_schema(
        summary="Change what one may change of oneself",
        request=ChangedMeSerializer,
        responses={200: MeSerializer, **_REFUSED},
    )
    def patch(self, request: Request) -> Response:
        given = _valid(ChangedMeSerializer, request)
        lifecycle.set_email(_me(request), given["email"], request=request)
        return Response(MeSerializer(_me(request)).data)


class PasswordView(APIView):
    """Change one's own password: all one's tokens end, and all sessions but this one."""

    needs = {"POST": IN_PERSON}

    @extend_schema(
        summary="Change one's own password",
        request=PasswordSerializer,
        responses={204: None, **_REFUSED},
    )
    def post(self, request: Request) -> Response:
        given = _valid(PasswordSerializer, request)
        user = _me(request)
        # Through the back ends, so that guessing is counted and locked out here too.
        known = authenticate(
            request._request, username=user.username, password=given["old_password"]
        )
        if known is None or known.pk != user.pk:
            raise ValidationError({"old_password": ["is not your password."]})
        with as_problems():
            lifecycle.set_password(user, given["new_password"], request=request)
        if request.auth is None:
            update_session_auth_hash(request._request, user)
        return Response(status=204)


def _me(request: Request) -> User:
    """Whom the rules have let through: a user, and not nobody."""
    return cast(User, request.user)


def _valid(serializer: type[Any], request: Request) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    found: dict[str, Any] = given.validated_data
    return found
