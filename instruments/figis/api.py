"""FIGIs in the API."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.figis.questions import (
    NEVER_ASKED,
    FigiInstruments,
    InstrumentFigis,
    VenueFigi,
    get_figi,
    get_figis,
)
from instruments.listings.lookup import get_instrument
from instruments.models import Figi, FigiRequest, Instrument
from marketdata.api.views import ApiView
from marketdata.web.access import reading

_STATES = [NEVER_ASKED, *FigiRequest.State.values]
_EXAMPLE = {
    "isin": "US4592001014",
    "state": "matched",
    "asked_at": "2026-11-26T22:00:00Z",
    "due_at": "2027-02-24T22:00:00Z",
    "problem": None,
    "figis": [
        {
            "figi": "BBG000BLNNH6",
            "composite_figi": "BBG000BLNNH6",
            "share_class_figi": "BBG001S5S399",
            "ticker": "IBM",
            "exchange_code": "US",
            "mic": None,
            "security_type": "Common Stock",
            "security_type_2": "Common Stock",
            "market_sector": "Equity",
            "name": "INTL BUSINESS MACHINES CORP",
            "description": "IBM",
            "is_current": True,
            "fetched_at": "2026-11-26T22:00:00Z",
        }
    ],
}


def _text(help_text: str = "") -> serializers.CharField:
    return serializers.CharField(allow_null=True, read_only=True, help_text=help_text)


class FigiSerializer(serializers.Serializer[Any]):
    """A FIGI as OpenFIGI publishes it, and the venue that it is for."""

    figi = serializers.CharField()
    composite_figi = _text("FIGI of the instrument in a country")
    share_class_figi = _text("FIGI of the instrument worldwide")
    ticker = _text()
    exchange_code = _text("exchange, country or network of venues, in OpenFIGI's codes")
    mic = _text(
        "MIC of the venue with a listing of the instrument; null where the exchange code does not tell"
    )
    security_type = _text()
    security_type_2 = _text()
    market_sector = _text("Equity, Corp, Govt, Index, ...")
    name = _text()
    description = _text("for derivatives and bonds with maturity, strike or coupon")
    is_current = serializers.BooleanField(
        help_text="false: the latest answer of OpenFIGI for the ISIN lacks it"
    )
    fetched_at = serializers.DateTimeField(help_text="time of the latest answer that has it")


class InstrumentFigisSerializer(serializers.Serializer[Any]):
    """The FIGIs of one ISIN, and the state of the request for them."""

    isin = serializers.CharField()
    state = serializers.ChoiceField(
        choices=_STATES,
        help_text="never_asked; pending: to be asked; matched; no_match: OpenFIGI has no FIGI; invalid:"
        " OpenFIGI does not accept the ISIN; failed: to be asked again",
    )
    asked_at = serializers.DateTimeField(
        allow_null=True, help_text="time of the latest answer of OpenFIGI"
    )
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="time from which it is asked again; null: not planned"
    )
    problem = _text("the answer, where the state is invalid or failed")
    figis = FigiSerializer(
        many=True, help_text="those of venues with a listing first, then composites, then others"
    )


class FigiInstrumentSerializer(serializers.Serializer[Any]):
    """An instrument that a FIGI belongs to."""

    isin = serializers.CharField()
    full_name = _text("null: no loaded file has the ISIN")
    rows = FigiSerializer(many=True, help_text="the rows of OpenFIGI with this FIGI")


class FigiDetailSerializer(serializers.Serializer[Any]):
    """A FIGI and the instruments that it belongs to."""

    figi = serializers.CharField()
    kind = serializers.ChoiceField(
        choices=["figi", "composite", "share_class"],
        help_text="figi: of an exchange or a country; composite and share_class: known only as that",
    )
    instruments = FigiInstrumentSerializer(many=True)


def figi_as_json(figi: Figi, mic: str = "") -> dict[str, Any]:
    """Return the fields of FigiSerializer; empty texts are null."""
    names = [name for name in map(str, FigiSerializer().fields) if name != "mic"]
    values: dict[str, Any] = {name: getattr(figi, name) for name in names}
    values["mic"] = mic or figi.mic
    return {name: None if value == "" else value for name, value in values.items()}


def figis_as_json(answer: InstrumentFigis) -> dict[str, Any]:
    """Return the fields of InstrumentFigisSerializer."""

    def describe(row: VenueFigi) -> dict[str, Any]:
        return figi_as_json(row.figi, row.mic)

    return {
        "isin": answer.isin,
        "state": answer.state,
        "asked_at": answer.asked_at,
        "due_at": answer.due_at,
        "problem": answer.problem or None,
        "figis": list(map(describe, answer.sorted_by_use())),
    }


class InstrumentFigisView(ApiView):
    """The FIGIs of one instrument, from OpenFIGI, as of the latest answer."""

    name = "FIGIs"
    needs = {"GET": reading("instruments.view_figi")}

    @extend_schema(
        operation_id="instruments_figis",
        summary="List the FIGIs of an instrument, with the state of the request for them",
        description="The request only reads the database: it never waits for OpenFIGI.",
        parameters=[path_parameters.IDENTIFIER],
        responses={200: InstrumentFigisSerializer},
        examples=[OpenApiExample("IBM", _EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, isin: str) -> Response:
        answer = get_figis(get_instrument(isin).isin)
        return Response(InstrumentFigisSerializer(figis_as_json(answer)).data)


class FigiView(ApiView):
    """One FIGI, and the instruments that it belongs to."""

    name = "FIGI"
    needs = {"GET": reading("instruments.view_figi")}

    @extend_schema(
        operation_id="figis_retrieve",
        summary="Get a FIGI of an exchange, a country or a share class, with its instruments",
        parameters=[path_parameters.FIGI],
        responses={200: FigiDetailSerializer},
    )
    def get(self, request: Request, figi: str) -> Response:
        return Response(FigiDetailSerializer(_describe(get_figi(figi))).data)


def _describe(answer: FigiInstruments) -> dict[str, Any]:
    names = Instrument.objects.filter(pk__in=answer.isins).values_list("isin", "full_name")
    full_names = dict(names)
    return {
        "figi": answer.figi,
        "kind": answer.kind,
        "instruments": [
            {
                "isin": isin,
                "full_name": full_names.get(isin),
                "rows": [figi_as_json(row) for row in answer.rows if row.isin == isin],
            }
            for isin in answer.isins
        ],
    }
