"""Imports and exports of the tables of curation in the API: tried first, then committed."""

import base64
import binascii
import datetime as dt
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from curation.descriptions import describe_batch
from curation.importing import batches, files
from curation.importing.resources import TABLES
from curation.models import ImportBatch
from marketdata.api.negotiation import choose_file
from marketdata.api.openapi import file_responses, path_parameter
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer, StrictSerializer
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.common.errors import InvalidQuery, NotInDatabase, NotPermitted
from marketdata.web.access import holding

_VIEW = "curation.view_importbatch"
_NUMBER = path_parameter("number", "Number of an import", pattern="^[0-9]{1,18}$")
_KIND = path_parameter("kind", "Table", enum=list(TABLES))
_OUTCOMES = ["new", "update", "skip", "invalid"]


class ImportFileSerializer(StrictSerializer):
    """A table as a file: CSV as text in `content`, or XLSX (or CSV) in Base64 in `content_base64`."""

    kind = serializers.ChoiceField(choices=ImportBatch.KINDS)
    file_name = serializers.CharField(max_length=200, default="table")
    content = serializers.CharField(
        required=False, max_length=files.MAX_BYTES, trim_whitespace=False
    )
    content_base64 = serializers.CharField(required=False, max_length=files.MAX_BYTES * 4 // 3 + 4)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("content" in attrs) == ("content_base64" in attrs):
            raise serializers.ValidationError(
                {"content": ["Give either `content` or `content_base64`."]}
            )
        return attrs


class RowFateSerializer(serializers.Serializer[Any]):
    """The fate of one row."""

    row = serializers.IntegerField(help_text="1 is the first row below the names of the columns")
    key = serializers.CharField()
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    changes = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(allow_blank=True)),
        help_text="Old and new text of each column that changes",
    )
    problems = serializers.ListField(child=serializers.CharField())


class ImportSerializer(serializers.Serializer[Any]):
    """An import, tried or committed, with the fate of each row."""

    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ImportBatch.KINDS)
    file_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    committed_at = serializers.DateTimeField(allow_null=True, help_text="null while only tried")
    committed_by = serializers.CharField(allow_null=True)
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="Number of rows by outcome"
    )
    rows = RowFateSerializer(many=True)


class ImportsView(ApiView):
    """Try an import: the answer says for each row what would change, and nothing is changed."""

    name = "Imports"
    needs = {"POST": holding(_VIEW, costly=True)}

    @extend_schema(
        operation_id="imports_create",
        summary="Try the import of a table, and keep it to be committed",
        description="Permitted to those who may propose corrections, add venues or set scopes, each their"
        " table. At most 1,000 rows.",
        request=ImportFileSerializer,
        responses={201: ImportSerializer},
    )
    def post(self, request: Request) -> Response:
        values = self.read_body(ImportFileSerializer)
        if "content" in values:
            content = values["content"].encode()
        else:
            try:
                content = base64.b64decode(values["content_base64"], validate=True)
            except binascii.Error as error:
                raise InvalidQuery("content_base64", f"It is not Base64: {error}.") from error
        batch = batches.try_import(
            values["kind"],
            content,
            name=values["file_name"],
            by=request.user.get_username(),
            request=request,
            user=request.user,
        )
        location = reverse("import-detail", args=[batch.pk], request=request)
        data = describe_batch(batch, user=request.user)
        return Response(data, status=201, headers={"Location": location})


def _get_batch(number: int, user: Any) -> ImportBatch:
    batch = ImportBatch.objects.filter(pk=number).first()
    if batch is None:
        raise NotInDatabase(f"There is no import {number}.")
    if not batches.may_see(batch, user):
        raise NotPermitted("Your roles do not permit you to import this table.")
    return batch


class ImportView(ApiView):
    """An import with the fate of each row."""

    name = "Import"
    needs = {"GET": holding(_VIEW)}

    @extend_schema(
        operation_id="imports_retrieve",
        summary="Get an import with the fate of each row",
        parameters=[_NUMBER],
        responses={200: ImportSerializer},
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(describe_batch(_get_batch(number, request.user), user=request.user))


class CommitView(ApiView):
    """Commit an import that was tried: its valid rows, and once."""

    name = "Commit"
    needs = {"POST": holding(_VIEW, costly=True)}

    @extend_schema(
        operation_id="imports_commit",
        summary="Commit an import: import its valid rows, and report the fate of each row",
        parameters=[_NUMBER],
        request=None,
        responses={200: ImportSerializer, **documented({409: "It has been committed already."})},
    )
    def post(self, request: Request, number: int) -> Response:
        batch = _get_batch(number, request.user)
        by = request.user.get_username()
        batches.commit(batch, by=by, request=request, user=request.user)
        return Response(describe_batch(batch, user=request.user))


class FileQuerySerializer(QuerySerializer):
    """The form of the file."""

    file = AnyCaseChoiceField(
        choices=list(files.FORMATS),
        required=False,
        help_text="Format of the file. Default: by the header Accept, else csv",
    )


class ExportView(ApiView):
    """A table of curation as a file, in the form in which it is imported.

    Corrections also have their number, state and times, which an import, whose rows are proposals, refuses.
    """

    name = "Export"
    needs = {"GET": holding(_VIEW, costly=True)}
    query_serializers = {"GET": FileQuerySerializer}
    file_types = tuple(files.FORMATS.values())

    @extend_schema(
        operation_id="curation_export",
        summary="Export corrections, additions to the venues, or scopes as CSV or XLSX",
        parameters=[_KIND],
        responses=file_responses(file_types),
    )
    def get(self, request: Request, kind: str) -> HttpResponse:
        if kind not in TABLES:
            raise NotInDatabase(f"{kind!r} is not a table: {', '.join(TABLES)}.")
        if not request.user.has_perm(TABLES[kind].to_export):
            raise NotPermitted("Your roles do not permit you to read this table.")
        format_ = self.query.get("file") or choose_file(request, files.FORMATS)
        by = request.user.get_username()
        content = batches.export_table(kind, format_, by=by, request=request)
        name = f"{kind}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{format_}"
        return HttpResponse(
            content,
            content_type=files.FORMATS[format_],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
