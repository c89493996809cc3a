"""The changes feed over HTTP."""

from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from instruments.listings import changes
from instruments.listings.api.serializers import RecordSerializer
from instruments.models import Listing
from marketdata.api.parameters import StrictSerializer
from marketdata.api.problems import documented
from marketdata.common.access import reading

_USUAL, MOST = 100, 1000
_PROBLEMS = documented(
    {
        400: "Invalid parameter, or the cursor is from another database.",
    }
)


class AskedSerializer(StrictSerializer):
    """What the feed can be asked."""

    since = serializers.CharField(
        required=False,
        max_length=100,
        help_text="a cursor, or a date or date-time: the first change then or after it; from the"
        " beginning, if left out",
    )
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST, default=_USUAL, help_text="changes at most"
    )
    expand = serializers.ChoiceField(
        ["record"], required=False, help_text="record: with every field of the listing"
    )
    format = serializers.CharField(required=False, help_text="of the answer")


class ListingChangeSerializer(serializers.ModelSerializer[Listing]):
    """A listing at the place where it was last written."""

    cursor = serializers.SerializerMethodField(help_text="to go on behind this one")
    what = serializers.SerializerMethodField(
        help_text="what the last change made of it; new: nothing else has been said of it so far"
    )
    learned_at = serializers.DateTimeField(source="change.made_at")
    source_file = serializers.CharField(source="source_file.name")
    record = RecordSerializer(source="*", allow_null=True, help_text="null unless asked for")

    class Meta:
        model = Listing
        fields = (
            "cursor",
            "what",
            "learned_at",
            "isin",
            "mic",
            "register",
            "status",
            "valid_from",
            "source_file",
            "source_position",
            "record",
        )
        read_only_fields = fields

    def get_cursor(self, listing: Listing) -> str:
        return str(changes.cursor_of(listing, self.context["database"]))

    @extend_schema_field(serializers.ChoiceField(choices=changes.KINDS))
    def get_what(self, listing: Listing) -> str:
        return changes.what(listing)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if not self.context.get("whole", True):
            del fields["record"]
        return fields

    def to_representation(self, instance: Listing) -> Any:
        return {**super().to_representation(instance), **self._without}

    @cached_property
    def _without(self) -> dict[str, None]:
        return {} if "record" in self.fields else {"record": None}


class PlaceSerializer(serializers.Serializer[Any]):
    """Where a page of the feed ends."""

    limit = serializers.IntegerField()
    more = serializers.BooleanField(help_text="whether there is more by now")
    cursor = serializers.CharField(help_text="to go on with, now or at any time later")
    next = serializers.CharField(help_text="the address to go on with")


class FeedSerializer(serializers.Serializer[Any]):
    """A page of the feed."""

    results = ListingChangeSerializer(many=True)
    pagination = PlaceSerializer()


def page(since: str | None, limit: int, *, whole: bool) -> tuple[Any, changes.Cursor, bool]:
    """Changes as shown, the place behind them, and whether there are more. Raises BadCursor."""
    place = changes.beginning() if since is None else changes.since(since)
    found = changes.after(place, limit + 1, whole=whole)
    listings, more = found[:limit], len(found) > limit
    context = {"database": place.database, "whole": whole}
    if listings:
        place = changes.cursor_of(listings[-1], place.database)
    return ListingChangeSerializer(listings, many=True, context=context).data, place, more


class ChangesView(APIView):
    """What has changed in the listings since a cursor or a time, for clients who mirror them.

    Keep the last that is said of each (isin, mic, register), and the cursor. Each listing is in the
    feed once, where it last changed, in the order in which this database learned of it.
    """

    name = "Changes"
    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(
        operation_id="instruments_changes",
        summary="Changes of listings, in the order in which they became known",
        parameters=[
            OpenApiParameter(
                "since", str, description=str(AskedSerializer().fields["since"].help_text)
            ),
            OpenApiParameter("limit", int, description=f"changes at most: {_USUAL}, up to {MOST}"),
            OpenApiParameter("expand", str, enum=["record"], description="with every field"),
        ],
        responses={200: FeedSerializer, **_PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        asked = AskedSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        try:
            found, place, more = page(
                wanted.get("since"), wanted["limit"], whole="expand" in wanted
            )
        except changes.BadCursor as problem:
            raise exceptions.ValidationError({"since": [f"{problem}."]}) from None
        address = replace_query_param(request.build_absolute_uri(), "since", str(place))
        pagination = {"limit": wanted["limit"], "more": more, "cursor": str(place), "next": address}
        return Response({"results": found, "pagination": pagination})
