"""The changes feed."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from instruments.listings import changes
from instruments.listings.api.serializers import CorrectionInUseSerializer, RecordSerializer
from instruments.models import Listing
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class ChangesQuerySerializer(QuerySerializer):
    """The part of the feed, and its form."""

    since = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="A cursor, or a date or date-time: the first change at that time or later. Default:"
        " from the beginning",
    )
    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=changes.MAX_LIMIT,
        default=changes.DEFAULT_LIMIT,
        help_text=f"Maximum number of changes; {changes.MAX_RECORDS} with expand=record",
    )
    expand = AnyCaseChoiceField(
        ["record"], required=False, help_text="record: add every published field of the listing"
    )

    def validate_since(self, value: str) -> str:
        """Refuse an empty cursor: it would read the whole feed again."""
        if not value:
            raise serializers.ValidationError("This field may not be blank.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "expand" in attrs and attrs["limit"] > changes.MAX_RECORDS:
            message = f"At most {changes.MAX_RECORDS} with expand=record."
            raise serializers.ValidationError({"limit": [message]})
        return attrs


class ListingChangeSerializer(serializers.ModelSerializer[Listing]):
    """A listing at its last change."""

    cursor = serializers.CharField(help_text="Cursor to continue after this change")
    kind = serializers.ChoiceField(
        choices=changes.KINDS,
        help_text="The effect of the last change; new if the listing has no earlier record, corrected if"
        " a correction was applied or lifted, withdrawn if no file publishes the listing any more: delete it",
    )
    learned_at = serializers.DateTimeField(help_text="Time at which this database learned of it")
    source_file = serializers.CharField(help_text="File in which the record was first published")
    corrections = CorrectionInUseSerializer(
        many=True, help_text="Corrections of the listing; its record is as published"
    )
    record = RecordSerializer(
        allow_null=True, help_text="null without expand=record, and for a withdrawn listing"
    )

    class Meta:
        model = Listing
        fields = (
            "cursor",
            "kind",
            "learned_at",
            "isin",
            "mic",
            "register",
            "status",
            "valid_from",
            "source_file",
            "source_position",
            "corrections",
            "record",
        )
        read_only_fields = fields


class PlaceSerializer(serializers.Serializer[Any]):
    """The end of a page of the feed."""

    limit = serializers.IntegerField()
    more = serializers.BooleanField(help_text="True if there are more changes now")
    cursor = serializers.CharField(help_text="Cursor to continue with, now or at any later time")
    next = serializers.CharField(help_text="Address of the next page")


class FeedSerializer(serializers.Serializer[Any]):
    """A page of the feed."""

    results = ListingChangeSerializer(many=True)
    pagination = PlaceSerializer()


class ChangesView(ApiView):
    """Changes of listings since a cursor or a time, for clients that mirror the listings.

    Keep the last item for each (isin, mic, register), and the cursor. Each listing is in the feed once,
    at its last change, in the order in which this database learned of the changes. Delete a listing whose
    kind is withdrawn: its only file was published again without it, or its interrupted load was undone. Its
    other values are as they were last.
    """

    name = "Changes"
    needs = {"GET": reading("instruments.view_instrument")}
    query_serializers = {"GET": ChangesQuerySerializer}

    @extend_schema(
        operation_id="instruments_changes",
        summary="List changes of listings, in the order in which they became known",
        responses={200: FeedSerializer},
    )
    def get(self, request: Request) -> Response:
        query = self.query
        limit = query["limit"]
        page = changes.read_page(query.get("since"), limit, with_record="expand" in query)
        address = replace_query_param(request.build_absolute_uri(), "since", str(page.cursor))
        pagination = {
            "limit": limit,
            "more": page.has_more,
            "cursor": str(page.cursor),
            "next": address,
        }
        return Response({"results": page.changes, "pagination": pagination})
