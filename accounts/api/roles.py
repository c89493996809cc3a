"""/roles/, for admins."""

from django.contrib.auth.models import Group
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import own_roles
from accounts.api.errors import as_problems
from accounts.api.serializers import ChangedRoleSerializer, NewRoleSerializer, RoleSerializer
from marketdata.api.problems import documented
from marketdata.common.access import holding

_NAME = OpenApiParameter("name", str, OpenApiParameter.PATH)
_PROBLEMS = documented(
    {
        400: "A field is missing, unknown, or cannot be what it says.",
        401: "Sign in first.",
        403: "This is for admins, from the networks set for it; four roles stay as they are.",
        404: "No such role.",
    }
)


@extend_schema_view(
    list=extend_schema(
        summary="List roles", responses={200: RoleSerializer(many=True), **_PROBLEMS}
    ),
    retrieve=extend_schema(
        summary="One role", parameters=[_NAME], responses={200: RoleSerializer, **_PROBLEMS}
    ),
)
class RoleViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Group]):
    """What each role may do. Who has which one is said at the users."""

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
        summary="Make a role",
        request=NewRoleSerializer,
        responses={201: RoleSerializer, **_PROBLEMS},
    )
    def create(self, request: Request) -> Response:
        given = NewRoleSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with as_problems():
            group = own_roles.create(**given.validated_data, request=request)
        return Response(RoleSerializer(group).data, status=201)

    @extend_schema(
        summary="Change what a role may do",
        parameters=[_NAME],
        request=ChangedRoleSerializer,
        responses={200: RoleSerializer, **_PROBLEMS},
    )
    def partial_update(self, request: Request, name: str) -> Response:
        given = ChangedRoleSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with as_problems():
            own_roles.change(self.get_object(), **given.validated_data, request=request)
        return Response(RoleSerializer(self.get_object()).data)

    @extend_schema(summary="Remove a role", parameters=[_NAME], responses={204: None, **_PROBLEMS})
    def destroy(self, request: Request, name: str) -> Response:
        with as_problems():
            own_roles.delete(self.get_object(), request=request)
        return Response(status=204)
