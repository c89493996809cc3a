"""/users/, for admins."""

from typing import Any

import django_filters
from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import lifecycle
from accounts.api.errors import as_problems
from accounts.api.serializers import (
    ChangedUserSerializer,
    NewUserSerializer,
    UserSerializer,
)
from accounts.models import User
from marketdata.api.problems import documented
from marketdata.common.access import holding

_NAME = OpenApiParameter("username", str, OpenApiParameter.PATH)
_PROBLEMS = documented(
    {
        400: "A field is missing, unknown, or cannot be what it says.",
        401: "Sign in first.",
        403: "This is for admins, from the networks set for it.",
        404: "No such user.",
    }
)


class UserFilterSet(django_filters.FilterSet):
    q = django_filters.CharFilter("username", "icontains", label="part of the name", max_length=150)
    role = django_filters.CharFilter("groups__name", label="name of a role", max_length=150)
    is_active = django_filters.BooleanFilter(label="whether the account is on")


@extend_schema_view(
    list=extend_schema(
        summary="List users", responses={200: UserSerializer(many=True), **_PROBLEMS}
    ),
    retrieve=extend_schema(
        summary="One user", parameters=[_NAME], responses={200: UserSerializer, **_PROBLEMS}
    ),
)
class UserViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[User]):
    """Accounts. They are switched off, and not deleted: what they did keeps its name."""

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
        summary="Make a user",
        request=NewUserSerializer,
        responses={201: UserSerializer, **_PROBLEMS},
    )
    def create(self, request: Request) -> Response:
        given = NewUserSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with as_problems():
            user = lifecycle.create(**given.validated_data, request=request)
        return Response(UserSerializer(user).data, status=201)

    @extend_schema(
        summary="Change roles, activation, e-mail or password of a user",
        parameters=[_NAME],
        request=ChangedUserSerializer,
        responses={200: UserSerializer, **_PROBLEMS},
    )
    def partial_update(self, request: Request, username: str) -> Response:
        user = self.get_object()
        given = ChangedUserSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        change: dict[str, Any] = given.validated_data
        with as_problems(), transaction.atomic():
            if "roles" in change:
                lifecycle.set_roles(user, change["roles"], request=request)
            if "email" in change:
                lifecycle.set_email(user, change["email"], request=request)
            if "password" in change:
                lifecycle.set_password(user, change["password"], request=request)
            if "is_active" in change:
                lifecycle.set_active(user, change["is_active"], request=request)
        return Response(UserSerializer(user).data)
