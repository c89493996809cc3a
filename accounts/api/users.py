"""/users/: user accounts, for admins."""

import django_filters
from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import users
from accounts.api.errors import errors_as_problems
from accounts.api.serializers import (
    NewUserSerializer,
    UserChangeSerializer,
    UserSerializer,
)
from accounts.models import User
from accounts.models.user import USERNAME_PATTERN
from marketdata.api.no_store import NoStore
from marketdata.api.openapi import path_parameter
from marketdata.api.problems import documented
from marketdata.common.filters import TrueFalseFilter
from marketdata.web.access import holding

_NAME = path_parameter(
    "username", "User name.", pattern=USERNAME_PATTERN.replace(r"\Z", "$"), maxLength=150
)
_PROBLEMS = documented(
    {
        403: "For admins only, from SENSITIVE_NETWORKS.",
        404: "There is no such user.",
    }
)


class UserFilterSet(django_filters.FilterSet):
    q = django_filters.CharFilter(
        "username", "icontains", label="Part of the user name.", max_length=150
    )
    role = django_filters.CharFilter("groups__name", label="Name of a role.", max_length=150)
    is_active = TrueFalseFilter(label="Active or inactive accounts only.")


@extend_schema_view(
    list=extend_schema(
        summary="List users", responses={200: UserSerializer(many=True), **_PROBLEMS}
    ),
    retrieve=extend_schema(
        summary="Get a user", parameters=[_NAME], responses={200: UserSerializer, **_PROBLEMS}
    ),
)
class UserViewSet(
    NoStore, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[User]
):
    """User accounts, which are deactivated but never deleted or renamed: audit events keep their meaning."""

    title = "Users"
    needs = {
        "list": holding("accounts.view_user", sensitive=True, by_key=False),
        "retrieve": holding("accounts.view_user", sensitive=True, by_key=False),
        "create": holding("accounts.add_user", sensitive=True, by_key=False),
        "partial_update": holding("accounts.change_user", sensitive=True, by_key=False),
    }
    queryset = User.objects.prefetch_related("groups").order_by("username")
    serializer_class = UserSerializer
    filterset_class = UserFilterSet
    lookup_field = "username"
    lookup_value_regex = "[^/]+"

    @extend_schema(
        summary="Create a user",
        request=NewUserSerializer,
        responses={201: UserSerializer, **_PROBLEMS},
    )
    def create(self, request: Request) -> Response:
        body = self.read_body(NewUserSerializer)
        with errors_as_problems():
            user = users.create(**body, request=request)
        return Response(UserSerializer(user).data, status=201)

    @extend_schema(
        summary="Change a user's roles, activation, e-mail address or password",
        parameters=[_NAME],
        request=UserChangeSerializer,
        responses={200: UserSerializer, **_PROBLEMS},
    )
    def partial_update(self, request: Request, username: str) -> Response:
        user = self.get_object()
        changes = self.read_body(UserChangeSerializer)
        with errors_as_problems(), transaction.atomic():
            if "roles" in changes:
                users.set_roles(user, changes["roles"], request=request)
            if "email" in changes:
                users.set_email(user, changes["email"], request=request)
            if "password" in changes:
                users.set_password(user, changes["password"], request=request)
            if "is_active" in changes:
                users.set_active(user, changes["is_active"], request=request)
        return Response(UserSerializer(user).data)
