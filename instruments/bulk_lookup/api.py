"""Look-up of a list of identifiers over the API, in the form of OpenFIGI."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.bulk_lookup.answers import MAX_ITEMS, MAX_MATCHES, IdType, Item, answer_items
from instruments.listings.api.serializers import InstrumentSerializer
from marketdata.api.parameters import AnyCaseChoiceField, StrictSerializer
from marketdata.api.problems import describe_item_error
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class LookupItemSerializer(StrictSerializer):
    """An identifier, with the venue and the days that narrow it."""

    idType = AnyCaseChoiceField(  # noqa: N815  # OpenFIGI's name
        choices=[id_type.value for id_type in IdType],
        default=IdType.ISIN.value,
        help_text="Kind of the identifier, as in OpenFIGI; ID_LEI is the LEI of the issuer, with a day of the"
        " issuer on that day. FIGIs and tickers are those of now, with a day too",
    )
    idValue = serializers.CharField(  # noqa: N815
        max_length=100, help_text="The identifier, in upper or lower case"
    )
    micCode = serializers.RegexField(  # noqa: N815
        "^[A-Za-z0-9]{4}$",
        required=False,
        error_messages={"invalid": "A MIC has four letters or digits."},
        help_text="Only instruments with a listing on this venue, or on a segment of it",
    )
    as_of = serializers.DateField(
        required=False, help_text="As the register read on this day. Default: the newest records"
    )
    known_on = serializers.DateField(
        required=False, help_text="Use only what had been published by the end of this day"
    )


class LookupItemAnswerSerializer(serializers.Serializer[Any]):
    """The answer for one item: exactly one of these."""

    data = InstrumentSerializer(  # type: ignore[assignment]  # the field of the answer, not DRF's
        many=True, required=False, help_text=f"The instruments, at most {MAX_MATCHES}"
    )
    warning = serializers.CharField(required=False, help_text="There is no such instrument")
    error = serializers.CharField(
        required=False,
        help_text=f"The item is invalid, or more than {MAX_MATCHES} instruments match",
    )


class BulkLookupView(ApiView):
    """Instruments for up to 1,000 ISINs, FIGIs, tickers or LEIs of issuers, in the form of OpenFIGI."""

    name = "Look-up"
    needs = {"POST": reading("instruments.view_instrument", costly=True)}

    @extend_schema(
        operation_id="lookup",
        summary="Look up a list of ISINs, FIGIs, tickers or LEIs",
        description=f"The body is an array of 1 to {MAX_ITEMS:,} items, and the answer an array of the same"
        " length and order, each with `data`, `warning` or `error`, as in OpenFIGI's `/v3/mapping`. An"
        " invalid item does not affect the others.",
        request=LookupItemSerializer(  # type: ignore[call-arg]  # the stubs do not know these
            many=True, min_length=1, max_length=MAX_ITEMS
        ),
        responses={200: LookupItemAnswerSerializer(many=True)},
    )
    def post(self, request: Request) -> Response:
        bodies = request.data
        if not isinstance(bodies, list) or not 1 <= len(bodies) <= MAX_ITEMS:
            message = f"The body must be an array of 1 to {MAX_ITEMS:,} items."
            raise ValidationError({"body": [message]})
        parsed = [_parse(body) for body in bodies]
        answers = iter(answer_items([item for item in parsed if isinstance(item, Item)]))
        return Response([next(answers) if isinstance(item, Item) else item for item in parsed])


def _parse(body: Any) -> Item | dict[str, str]:
    """Return the item, or the answer for an invalid one."""
    serializer = LookupItemSerializer(data=body)
    if not serializer.is_valid():
        return {"error": describe_item_error(serializer.errors)}
    values = serializer.validated_data
    return Item(
        IdType(values["idType"]),
        values["idValue"].strip().upper(),
        mic=values.get("micCode", "").upper(),
        as_of=values.get("as_of"),
        known_on=values.get("known_on"),
    )
