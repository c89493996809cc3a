"""Scopes in the API: the records of each register that are loaded."""

from typing import Any

from django.core.exceptions import ValidationError as Invalid
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from esma_files import queue
from esma_files.models import Run
from instruments.listings import scoping
from instruments.listings.models.scope import KINDS
from instruments.models import Register, Scope
from marketdata.api.problems import documented
from marketdata.common.access import holding, reading

_REGISTER = OpenApiParameter("register", str, OpenApiParameter.PATH, enum=Register.values)
_PROBLEMS = documented(
    {
        400: "Invalid code.",
        403: "Your roles do not include that.",
        404: "No such register.",
    }
)


class CriteriaSerializer(serializers.ModelSerializer[Scope]):
    """The criteria of a scope: a record meets each kind that is not empty, or has one of the ISINs."""

    categories = serializers.ListField(child=serializers.CharField(), default=list)
    authorities = serializers.ListField(child=serializers.CharField(), default=list)
    venues = serializers.ListField(child=serializers.CharField(), default=list)
    isins = serializers.ListField(child=serializers.CharField(), default=list)

    class Meta:
        model = Scope
        fields: tuple[str, ...] = KINDS


class ScopeSerializer(CriteriaSerializer):
    """The scope of a register, and the loaded files that lack something of it."""

    number = serializers.IntegerField(read_only=True, help_text="0 is everything, never set")
    to_backfill = serializers.SerializerMethodField(help_text="loaded files to be read anew")
    not_stored = serializers.SerializerMethodField(help_text="those that are not stored any more")

    class Meta:
        model = Scope
        fields: tuple[str, ...] = (
            *("register", "number"),
            *KINDS,
            *("set_at", "set_by", "to_backfill", "not_stored"),
        )
        read_only_fields = fields

    def to_representation(self, scope: Scope) -> dict[str, Any]:
        self._backlog = scoping.backlog(Register(scope.register))
        shown = super().to_representation(scope)
        if not scope.number:
            shown["set_at"] = None
        return shown

    def get_to_backfill(self, scope: Scope) -> list[str]:
        return [file.name for file in self._backlog.stored]

    def get_not_stored(self, scope: Scope) -> list[str]:
        return [file.name for file in self._backlog.gone]


class BackfillSerializer(serializers.Serializer[Any]):
    """The runs that were asked for."""

    runs = serializers.ListField(child=serializers.IntegerField())
    not_stored = serializers.ListField(child=serializers.CharField())


class ScopeViewSet(viewsets.ViewSet):
    """The records of each register that are loaded."""

    needs = {
        "list": reading("instruments.view_scope"),
        "retrieve": reading("instruments.view_scope"),
        "update": holding("instruments.add_scope", sensitive=True),
        "backfill": holding("esma_files.load_esmafile", sensitive=True, costly=True),
    }
    lookup_field = "register"
    lookup_value_regex = "[^/]+"

    def _register(self) -> Register:
        register = self.kwargs["register"].upper()
        if register not in Register.values:
            choices = ", ".join(Register.values)
            raise exceptions.NotFound(f"{register} is not a register; choose one of {choices}.")
        return Register(register)

    @extend_schema(
        summary="The scope of each register",
        responses={200: ScopeSerializer(many=True), **_PROBLEMS},
    )
    def list(self, request: Request) -> Response:
        found = [Scope.objects.current(register) for register in Register]
        return Response(ScopeSerializer(found, many=True).data)

    @extend_schema(
        summary="The scope of a register",
        parameters=[_REGISTER],
        responses={200: ScopeSerializer, **_PROBLEMS},
    )
    def retrieve(self, request: Request, register: str) -> Response:
        return Response(ScopeSerializer(Scope.objects.current(self._register())).data)

    @extend_schema(
        summary="Set the scope of a register",
        parameters=[_REGISTER],
        request=CriteriaSerializer,
        responses={200: ScopeSerializer, **_PROBLEMS},
    )
    def update(self, request: Request, register: str) -> Response:
        """Set the scope. Omitted criteria are open; files loaded before are unchanged until a backfill."""
        asked = CriteriaSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if unknown := sorted(set(request.data) - set(KINDS)):
            raise exceptions.ValidationError({name: ["No such criterion."] for name in unknown})
        try:
            scope = scoping.change(
                self._register(),
                asked.validated_data,
                by=request.user.get_username(),
                request=request,
            )
        except Invalid as error:
            raise exceptions.ValidationError(error.message_dict) from error
        return Response(ScopeSerializer(scope).data)

    @extend_schema(
        summary="Read anew the files that were loaded with another scope",
        parameters=[_REGISTER],
        request=None,
        responses={202: BackfillSerializer, **_PROBLEMS},
    )
    @action(detail=True, methods=["post"])
    def backfill(self, request: Request, register: str) -> Response:
        """Ask again when the runs are done: a file may have had later ones read anew."""
        found = scoping.backlog(self._register())
        by = request.user.get_username()
        runs = [
            queue.request_run(Run.Kind.LOAD, file=file, requested_by=by).pk for file in found.stored
        ]
        gone = [file.name for file in found.gone]
        return Response({"runs": runs, "not_stored": gone}, status=202)
