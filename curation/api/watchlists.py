"""Watch lists in the API. Users see only their own."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from curation import watching
from curation.models import WatchList
from marketdata.api.openapi import path_parameter
from marketdata.api.parameters import StrictSerializer
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.web.access import holding

_KEEP = holding("curation.keep_watchlist")
_NUMBER = path_parameter("number", "Number of a watch list", pattern="^[0-9]{1,18}$")
_CONFLICT = documented({409: "You have a list of this name, or 50 lists."})


class WatchListSerializer(serializers.Serializer[Any]):
    """A watch list."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    isins = serializers.ListField(child=serializers.CharField())
    filter = serializers.CharField(help_text="Query string of /instruments/; empty for ISINs")
    by_mail = serializers.BooleanField()
    seen_at = serializers.DateTimeField()


class WatchListBodySerializer(StrictSerializer):
    """A watch list: ISINs, or a filter."""

    name = serializers.CharField(max_length=100)
    isins = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=WatchList.MAX_ISINS,
        help_text="ISINs, or FIGIs or tickers, for which the ISINs of their instruments are kept",
    )
    filter = serializers.CharField(
        max_length=500,
        required=False,
        allow_blank=True,
        help_text="Query string of /instruments/, as category=D&currency=EUR",
    )
    by_mail = serializers.BooleanField(required=False, help_text="Mail its changes by night")


class WatchListChangeSerializer(WatchListBodySerializer):
    """The fields of a watch list that are to be changed."""

    name = serializers.CharField(max_length=100, required=False)


class ColumnDifferenceSerializer(serializers.Serializer[Any]):
    """A column that changed."""

    field = serializers.CharField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class WatchedChangeSerializer(serializers.Serializer[Any]):
    """A listing that changed, with the differences from its record before."""

    isin = serializers.CharField()
    mic = serializers.CharField()
    register = serializers.CharField()
    full_name = serializers.CharField(allow_null=True)
    kind = serializers.CharField(
        help_text="new, changed, corrected, ended, dropped, cancelled or withdrawn"
    )
    learned_at = serializers.DateTimeField()
    differences = ColumnDifferenceSerializer(many=True)


class WatchedChangesSerializer(serializers.Serializer[Any]):
    """The changes of a watch list since it was marked as seen."""

    changes = WatchedChangeSerializer(many=True)
    until = serializers.CharField(help_text="Pass it to `seen`")
    has_more = serializers.BooleanField()


class SeenSerializer(StrictSerializer):
    """The place up to which the changes were seen."""

    until = serializers.CharField(
        max_length=40, required=False, help_text="`until` of the changes. Default: all until now"
    )


class WatchListViewSet(ApiView, viewsets.GenericViewSet[WatchList]):
    """Watch lists: named lists of ISINs or saved filters, with what changed since one last looked."""

    title = "Watch lists"
    needs = dict.fromkeys(
        ("list", "create", "retrieve", "partial_update", "destroy", "changes", "seen"), _KEEP
    )
    serializer_class = WatchListSerializer
    filter_backends = ()
    lookup_field = "number"
    lookup_value_regex = "[0-9]{1,18}"

    def _get(self) -> WatchList:
        return watching.get_list(int(self.kwargs["number"]), self.request.user.get_username())

    @extend_schema(summary="List your watch lists", responses=WatchListSerializer(many=True))
    def list(self, request: Request) -> Response:
        rows = WatchList.objects.filter(owner=request.user.get_username())
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response([watching.describe_list(row) for row in page])

    @extend_schema(
        summary="Make a watch list",
        request=WatchListBodySerializer,
        responses={201: WatchListSerializer, **_CONFLICT},
    )
    def create(self, request: Request) -> Response:
        body = self.read_body(WatchListBodySerializer)
        watch_list = WatchList(owner=request.user.get_username(), **body)
        watching.save(watch_list)
        location = reverse("watchlist-detail", args=[watch_list.pk], request=request)
        data = watching.describe_list(watch_list)
        return Response(data, status=201, headers={"Location": location})

    @extend_schema(summary="Get a watch list", parameters=[_NUMBER], responses=WatchListSerializer)
    def retrieve(self, request: Request, number: str) -> Response:
        return Response(watching.describe_list(self._get()))

    @extend_schema(
        summary="Change a watch list",
        parameters=[_NUMBER],
        request=WatchListChangeSerializer,
        responses={200: WatchListSerializer, **_CONFLICT},
    )
    def partial_update(self, request: Request, number: str) -> Response:
        body = self.read_body(WatchListChangeSerializer)
        watch_list = self._get()
        for name, value in body.items():
            setattr(watch_list, name, value)
        watching.save(watch_list)
        return Response(watching.describe_list(watch_list))

    @extend_schema(summary="Delete a watch list", parameters=[_NUMBER], responses={204: None})
    def destroy(self, request: Request, number: str) -> Response:
        self._get().delete()
        return Response(status=204)

    @extend_schema(
        summary="List the changes of a watch list since it was marked as seen",
        parameters=[_NUMBER],
        responses=WatchedChangesSerializer,
    )
    @action(detail=True, pagination_class=None)
    def changes(self, request: Request, number: str) -> Response:
        read = watching.read_changes(self._get())
        return Response({"changes": read.listings, "until": read.until, "has_more": read.has_more})

    @extend_schema(
        summary="Mark the changes of a watch list as seen",
        parameters=[_NUMBER],
        request=SeenSerializer,
        responses=WatchListSerializer,
    )
    @action(detail=True, methods=["post"])
    def seen(self, request: Request, number: str) -> Response:
        body = self.read_body(SeenSerializer)
        watch_list = self._get()
        watching.mark_as_seen(watch_list, body.get("until", ""))
        return Response(watching.describe_list(watch_list))
