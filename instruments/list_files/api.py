"""Files of identifiers over the API: sent as CSV, answered by a run, and downloaded as CSV."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from esma_files.api.serializers import RunSerializer
from esma_files.descriptions import describe_runs
from instruments.list_files import keeping
from instruments.models import ListFile, Register
from marketdata.api.openapi import file_responses, path_parameter
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer
from marketdata.api.problems import BodyTooLarge, documented
from marketdata.api.views import ApiView
from marketdata.web.access import holding

_CSV = "text/csv"
_NUMBER = path_parameter("number", "Number of a list", pattern="^[0-9]{1,18}$")
_CHUNK_BYTES = 1 << 16


class CsvParser(BaseParser):
    """Leaves a body of CSV to the view, which reads it in parts."""

    media_type = _CSV

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


class NewListSerializer(QuerySerializer):
    """The question, for all lines."""

    question = AnyCaseChoiceField(
        choices=ListFile.Question.choices,
        help_text="reportability: lines as of the command `check_list` (ISIN, MIC, day). lookup: a header"
        " and lines as of the command `lookup` (idValue, idType, micCode, as_of, known_on)",
    )
    name = serializers.CharField(
        max_length=100, default="list.csv", help_text="Name of the list, for you"
    )
    on = serializers.DateField(
        required=False,
        help_text="reportability: day for lines that name none. Default: the day on which the run answers",
    )
    known_on = serializers.DateField(
        required=False,
        help_text="reportability: use only what had been published by the end of this day",
    )
    register = AnyCaseChoiceField(
        choices=Register.choices, required=False, help_text="reportability: only this register"
    )
    spreadsheet = AnyCaseChoiceField(
        choices=["safe"],
        required=False,
        help_text="safe: put an apostrophe before texts that a spreadsheet program would read as a formula",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {"on", "known_on", "register"} & set(attrs)
        if attrs["question"] == ListFile.Question.LOOKUP and given:
            message = "Only for question=reportability. Lines of a look-up have days of their own."
            raise serializers.ValidationError({name: [message] for name in sorted(given)})
        return attrs


class ListFileSerializer(serializers.Serializer[Any]):
    """A list, and the run that answers it."""

    number = serializers.IntegerField()
    question = serializers.ChoiceField(choices=ListFile.Question.choices)
    name = serializers.CharField()
    on = serializers.DateField(allow_null=True)
    known_on = serializers.DateField(allow_null=True)
    register = serializers.ChoiceField(choices=Register.choices, allow_null=True)
    spreadsheet = serializers.BooleanField()
    lines = serializers.IntegerField(help_text="Lines of the list, its header included")
    is_answered = serializers.BooleanField(help_text="Whether the answers can be downloaded")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="The list and its answers are deleted then")
    run = RunSerializer(help_text="State, progress, and the number of lines by outcome")
    answers = serializers.URLField(allow_null=True, help_text="null until they are complete")


def _describe(list_file: ListFile, request: Request) -> dict[str, Any]:
    run = keeping.get_run(list_file)
    [described] = describe_runs([run], user=request.user)
    link = None
    if list_file.answers:
        link = reverse("list-file-answers", args=[list_file.pk], request=request)
    return {**keeping.describe(list_file), "run": described, "answers": link}


class ListFilesView(ApiView, GenericAPIView[ListFile]):
    """Your files of identifiers, each answered by a run."""

    name = "Lists"
    needs = {"GET": holding(keeping.LOOK_UP), "POST": holding(keeping.LOOK_UP, costly=True)}
    query_serializers = {"POST": NewListSerializer}
    parser_classes = [CsvParser]
    serializer_class = ListFileSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="lists_list",
        summary="List your files of identifiers",
        responses={200: ListFileSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(keeping.select(request.user.get_username()))
        return self.get_paginated_response([_describe(list_file, request) for list_file in page])

    @extend_schema(
        operation_id="lists_create",
        summary="Send a file of up to a million identifiers or trades, to be answered by a run",
        description=f"The body is CSV of at most {keeping.MAX_LINES:,} lines and {keeping.MAX_BYTES:,} bytes."
        " Follow the list at the address in the header Location, and download the answers when it has"
        " `is_answered`: a row for each line that is not empty, in the same order, with its line number. An"
        " invalid line has its reason in its row and does not affect the others.",
        request={_CSV: OpenApiTypes.STR},
        responses={
            202: ListFileSerializer,
            **documented({409: "You have too many lists, or too many that are not answered yet."}),
        },
    )
    def post(self, request: Request) -> Response:
        query = self.query
        if int(request.META.get("CONTENT_LENGTH") or 0) > keeping.MAX_BYTES:
            raise BodyTooLarge(keeping.MAX_BYTES)
        stream: Any = request.data
        parameters: dict[str, str] = {
            name: str(query[name])
            for name in ("on", "known_on", "register", "spreadsheet")
            if name in query
        }
        list_file = keeping.create(
            request.user.get_username(),
            iter(lambda: stream.read(_CHUNK_BYTES), b"") if stream else (),
            question=query["question"],
            name=query["name"],
            parameters=parameters,
            request=request,
        )
        location = reverse("list-file-detail", args=[list_file.pk], request=request)
        return Response(_describe(list_file, request), status=202, headers={"Location": location})


class ListFileView(ApiView):
    """A file of identifiers with its run."""

    name = "List"
    needs = dict.fromkeys(("GET", "DELETE"), holding(keeping.LOOK_UP))

    @extend_schema(
        operation_id="lists_retrieve",
        summary="Get a file of identifiers with the progress of its run",
        parameters=[_NUMBER],
        responses={200: ListFileSerializer},
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(_describe(_get(request, number), request))

    @extend_schema(
        operation_id="lists_destroy",
        summary="Delete a file of identifiers with its answers, and end its run",
        parameters=[_NUMBER],
        responses={204: None},
    )
    def delete(self, request: Request, number: int) -> Response:
        keeping.delete(_get(request, number), request=request)
        return Response(status=204)


class ListAnswersView(ApiView):
    """The answers for a file of identifiers."""

    name = "Answers"
    file_types = (_CSV,)
    needs = {"GET": holding(keeping.LOOK_UP, costly=True)}

    @extend_schema(
        operation_id="lists_answers",
        summary="Download the answers for a file of identifiers as CSV",
        parameters=[_NUMBER],
        responses=file_responses(file_types)
        | documented({409: "They are not complete, or the run has failed."}),
    )
    def get(self, request: Request, number: int) -> StreamingHttpResponse:
        return keeping.download(_get(request, number), request=request)


def _get(request: Request, number: int) -> ListFile:
    return keeping.get_list(number, request.user.get_username())
