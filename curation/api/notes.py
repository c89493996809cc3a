"""Notes and tags in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from curation import notes
from curation.filters import NoteFilterSet, TagFilterSet
from curation.models import Note, Subject, Tag
from marketdata.api.openapi import path_parameter
from marketdata.api.parameters import StrictSerializer
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.common.errors import NotInDatabase
from marketdata.web.access import holding

_NEEDS = {
    "list": holding("curation.view_note"),
    "create": holding("curation.add_note"),
    "destroy": holding("curation.add_note"),
}
_NUMBER = path_parameter("number", "Number of a note or tag", pattern="^[0-9]{1,18}$")


class _RowSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    subject = serializers.ChoiceField(choices=Subject.choices)
    code = serializers.CharField(help_text="ISIN, MIC or LEI")
    created_by = serializers.CharField(
        allow_null=True, help_text="User name; null for callers who may not see it"
    )
    created_at = serializers.DateTimeField()

    def to_representation(self, instance: Any) -> Any:
        return notes.describe(instance, user=self.context["request"].user)


class NoteSerializer(_RowSerializer):
    """A note."""

    text = serializers.CharField()


class TagSerializer(_RowSerializer):
    """A tag."""

    name = serializers.CharField()


class _BodySerializer(StrictSerializer):
    subject = serializers.ChoiceField(choices=Subject.choices)
    code = serializers.CharField(max_length=20, help_text="ISIN, MIC or LEI")


class NoteBodySerializer(_BodySerializer):
    """A note to be added."""

    text = serializers.CharField(max_length=2_000)


class TagBodySerializer(_BodySerializer):
    """A tag to be added."""

    name = serializers.CharField(max_length=40, help_text="Lower-case letters, digits and hyphens")


class _RowViewSet(ApiView, viewsets.GenericViewSet[Any]):
    """Rows that are added and deleted, and never edited."""

    needs = _NEEDS
    lookup_field = "number"
    lookup_value_regex = "[0-9]{1,18}"
    body_class: Any
    add: Any

    def list(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def create(self, request: Request) -> Response:
        body = self.read_body(self.body_class)
        by = request.user.get_username()
        row = type(self).add(**body, by=by, request=request)
        return Response(self.get_serializer(row).data, status=201)

    def destroy(self, request: Request, number: str) -> Response:
        row = self.get_queryset().filter(pk=number).first()
        if row is None:
            raise NotInDatabase(f"There is no {row_name(self)} {number}.")
        may_delete = request.user.has_perm(notes.DELETE)
        by = request.user.get_username()
        notes.delete(row, by=by, may_delete=may_delete, request=request)
        return Response(status=204)


def row_name(view: _RowViewSet) -> str:
    return str(view.get_queryset().model._meta.verbose_name)


_UNKNOWN = "The database has no such instrument, venue or legal entity."
_ADDING_NOTE = documented({404: _UNKNOWN})
_ADDING_TAG = documented({404: _UNKNOWN, 409: "It has this tag already."})


@extend_schema_view(
    list=extend_schema(summary="List and search notes, newest first"),
    create=extend_schema(
        summary="Add a note",
        request=NoteBodySerializer,
        responses={201: NoteSerializer, **_ADDING_NOTE},
    ),
    destroy=extend_schema(
        summary="Delete a note of your own, or any as a curator",
        parameters=[_NUMBER],
        responses={204: None},
    ),
)
class NoteViewSet(_RowViewSet):
    """Notes about instruments, venues and legal entities."""

    title = "Notes"
    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    filterset_class = NoteFilterSet
    body_class = NoteBodySerializer
    add = staticmethod(notes.add_note)


@extend_schema_view(
    list=extend_schema(summary="List and search tags"),
    create=extend_schema(
        summary="Add a tag",
        request=TagBodySerializer,
        responses={201: TagSerializer, **_ADDING_TAG},
    ),
    destroy=extend_schema(
        summary="Delete a tag of your own, or any as a curator",
        parameters=[_NUMBER],
        responses={204: None},
    ),
)
class TagViewSet(_RowViewSet):
    """Tags of instruments, venues and legal entities."""

    title = "Tags"
    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    filterset_class = TagFilterSet
    body_class = TagBodySerializer
    add = staticmethod(notes.add_tag)
