"""/roles/: built-in and custom roles, for admins."""

from django.contrib.auth.models import Group
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import custom_roles
from accounts.api.errors import errors_as_problems
from accounts.api.serializers import NewRoleSerializer, RoleChangeSerializer, RoleSerializer
from marketdata.api.no_store import NoStore
from marketdata.api.openapi import path_parameter
from marketdata.api.problems import documented
from marketdata.web.access import holding

_NAME = path_parameter("name", "Name of the role.", pattern="^[^/]+$", maxLength=150)
_PROBLEMS = documented(
    {
        403: "For admins only, from SENSITIVE_NETWORKS. Built-in roles cannot be changed.",
        404: "There is no such role.",
    }
)


@extend_schema_view(
    list=extend_schema(
        summary="List roles", responses={200: RoleSerializer(many=True), **_PROBLEMS}
    ),
    retrieve=extend_schema(
        summary="Get a role", parameters=[_NAME], responses={200: RoleSerializer, **_PROBLEMS}
    ),
)
class RoleViewSet(
    NoStore, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Group]
):
    """Roles and their permissions. Roles are assigned to users at /users/."""

    title = "Roles"
    needs = {
        "list": holding("auth.view_group", sensitive=True, by_key=False),
        "retrieve": holding("auth.view_group", sensitive=True, by_key=False),
        "create": holding("auth.add_group", sensitive=True, by_key=False),
        "partial_update": holding("auth.change_group", sensitive=True, by_key=False),
        "destroy": holding("auth.delete_group", sensitive=True, by_key=False),
    }
    queryset = Group.objects.prefetch_related("permissions__content_type").order_by("name")
    serializer_class = RoleSerializer
    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    @extend_schema(
        summary="Create a role",
        request=NewRoleSerializer,
        responses={201: RoleSerializer, **_PROBLEMS},
    )
    def create(self, request: Request) -> Response:
        body = self.read_body(NewRoleSerializer)
        with errors_as_problems():
            group = custom_roles.create(**body, request=request)
        return Response(RoleSerializer(group).data, status=201)

    @extend_schema(
        summary="Replace the permissions of a role",
        parameters=[_NAME],
        request=RoleChangeSerializer,
        responses={200: RoleSerializer, **_PROBLEMS},
    )
    def partial_update(self, request: Request, name: str) -> Response:
        body = self.read_body(RoleChangeSerializer)
        with errors_as_problems():
            custom_roles.change(self.get_object(), **body, request=request)
        return Response(RoleSerializer(self.get_object()).data)

    @extend_schema(summary="Delete a role", parameters=[_NAME], responses={204: None, **_PROBLEMS})
    def destroy(self, request: Request, name: str) -> Response:
        with errors_as_problems():
            custom_roles.delete(self.get_object(), request=request)
        return Response(status=204)
