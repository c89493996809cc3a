"""Reportability of a list of instruments over the API."""

import itertools
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instruments.list_check.answers import COLUMN_HELP, CheckStatus, Question, answer_items
from instruments.list_check.items import Item, make_invalid, make_item
from instruments.listings.status import EffectiveStatus
from instruments.models import Register, Status
from marketdata.api.parameters import AnyCaseChoiceField, StrictSerializer
from marketdata.api.problems import describe_item_error
from marketdata.api.views import ApiView
from marketdata.web.access import reading

MAX_ITEMS = 1_000


class ItemSerializer(StrictSerializer):
    """An instrument, and where and when it was traded."""

    isin = serializers.CharField(
        max_length=50, help_text="ISIN, FIGI or ticker, in upper or lower case"
    )
    mic = serializers.CharField(
        max_length=10,
        required=False,
        allow_blank=True,
        help_text="MIC of the venue of the trade, for `reportable_there`; XOFF, SINT and XXXX mean none",
    )
    on = serializers.CharField(
        max_length=30,
        required=False,
        help_text="Day of the trade in UTC, as 2025-08-30, or its time, as 2025-08-30T23:30:00-05:00."
        " Default: `on` of the request",
    )


class ReportabilityListQuerySerializer(StrictSerializer):
    """The items, and what is asked of all of them."""

    items = ItemSerializer(  # type: ignore[call-arg]  # the stubs do not know max_length
        many=True,
        allow_empty=False,
        max_length=MAX_ITEMS,
        help_text=f"1 to {MAX_ITEMS:,} items, each answered for itself. Send longer lists"
        " to /api/v1/lists/",
    )
    on = serializers.DateField(
        required=False, help_text="Day for items that name none. Default: today (UTC)"
    )
    known_on = serializers.DateField(
        required=False, help_text="Use only what had been published by the end of this day"
    )
    register = AnyCaseChoiceField(
        choices=Register.choices,
        required=False,
        help_text="Only listings and results of this register. Default: listings of both, results of ESMA",
    )


class ItemAnswerSerializer(serializers.Serializer[Any]):
    """The answer for one item. An invalid or unknown item does not affect the others."""

    isin = serializers.CharField(
        allow_null=True, help_text=f"{COLUMN_HELP['isin']}. null if the item has none"
    )
    mic = serializers.CharField(allow_null=True, help_text=COLUMN_HELP["mic"])
    on = serializers.DateField(allow_null=True, help_text=COLUMN_HELP["on"])
    status = serializers.ChoiceField(
        choices=[status.value for status in CheckStatus], help_text=COLUMN_HELP["status"]
    )
    reason = serializers.CharField(help_text=COLUMN_HELP["reason"])
    reportable = serializers.BooleanField(allow_null=True, help_text=COLUMN_HELP["reportable"])
    reportable_there = serializers.BooleanField(
        allow_null=True, help_text=COLUMN_HELP["reportable_there"]
    )
    venues = serializers.CharField(allow_null=True, help_text=COLUMN_HELP["venues"])
    traded_underlyings = serializers.CharField(
        allow_null=True, help_text=COLUMN_HELP["traded_underlyings"]
    )
    full_name = serializers.CharField(allow_null=True, help_text=COLUMN_HELP["full_name"])
    cfi_code = serializers.CharField(allow_null=True, help_text=COLUMN_HELP["cfi_code"])
    published_status = serializers.ChoiceField(
        choices=Status.choices, allow_null=True, help_text=COLUMN_HELP["published_status"]
    )
    effective_status = serializers.ChoiceField(
        choices=EffectiveStatus.choices, allow_null=True, help_text=COLUMN_HELP["effective_status"]
    )
    issuer_lei = serializers.CharField(allow_null=True, help_text=COLUMN_HELP["issuer_lei"])
    figis = serializers.CharField(allow_null=True, help_text=COLUMN_HELP["figis"])
    liquid = serializers.BooleanField(allow_null=True, help_text=COLUMN_HELP["liquid"])
    liquidity_reason = serializers.CharField(
        allow_null=True, help_text=COLUMN_HELP["liquidity_reason"]
    )


class ItemAnswersSerializer(serializers.Serializer[Any]):
    """The answers, as many as the items and in their order."""

    results = ItemAnswerSerializer(many=True)


class ReportabilityListView(ApiView, APIView):
    """Reportability, status and liquidity of up to 1,000 instruments or trades at once."""

    name = "Reportability of a list"
    needs = {"POST": reading("instruments.view_instrument", costly=True)}

    @extend_schema(
        operation_id="reportability_list_check",
        summary="Answer for a list of instruments or trades whether they were reportable",
        description="Every item has its own answer, in the order of the request: an invalid or unknown one"
        " does not affect the others, and has the reason in `reason`. The rule is that of"
        " `instruments/{isin}/reportable/`.",
        request=ReportabilityListQuerySerializer,
        responses={200: ItemAnswersSerializer},
    )
    def post(self, request: Request) -> Response:
        values = self.read_body(_BodyWithAnyItems)
        items = list(itertools.starmap(_parse, enumerate(values.pop("items"))))
        answers = list(answer_items(items, Question(**values)))
        for answer in answers:
            del answer["line"]  # of files: items are known by their place
            answer["isin"] = answer["isin"] or None
        return Response({"results": answers})


class _BodyWithAnyItems(ReportabilityListQuerySerializer):
    """The body; each of its items is checked for itself."""

    items = serializers.ListField(  # type: ignore[assignment]
        child=serializers.JSONField(allow_null=True), allow_empty=False, max_length=MAX_ITEMS
    )


def _parse(place: int, body: Any) -> Item:
    """Return the item, also for an object that is none: then with the problem."""
    serializer = ItemSerializer(data=body)
    if serializer.is_valid():
        values = serializer.validated_data
        return make_item(place, values["isin"], values.get("mic", ""), values.get("on"))
    code = body.get("isin") if isinstance(body, dict) else None
    return make_invalid(place, code, describe_item_error(serializer.errors))
