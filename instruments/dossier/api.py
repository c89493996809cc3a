"""The dossier of an instrument in the API, as JSON or Markdown."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.dossier import markdown
from instruments.dossier.questions import get_dossier
from marketdata.api.browsable import BrowsableApi
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer
from marketdata.api.views import ApiView
from marketdata.web.access import reading

_MARKDOWN = "text/markdown"


class MarkdownRenderer(BaseRenderer):
    """Writes a dossier as Markdown."""

    media_type = _MARKDOWN
    format = "markdown"
    other_formats = ("md",)
    charset = "utf-8"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return markdown.write(data).encode()


class DossierQuerySerializer(QuerySerializer):
    """The day and the form of a dossier."""

    on = serializers.DateField(required=False, help_text="Day to answer for; default: today")
    output = AnyCaseChoiceField(
        choices=["json", "markdown", "md"],
        required=False,
        help_text="Form of the answer; default: by the header Accept (application/json, text/markdown)",
    )


class SourceSerializer(serializers.Serializer[Any]):
    """A source of a part of a dossier."""

    name = serializers.CharField(
        help_text="name of a file, of an answer of GLEIF's API, or openfigi"
    )
    published_on = serializers.DateField(help_text="day of publication, or of the answer")
    age_days = serializers.IntegerField(
        help_text="days from its publication to the day of the dossier; negative if it came after that"
    )


def _rows(help_text: str) -> Any:
    return _RowsSerializer(help_text=help_text)


class _RowsSerializer(serializers.Serializer[Any]):
    """The first rows of a list, and the number of those that are left out."""

    total = serializers.IntegerField()
    left_out = serializers.IntegerField()
    rows = serializers.ListField(child=serializers.DictField())

    class Meta:
        ref_name = "DossierRows"


class _PartSerializer(serializers.Serializer[Any]):
    sources = SourceSerializer(many=True, help_text="newest first")


class DossierIdentitySerializer(_PartSerializer):
    full_name = serializers.CharField()
    short_name = serializers.CharField()
    cfi_code = serializers.CharField()
    category = serializers.CharField()
    notional_currency = serializers.CharField()
    status = serializers.CharField()
    effective_status = serializers.CharField()
    reference_listing = serializers.DictField()
    most_relevant_market = serializers.DictField(allow_null=True)
    rule = serializers.CharField()


class DossierClassificationSerializer(_PartSerializer):
    code = serializers.CharField(allow_null=True)
    category = serializers.CharField(allow_null=True)
    group = serializers.CharField(allow_null=True)
    attributes = _rows("name and meaning of each attribute that applies")


class DossierTermsSerializer(_PartSerializer):
    terms = serializers.DictField(help_text="as in the instrument, without absent ones")
    underlyings = _rows("underlyings, as in /underlyings/")


class DossierCorrectionsSerializer(_PartSerializer):
    corrections = _rows("corrections that apply, each with the published value")


class DossierListingsSerializer(_PartSerializer):
    listings = _rows("listings, active ones first")


class DossierIssuerSerializer(_PartSerializer):
    issuer = serializers.DictField(allow_null=True, help_text="as in the instrument")
    by_gleif = serializers.DictField(
        allow_null=True, help_text="the issuer by GLEIF's ISIN-LEI file, as in the instrument"
    )
    entity = serializers.DictField(
        allow_null=True, help_text="GLEIF's record of the LEI; null where none is loaded"
    )
    successors = _rows("successors of an entity that is merged, retired, lapsed or not active")
    group = _rows("parents by GLEIF's relationships, or the reasons why none is reported")


class DossierReportabilitySerializer(_PartSerializer):
    on = serializers.DateField()
    reportable = serializers.BooleanField()
    reason = serializers.CharField()
    rule = serializers.CharField()
    venues = _rows("venues on which it is reportable")


class DossierTransparencySerializer(_PartSerializer):
    in_force = _rows(
        "results in force by register and respect, with the reason where there is none"
    )


class DossierVolumeCapSerializer(_PartSerializer):
    result = serializers.DictField(allow_null=True, help_text="of the newest reporting period")
    venues = _rows("percentages by venue")
    suspension = serializers.DictField(allow_null=True, help_text="in force on the day")


class DossierFigisSerializer(_PartSerializer):
    state = serializers.CharField(help_text="as in /figis/")
    figis = _rows("current FIGIs: those of venues with a listing first")


class NothingSerializer(serializers.Serializer[Any]):
    """A source that was asked and has nothing."""

    source = serializers.CharField(  # type: ignore[assignment]  # the field of the body, not DRF's
        help_text="dataset or service"
    )
    reason = serializers.CharField()


class DossierSerializer(serializers.Serializer[Any]):
    """All that is known of one instrument, in at most 24,000 bytes of JSON."""

    isin = serializers.CharField()
    on = serializers.DateField(help_text="the day that is answered for")
    identity = DossierIdentitySerializer()
    corrections = DossierCorrectionsSerializer()
    classification = DossierClassificationSerializer()
    terms = DossierTermsSerializer()
    listings = DossierListingsSerializer()
    issuer = DossierIssuerSerializer()
    reportability = DossierReportabilitySerializer()
    transparency = DossierTransparencySerializer()
    volume_cap = DossierVolumeCapSerializer()
    figis = DossierFigisSerializer()
    nothing_from = NothingSerializer(many=True)


class DossierView(ApiView):
    """All that is known of one instrument, each part with its sources and their age."""

    name = "Dossier"
    needs = {"GET": reading("instruments.view_instrument")}
    query_serializers = {"GET": DossierQuerySerializer}
    renderer_classes = [JSONRenderer, MarkdownRenderer, BrowsableApi]

    @extend_schema(
        operation_id="instruments_dossier",
        summary="Get all that is known of an instrument, small enough for a ticket",
        description="Long lists are cut until the answer is small enough; `left_out` counts the rest."
        " The page /instruments/{isin}/dossier/ shows the same, to be printed.",
        parameters=[path_parameters.IDENTIFIER],
        responses={
            (200, "application/json"): DossierSerializer,
            (200, _MARKDOWN): OpenApiResponse(OpenApiTypes.STR, "The dossier as Markdown"),
        },
        examples=[
            OpenApiExample(
                "Markdown",
                "# INTL BUSINESS MACHINES CORP\n\nISIN US4592001014, on 2026-11-26\n",
                media_type=_MARKDOWN,
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, isin: str) -> Response:
        answer = get_dossier(isin, on=self.query.get("on")).describe()
        output = self.query.get("output")
        if output:
            renderer = MarkdownRenderer() if output in ("markdown", "md") else JSONRenderer()
            request.accepted_renderer = renderer
            request.accepted_media_type = renderer.media_type
        return Response(answer)
