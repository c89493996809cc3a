"""Scopes in the API: the records of each register that are loaded."""

from typing import Any

from django.core.exceptions import ValidationError as Invalid
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.listings import scoping
from instruments.listings.models.scope import KINDS, MAX_CODES
from instruments.models import Register, Scope
from marketdata.api.openapi import path_parameter
from marketdata.api.parameters import StrictSerializer
from marketdata.api.views import ApiView
from marketdata.common.errors import NotInDatabase
from marketdata.web.access import holding, reading

_REGISTER = path_parameter(
    "register", "Register, in capital or small letters", enum=Register.values
)


def _codes_field(kind: str, help_text: str) -> serializers.ListField:
    """Return the field of one kind of criteria. Codes may be in small letters, with spaces around them."""
    code = serializers.CharField(max_length=50, allow_blank=True)
    return serializers.ListField(
        child=code, default=list, max_length=MAX_CODES[kind], help_text=help_text
    )


class CriteriaSerializer(StrictSerializer, serializers.ModelSerializer[Scope]):
    """The criteria of a scope: a record meets each kind that is not empty, or has one of the ISINs."""

    categories = _codes_field("categories", "CFI letters, as E")
    authorities = _codes_field("authorities", "countries, as SE")
    venues = _codes_field("venues", "MICs, as XSTO")
    isins = _codes_field("isins", "in scope whatever the other criteria are")

    class Meta:
        model = Scope
        fields: tuple[str, ...] = KINDS


class ScopeSerializer(CriteriaSerializer):
    """The scope of a register, and the loaded files that do not cover it."""

    number = serializers.IntegerField(
        read_only=True, help_text="0 if no scope has been set, so all is loaded"
    )
    set_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="null if no scope has been set"
    )
    set_by = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="User name; empty for a command, null for callers who may not see it",
    )
    to_backfill = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="loaded files that have to be read again",
    )
    not_stored = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="files that would have to be read again, but are no longer stored",
    )

    class Meta:
        model = Scope
        fields: tuple[str, ...] = (
            *("register", "number"),
            *KINDS,
            *("set_at", "set_by", "to_backfill", "not_stored"),
        )
        read_only_fields = fields


class BackfillSerializer(serializers.Serializer[Any]):
    """The runs that were requested."""

    runs = serializers.ListField(child=serializers.IntegerField())
    not_stored = serializers.ListField(child=serializers.CharField())


class ScopeViewSet(ApiView, viewsets.GenericViewSet[Scope]):
    """The records of each register that are loaded."""

    needs = {
        "list": reading("instruments.view_scope"),
        "retrieve": reading("instruments.view_scope"),
        "update": holding("instruments.add_scope", sensitive=True),
        "backfill": holding("esma_files.load_esmafile", sensitive=True, costly=True),
    }
    serializer_class = ScopeSerializer
    filter_backends = ()
    lookup_field = "register"
    lookup_value_regex = "[^/]+"

    def _register(self) -> Register:
        register = self.kwargs["register"].upper()
        if register not in Register.values:
            choices = ", ".join(Register.values)
            raise NotInDatabase(f"{register!r} is not a register. Registers: {choices}.")
        return Register(register)

    def _describe(self, scope: Scope) -> dict[str, Any]:
        return scoping.describe_scope(scope, user=self.request.user)

    @extend_schema(
        summary="List the scopes of the registers",
        responses={200: ScopeSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        scopes: Any = [Scope.objects.current(register) for register in Register]
        page: Any = self.paginate_queryset(scopes)
        return self.get_paginated_response([self._describe(scope) for scope in page])

    @extend_schema(
        summary="Get the scope of a register",
        parameters=[_REGISTER],
        responses={200: ScopeSerializer},
    )
    def retrieve(self, request: Request, register: str) -> Response:
        return Response(self._describe(Scope.objects.current(self._register())))

    @extend_schema(
        summary="Set the scope of a register",
        parameters=[_REGISTER],
        request=CriteriaSerializer,
        responses={200: ScopeSerializer},
    )
    def update(self, request: Request, register: str) -> Response:
        """Set the scope. Omitted criteria are open; files loaded before are unchanged until a backfill."""
        body = self.read_body(CriteriaSerializer)
        try:
            scope = scoping.change(
                self._register(),
                body,
                by=request.user.get_username(),
                request=request,
            )
        except Invalid as error:
            raise exceptions.ValidationError(error.message_dict) from error
        return Response(self._describe(scope))

    @extend_schema(
        summary="Read again the files that were loaded with a narrower scope",
        parameters=[_REGISTER],
        request=None,
        responses={202: BackfillSerializer},
    )
    @action(detail=True, methods=["post"])
    def backfill(self, request: Request, register: str) -> Response:
        """Request a load of each file. Ask again afterwards: a load may add later files to the backlog."""
        backlog = scoping.backlog(self._register())
        runs = scoping.request_backfill(backlog, by=request.user.get_username())
        not_stored = [file.name for file in backlog.not_stored]
        return Response({"runs": [run.pk for run in runs], "not_stored": not_stored}, status=202)
