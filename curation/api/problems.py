"""Problems of published data in the API: the kinds with their numbers, and the problems of each."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from curation import problems
from curation.filters import ProblemFilterSet
from curation.models import Problem
from curation.problem_kinds import CHOICES
from instruments.models import Register
from marketdata.api.pagination import KeysetPages
from marketdata.api.views import ApiView
from marketdata.web.access import reading

_READ = reading("curation.view_problem")


class ProblemKindSerializer(serializers.Serializer[Any]):
    """A kind of problem, with the number of those that were found."""

    kind = serializers.ChoiceField(choices=CHOICES)
    title = serializers.CharField()
    why = serializers.CharField(help_text="Why it is a problem")
    to_do = serializers.CharField(help_text="What a curator does about it")
    field = serializers.CharField(
        allow_null=True, help_text="Column that a correction replaces; null if none can solve it"
    )
    problems = serializers.IntegerField(
        allow_null=True, help_text="Number of those that are kept; null if none were looked for"
    )
    has_more = serializers.BooleanField(help_text="There are more than are kept")
    skipped = serializers.CharField(
        allow_null=True, help_text="The reason for which none were looked for"
    )
    counted_at = serializers.DateTimeField(allow_null=True)


class DataProblemSerializer(serializers.Serializer[Any]):
    """One problem."""

    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=CHOICES)
    isin = serializers.CharField(allow_null=True, help_text="null for a problem of a venue")
    register = serializers.ChoiceField(choices=Register.choices, allow_null=True)
    mic = serializers.CharField(allow_null=True, help_text="null for all listings in the register")
    category = serializers.CharField(allow_null=True, help_text="CFI category")
    published = serializers.CharField(allow_null=True)
    suggested = serializers.CharField(
        allow_null=True, help_text="Value that another source has; null if none"
    )
    field = serializers.CharField(
        allow_null=True, help_text="Column that a correction replaces; null if none can solve it"
    )
    detail = serializers.CharField()
    found_on = serializers.DateField(help_text="First day on which it was found")


class ProblemKindsView(ApiView, GenericAPIView[Any]):
    """The kinds of problems, with the numbers of the last search for them, by night."""

    name = "Problems"
    needs = {"GET": _READ}
    serializer_class = ProblemKindSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="problems_list",
        summary="List the kinds of problems of published data, with their numbers",
        responses={200: ProblemKindSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        kinds: Any = problems.list_kinds()
        return self.get_paginated_response(self.paginate_queryset(kinds))


class ProblemsView(ApiView, GenericAPIView[Problem]):
    """The problems of one kind, by ISIN."""

    name = "Problems of a kind"
    needs = {"GET": _READ}
    queryset = Problem.objects.all()
    serializer_class = DataProblemSerializer
    filterset_class = ProblemFilterSet
    pagination_class = KeysetPages

    @extend_schema(
        operation_id="problems_of_kind_list",
        summary="List the problems of a kind",
        parameters=[
            OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=[code for code, _ in CHOICES])
        ],
        responses={200: DataProblemSerializer(many=True)},
    )
    def get(self, request: Request, kind: str) -> Response:
        rows = Problem.objects.filter(kind=problems.get_kind(kind).code).order_by("isin", "pk")
        page: Any = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(list(map(problems.describe_problem, page)))
