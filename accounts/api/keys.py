"""/api-keys/: one's own, and for admins everybody's."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import keys
from accounts.api.errors import as_problems
from accounts.api.serializers import ApiKeySerializer, MadeApiKeySerializer, NewApiKeySerializer
from accounts.models import ApiKey
from marketdata.api.problems import documented
from marketdata.common.access import holding

_PREFIX = OpenApiParameter("prefix", str, OpenApiParameter.PATH)
_PROBLEMS = documented(
    {
        400: "A field is missing, unknown, or cannot be what it says.",
        401: "Sign in first.",
        403: "This is for people, and not for keys.",
        404: "You have no such key.",
    }
)


@extend_schema_view(
    list=extend_schema(
        summary="List one's API keys", responses={200: ApiKeySerializer(many=True), **_PROBLEMS}
    ),
    retrieve=extend_schema(
        summary="One API key", parameters=[_PREFIX], responses={200: ApiKeySerializer, **_PROBLEMS}
    ),
)
class ApiKeyViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ApiKey]
):
    """Keys for machines: each a part of what its owner may do, until a day."""

    title = "API keys"
    needs = {
        "list": holding("accounts.view_apikey", by_key=False),
        "retrieve": holding("accounts.view_apikey", by_key=False),
        "create": holding("accounts.add_apikey", by_key=False),
        "destroy": holding("accounts.change_apikey", by_key=False),
    }
    queryset = ApiKey.objects.select_related("owner").prefetch_related("permissions__content_type")
    serializer_class = ApiKeySerializer
    lookup_field = "prefix"
    lookup_value_regex = "[^/]+"
    filter_backends = ()

    def get_queryset(self) -> QuerySet[ApiKey]:
        user: Any = self.request.user
        found = super().get_queryset()
        return found if user.has_perm("accounts.manage_apikey") else found.filter(owner=user.pk)

    @extend_schema(
        summary="Make an API key",
        request=NewApiKeySerializer,
        responses={201: MadeApiKeySerializer, **_PROBLEMS},
    )
    def create(self, request: Request) -> Response:
        given = NewApiKeySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        owner: Any = request.user
        with as_problems():
            key, text = keys.create(owner, **given.validated_data, request=request)
        return Response({**ApiKeySerializer(key).data, "key": text}, status=201)

    @extend_schema(
        summary="Revoke an API key", parameters=[_PREFIX], responses={204: None, **_PROBLEMS}
    )
    def destroy(self, request: Request, prefix: str) -> Response:
        keys.revoke(self.get_object(), request=request)
        return Response(status=204)
