"""Transparency results in the API."""

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

from instruments.listings.filters import check_isins
from instruments.models import (
    Register,
    ResultQuerySet,
    SubclassTransparency,
    Subject,
    TransparencyResult,
)
from instruments.transparency.api.serializers import (
    InstrumentTransparencySerializer,
    SubclassTransparencySerializer,
    TransparencyResultSerializer,
    transparency_as_json,
)
from instruments.transparency.application_periods import year_applying
from instruments.transparency.questions import transparency_of
from marketdata.api.pagination import KeysetPages
from marketdata.api.problems import documented
from marketdata.common.access import reading
from marketdata.common.filters import CodeFilter, CommaSeparatedInput, TrueFalseFilter

_PROBLEMS = documented(
    {
        404: "No loaded file mentions this ISIN, or there is no such page.",
    }
)


def _code(pattern: str, message: str) -> RegexValidator:
    return RegexValidator(f"^(?:{pattern})$", message, flags=re.IGNORECASE)


_CODE4 = _code("[A-Z0-9]{4}", "A code has four letters or digits.")


class ResultFilterSet(django_filters.FilterSet):
    classification = CodeFilter(
        validators=[_CODE4], label="Kind of instrument, as SHRS, ETFS, BOND or DERV"
    )
    subject = django_filters.ChoiceFilter(
        choices=Subject.choices, label="The sections that a result contains"
    )
    liquid = TrueFalseFilter(label="Liquid or not, as published")
    superseded = TrueFalseFilter(
        method="filter_superseded",
        label="true: only results that later ones have replaced; default: only current ones",
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
        widget=CommaSeparatedInput,
        label="One ISIN or several, with commas between or the parameter repeated",
    )
    methodology = CodeFilter(validators=[_CODE4], label="YEAR, SINT, ESTM or FFWK; of equity only")
    relevant_market = CodeFilter(validators=[_CODE4], label="MIC of the most relevant market")
    period_end = django_filters.DateFilter(
        "reported_period_to", label="Last day of the reporting period, as 2024-12-31"
    )
    register = django_filters.ChoiceFilter(
        choices=Register.choices, label="The authority that published the result"
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
    applies_on = django_filters.DateFilter(
        method="filter_applies_on",
        label="Yearly results that apply on this day, by the June application period",
    )

    class Meta:
        model = SubclassTransparency
        fields: list[str] = []

    def filter_applies_on(
        self, queryset: ResultQuerySet, name: str, value: dt.date
    ) -> ResultQuerySet:
        year = year_applying(value, month=6)
        if year is None:
            return queryset.none()
        return queryset.filter(
            reported_period_from=dt.date(year, 1, 1), reported_period_to=dt.date(year, 12, 31)
        )


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by ISIN",
        responses={200: TransparencyResultSerializer(many=True), **_PROBLEMS},
    )
)
class TransparencyViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[TransparencyResult]):
    """Liquidity, thresholds and turnover by ISIN, as published (FITRS)."""

    title = "Transparency"
    queryset = TransparencyResult.objects.select_related("source_file").order_by("isin", "pk")
    needs = {"list": reading("instruments.view_transparencyresult")}
    serializer_class = TransparencyResultSerializer
    filterset_class = TransparencyFilterSet
    pagination_class = KeysetPages


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by sub-class",
        responses={200: SubclassTransparencySerializer(many=True), **_PROBLEMS},
    )
)
class SubclassTransparencyViewSet(
    mixins.ListModelMixin, viewsets.GenericViewSet[SubclassTransparency]
):
    """Liquidity and thresholds by sub-class of non-equity instruments, as published (FITRS)."""

    title = "Transparency of sub-classes"
    queryset = SubclassTransparency.objects.select_related("source_file").order_by(
        "asset_class", "pk"
    )
    needs = {"list": reading("instruments.view_subclasstransparency")}
    serializer_class = SubclassTransparencySerializer
    filterset_class = SubclassFilterSet
    pagination_class = KeysetPages


class _QuestionSerializer(serializers.Serializer[Any]):
    on = serializers.DateField(required=False)
    known_on = serializers.DateField(required=False)
    register = serializers.ChoiceField(choices=Register.choices, default=Register.ESMA)


class InstrumentTransparencyView(APIView):
    """The transparency of one instrument: the results that apply on a day, and all current ones."""

    name = "Transparency"
    needs = {"GET": reading("instruments.view_transparencyresult")}

    @extend_schema(
        summary="The results that apply to an instrument on a day, and all current ones",
        parameters=[
            OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN"),
            OpenApiParameter("on", dt.date, description="The day to answer for; default: today"),
            OpenApiParameter(
                "known_on", dt.date, description="Answer from what had been published by this day"
            ),
            OpenApiParameter(
                "register",
                str,
                enum=Register.values,
                description="The authority whose results apply; default: ESMA",
            ),
        ],
        responses={200: InstrumentTransparencySerializer, **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        if unknown := sorted(set(request.query_params) - {"on", "known_on", "register", "format"}):
            raise exceptions.ValidationError(
                {
                    name: ["No such parameter; there are on, known_on and register."]
                    for name in unknown
                }
            )
        question = _QuestionSerializer(data=request.query_params)
        question.is_valid(raise_exception=True)
        validated = question.validated_data
        answer = transparency_of(
            isin,
            on=validated.get("on") or dt.datetime.now(tz=dt.UTC).date(),
            known_on=validated.get("known_on"),
            register=Register(validated["register"]),
        )
        return Response(transparency_as_json(answer))
