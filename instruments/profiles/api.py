"""Output profiles over the API, and lists of instruments in their shape."""

import itertools
from typing import Any, cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from instruments.listings import export, export_files
from instruments.listings.api.parameters import CorrectionsSerializer
from instruments.listings.filters import ListFilterSet
from instruments.models import Instrument, OutputProfile
from instruments.profiles import saving, shapes
from marketdata.api.negotiation import choose_file
from marketdata.api.openapi import path_parameter
from marketdata.api.pagination import KeysetPages
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer, StrictSerializer
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.web.access import holding, reading

_PATTERN = "^[a-z][a-z0-9-]{0,59}$"
_NAME = path_parameter("profile", "Name of a profile", pattern=_PATTERN)
_VERSION = path_parameter(
    "profile",
    "Name of a profile, alone for its newest version or with a version, as vendor@2",
    pattern="^[a-z][a-z0-9-]{0,59}(@[1-9][0-9]{0,8})?$",
)
_PROBLEMS = documented({409: "There are 500 profiles, or another one inherits from this one."})
_ROW_FILES = ("json", "csv", "xml")
_SAVE = holding("instruments.add_outputprofile")


class ColumnSerializer(serializers.Serializer[Any]):
    """A column of a profile: a field, or a value that is the same in each row."""

    name = serializers.CharField(
        help_text="Name of the column, of a JSON field and of an XML element"
    )
    field = serializers.CharField(
        required=False, help_text="Field of an export: see docs/exports.md"
    )
    value = serializers.CharField(required=False, help_text="The value in each row")
    format = serializers.CharField(required=False, help_text="Format of the field's values")


class ProfileSerializer(serializers.Serializer[Any]):
    """A version of an output profile."""

    name = serializers.CharField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    rows = serializers.ChoiceField(choices=list(export.FIELDS))
    parent = serializers.CharField(  # type: ignore[assignment]  # the field, not DRF's
        allow_null=True, help_text="Version that it inherits from"
    )
    columns = ColumnSerializer(many=True, help_text="The own columns")
    omitted = serializers.ListField(child=serializers.CharField())
    all_columns = ColumnSerializer(many=True, help_text="All columns, in order")
    created_at = serializers.DateTimeField()


class ProfileBodySerializer(StrictSerializer):
    """The columns of a profile, in order, and what it inherits."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True)
    rows = AnyCaseChoiceField(choices=list(export.FIELDS), required=False)
    parent = serializers.CharField(  # type: ignore[assignment]
        max_length=80,
        required=False,
        allow_blank=True,
        help_text="A profile whose columns come first, as vendor or vendor@2. Columns of the same name are"
        " replaced where they are",
    )
    columns = serializers.ListField(
        child=ColumnSerializer(),
        max_length=shapes.MAX_COLUMNS,
        required=False,
        help_text="Columns; the name of a field alone is a column of this name",
    )
    omitted = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=shapes.MAX_COLUMNS,
        required=False,
        help_text="Names of columns of the parent that are left out",
    )


class ProfilesView(ApiView, GenericAPIView[OutputProfile]):
    """Output profiles: layouts of lists and exports, each at its newest version."""

    name = "Output profiles"
    needs = {"GET": reading("instruments.view_outputprofile")}
    queryset = OutputProfile.objects.newest().order_by("name")
    serializer_class = ProfileSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="profiles_list",
        summary="List output profiles",
        responses={200: ProfileSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.get_queryset().select_related("parent"))
        return self.get_paginated_response([saving.describe(profile) for profile in page])


class ProfileView(ApiView):
    """One output profile."""

    name = "Output profile"
    needs = {
        "GET": reading("instruments.view_outputprofile"),
        "PUT": _SAVE,
        "DELETE": _SAVE,
    }

    @extend_schema(
        operation_id="profiles_retrieve",
        summary="Get a version of an output profile",
        parameters=[_VERSION],
        responses=ProfileSerializer,
    )
    def get(self, request: Request, profile: str) -> Response:
        return Response(saving.describe(saving.get_profile(profile)))

    @extend_schema(
        operation_id="profiles_update",
        summary="Save an output profile as a new version",
        description="Version 1 if there is none. Earlier versions stay as they are. The columns are checked"
        " against the fields of exports.",
        parameters=[_NAME],
        request=ProfileBodySerializer,
        responses={201: ProfileSerializer, **_PROBLEMS},
    )
    def put(self, request: Request, profile: str) -> Response:
        body = self.read_body(_BodyWithNames)
        saved = saving.save(profile, body, **_get_author(request))
        location = reverse("profile-detail", args=[str(saved)], request=request)
        return Response(saving.describe(saved), status=201, headers={"Location": location})

    @extend_schema(
        operation_id="profiles_destroy",
        summary="Delete all versions of an output profile",
        parameters=[_NAME],
        responses={204: None, **_PROBLEMS},
    )
    def delete(self, request: Request, profile: str) -> Response:
        saving.delete(profile, **_get_author(request))
        return Response(status=204)


class _BodyWithNames(ProfileBodySerializer):
    """The body; its columns are checked by `shapes.parse_columns`, which takes names alone, too."""

    columns = serializers.ListField(
        child=serializers.JSONField(), max_length=shapes.MAX_COLUMNS, required=False
    )


def _get_author(request: Request) -> dict[str, Any]:
    """Return the arguments of `save` and `delete` that tell who asks."""
    return {
        "by": request.user.get_username(),
        "may_manage": request.user.has_perm(saving.MANAGE),
        "request": request,
    }


class RowsQuerySerializer(CorrectionsSerializer, QuerySerializer):
    """The form of the rows."""

    file = AnyCaseChoiceField(
        choices=_ROW_FILES,
        required=False,
        help_text="json: a page as of other lists. csv and xml: the rows alone, with the next page in the"
        " header Link. Default: by the header Accept, else json",
    )


class RowPages(KeysetPages):
    """Pages of instruments whose rows have the columns of a profile."""

    parameters = KeysetPages.parameters - {"fields"}
    page_size = 50

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters = super().get_schema_operation_parameters(view)
        return [parameter for parameter in parameters if parameter["name"] != "fields"]


class ProfileRowsView(ApiView, GenericAPIView[Instrument]):
    """A list of instruments, or of their listings or versions, in the shape of a profile."""

    name = "Rows of a profile"
    needs = {"GET": reading("instruments.view_instrument")}
    query_serializers = {"GET": RowsQuerySerializer}
    queryset = Instrument.objects.all()
    filterset_class = ListFilterSet
    pagination_class = RowPages
    file_types = tuple(export_files.MEDIA_TYPES[name] for name in _ROW_FILES)
    serializer_class = serializers.DictField  # type: ignore[assignment]  # for the schema

    @extend_schema(
        operation_id="profiles_rows",
        summary="List instruments, listings or versions in the shape of an output profile",
        description="The filters, the order and the pages are those of instruments; a page has all rows of"
        " its instruments. For whole lists see /instruments/export/ and its parameter `profile`.",
        parameters=[_VERSION],
        responses={
            (200, "application/json"): serializers.ListSerializer(child=serializers.DictField()),
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "The rows"),
            (200, "text/xml"): OpenApiResponse(OpenApiTypes.STR, "The rows"),
        },
    )
    def get(self, request: Request, profile: str) -> HttpResponseBase:
        query = self.query
        shape = shapes.get_shape(saving.get_profile(profile))
        instruments: Any = self.filter_queryset(self.get_queryset())
        page = cast(list[Instrument], self.paginate_queryset(instruments))
        with_corrections = query["corrections"] == "on"
        rows = shape.apply_to(
            export.read_rows(page, shape.source, with_corrections=with_corrections)
        )
        paginator = cast(RowPages, self.paginator)
        media_types = {name: export_files.MEDIA_TYPES[name] for name in _ROW_FILES}
        format_ = query.get("file") or choose_file(request, media_types)
        if format_ == "json":
            return paginator.get_paginated_response(export_files.name_values(rows, shape.target))
        links = paginator.get_paginated_response([]).headers.get("Link", "")
        content_type, write = export_files.FORMATS[format_]
        content = b"".join(itertools.chain(write(iter([rows]), shape.target)))
        return HttpResponse(
            content, content_type=content_type, headers={"Link": links} if links else None
        )
