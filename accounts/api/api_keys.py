"""/api-keys/: the own API keys; for admins those of all users."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import api_keys
from accounts.api.errors import errors_as_problems
from accounts.api.serializers import (
    ApiKeySerializer,
    CreatedApiKeySerializer,
    NewApiKeySerializer,
)
from accounts.models import ApiKey
from marketdata.api.no_store import NoStore
from marketdata.api.openapi import path_parameter
from marketdata.api.problems import documented
from marketdata.web.access import holding

_PREFIX = path_parameter("prefix", "Prefix of the key.", pattern="^[0-9a-f]{12}$")
_PROBLEMS = documented(
    {
        403: "Not available with an API key: sign in as a user.",
        404: "There is no such API key among yours.",
    }
)


@extend_schema_view(
    list=extend_schema(
        summary="List API keys", responses={200: ApiKeySerializer(many=True), **_PROBLEMS}
    ),
    retrieve=extend_schema(
        summary="Get an API key",
        parameters=[_PREFIX],
        responses={200: ApiKeySerializer, **_PROBLEMS},
    ),
)
class ApiKeyViewSet(
    NoStore, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ApiKey]
):
    """API keys for machines, each with a part of its owner's permissions and a date of expiry."""

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
        keys = super().get_queryset()
        return keys if user.has_perm("accounts.manage_apikey") else keys.filter(owner=user.pk)

    @extend_schema(
        summary="Create an API key",
        request=NewApiKeySerializer,
        responses={
            201: CreatedApiKeySerializer,
            **_PROBLEMS,
            **documented({409: "You have as many usable API keys as are allowed."}),
        },
    )
    def create(self, request: Request) -> Response:
        body = self.read_body(NewApiKeySerializer)
        owner: Any = request.user
        with errors_as_problems():
            api_key, text = api_keys.create(owner, **body, request=request)
        return Response({**ApiKeySerializer(api_key).data, "key": text}, status=201)

    @extend_schema(
        summary="Revoke an API key", parameters=[_PREFIX], responses={204: None, **_PROBLEMS}
    )
    def destroy(self, request: Request, prefix: str) -> Response:
        api_keys.revoke(self.get_object(), request=request)
        return Response(status=204)
