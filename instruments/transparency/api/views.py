"""Transparency results over HTTP."""

import datetime as dt
import re
from typing import Any

import django_filters
from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instruments.isin import problem_of
from instruments.listings.api.filters import check_isins
from instruments.models import (
    Instrument,
    ResultQuerySet,
    SubclassTransparency,
    Subject,
    TransparencyResult,
)
from instruments.transparency import applicable
from instruments.transparency.api.serializers import (
    InstrumentTransparencySerializer,
    SubclassTransparencySerializer,
    TransparencyResultSerializer,
)
from marketdata.api.filters import CodeFilter, CommaOrAgain, TruthFilter
from marketdata.api.pagination import BoundedPages
from marketdata.api.problems import documented
from marketdata.common.access import reading

_PROBLEMS = documented(
    {
        400: "A parameter cannot be what it says.",
        401: "Reading needs a sign-in here.",
        403: "Your roles do not include reading.",
        404: "Nothing is known of that ISIN, or no such page.",
    }
)


def _code(pattern: str, message: str) -> RegexValidator:
    return RegexValidator(f"^(?:{pattern})$", message, flags=re.IGNORECASE)


_CODE4 = _code("[A-Z0-9]{4}", "A code has four letters or digits.")


class ResultFilterSet(django_filters.FilterSet):
    classification = CodeFilter(
        validators=[_CODE4], label="Kind of instrument, as SHRS, ETFS, BOND or DERV"
    )
    subject = django_filters.ChoiceFilter(choices=Subject.choices, label="What a result says")
    liquid = TruthFilter(label="Liquid or not, as published")
    superseded = TruthFilter(
        method="filter_superseded",
        label="Results that later ones have replaced; else only current ones",
    )

    def filter_superseded(self, queryset: ResultQuerySet, name: str, value: bool) -> ResultQuerySet:
        return queryset.filter(superseded=value)

    def filter_queryset(self, queryset: Any) -> Any:
        if self.form.cleaned_data.get("superseded") in ("", None):
            queryset = queryset.current()
        return super().filter_queryset(queryset)


class TransparencyFilterSet(ResultFilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_isins],
        widget=CommaOrAgain,
        label="One ISIN or several, with commas between or the parameter repeated",
    )
    methodology = CodeFilter(validators=[_CODE4], label="YEAR, SINT, ESTM or FFWK; of equity only")
    relevant_market = CodeFilter(validators=[_CODE4], label="MIC of the most relevant market")
    period_end = django_filters.DateFilter(
        "reported_period_to", label="Last day of the reporting period, as 2024-12-31"
    )

    class Meta:
        model = TransparencyResult
        fields: list[str] = []

    def filter_isin(self, queryset: ResultQuerySet, name: str, value: str) -> ResultQuerySet:
        return queryset.filter(isin__in=[isin.strip() for isin in value.upper().split(",")])


class SubclassFilterSet(ResultFilterSet):
    asset_class = CodeFilter(validators=[_CODE4], label="As BOND, EQDV or IRDV")
    q = django_filters.CharFilter(
        "sub_class", "icontains", max_length=100, label="Words of the description"
    )

    class Meta:
        model = SubclassTransparency
        fields: list[str] = []


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by ISIN",
        responses={200: TransparencyResultSerializer(many=True), **_PROBLEMS},
    )
)
class TransparencyViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[TransparencyResult]):
    """What ESMA has computed of liquidity, thresholds and turnover (FITRS), by ISIN."""

    title = "Transparency"
    queryset = TransparencyResult.objects.select_related("source_file").order_by("isin", "pk")
    needs = {"list": reading("instruments.view_transparencyresult")}
    serializer_class = TransparencyResultSerializer
    filterset_class = TransparencyFilterSet
    pagination_class = BoundedPages


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by sub-class",
        responses={200: SubclassTransparencySerializer(many=True), **_PROBLEMS},
    )
)
class SubclassTransparencyViewSet(
    mixins.ListModelMixin, viewsets.GenericViewSet[SubclassTransparency]
):
    """What ESMA has computed of sub-classes of non-equity instruments (FITRS)."""

    title = "Transparency of sub-classes"
    queryset = SubclassTransparency.objects.select_related("source_file").order_by(
        "asset_class", "pk"
    )
    needs = {"list": reading("instruments.view_subclasstransparency")}
    serializer_class = SubclassTransparencySerializer
    filterset_class = SubclassFilterSet
    pagination_class = BoundedPages


def transparency_of(text_: str, on: dt.date) -> dict[str, Any]:
    """What `InstrumentTransparencySerializer` shows. Raises ValidationError, NotFound."""
    isin = text_.upper()
    if problem := problem_of(isin):
        raise exceptions.ValidationError({"isin": [f"{isin}: {problem}."]})
    results = list(TransparencyResult.objects.of(isin).select_related("source_file"))
    if not results and not Instrument.objects.filter(pk=isin).exists():
        raise exceptions.NotFound(f"Nothing of {isin} is in the files loaded.")
    return {
        "isin": isin,
        "on": on,
        "applies": applicable.applying(results, on),
        "turnover": applicable.turnover(results),
        "results": results,
    }


class _OnSerializer(serializers.Serializer[Any]):
    on = serializers.DateField(required=False)


class InstrumentTransparencyView(APIView):
    """The transparency of one instrument: what applies, and everything current."""

    name = "Transparency"
    needs = {"GET": reading("instruments.view_transparencyresult")}

    @extend_schema(
        summary="The results that apply to an instrument, and all there are",
        parameters=[
            OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN"),
            OpenApiParameter("on", dt.date, description="The day to ask about; today, if left out"),
        ],
        responses={200: InstrumentTransparencySerializer, **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        if unknown := sorted(set(request.query_params) - {"on", "format"}):
            raise exceptions.ValidationError(
                {name: ["no such parameter; there is on"] for name in unknown}
            )
        asked = _OnSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        on = asked.validated_data.get("on") or dt.datetime.now(tz=dt.UTC).date()
        return Response(InstrumentTransparencySerializer(transparency_of(isin, on)).data)
