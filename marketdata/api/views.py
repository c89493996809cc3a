"""The base class of API views, the entry point of the API, and the answer to unknown paths."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import resolve
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import MethodNotAllowed, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from marketdata.api import parameters
from marketdata.api.browsable import UNKNOWN_PATH
from marketdata.api.parameters import QuerySerializer
from marketdata.web.access import PUBLIC, Rule, reading


class ApiView(APIView):
    """The base of every view of the API, alone or before one of DRF's generic classes.

    A view declares, by action (view sets) or HTTP method (other views):

    * `needs`: the rule that a caller must meet (`marketdata.web.access`);
    * `query_serializers`: the query parameters beside those of filters and pages. They are documented in
      the OpenAPI schema by that, and `self.query` has their validated values. Those of a body are returned by
      `self.read_body(serializer_class)`.

    Every other query parameter is refused with 400 and a suggestion. Problem responses (400, 401, 403, 404,
    429, 503, ...) are documented by `marketdata.api.openapi`; a view adds only what is particular to it,
    by `documented({409: "The file is being loaded."})`. Errors of the domain (`marketdata.common.errors`)
    need no translation: the exception handler answers them.

        class WhenSerializer(QuerySerializer):
            as_of = serializers.DateField(required=False, help_text="Day for which the record was valid")

        class InstrumentViewSet(ApiView, ReadOnlyModelViewSet[Instrument]):
            needs = dict.fromkeys(("list", "retrieve"), reading("instruments.view_instrument"))
            query_serializers = {"retrieve": WhenSerializer}

            def retrieve(self, request: Request, isin: str) -> Response:
                instrument = history.snapshot(isin, **self.query)  # raises InvalidQuery or NotInDatabase
    """

    needs: Mapping[str, Rule] = {}
    query_serializers: Mapping[str, type[QuerySerializer]] = {}
    # Media types of the files that this view answers with, which the header Accept may name.
    file_types: Sequence[str] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check permissions and limits, then the method and the names of the query parameters."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods and request.method != "HEAD":
            raise MethodNotAllowed(str(request.method))
        accepted = parameters.get_accepted_parameters(self, str(request.method))
        parameters.refuse_unknown(request.query_params, accepted, noun="parameter")
        parameters.refuse_repeated(request.query_params.lists(), self)

    @property
    def query(self) -> dict[str, Any]:
        """The validated query parameters of this operation; raises ValidationError."""
        method = str(self.request.method)
        serializer_class = parameters.get_for_method(self, self.query_serializers, method)
        if serializer_class is None:
            return {}
        if not parameters.get_field_names(serializer_class) & self.request.query_params.keys():
            return dict(parameters.get_defaults(serializer_class))
        return _validate(serializer_class, self.request.query_params)

    def read_body(self, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
        """Return the validated values of the body; raises ValidationError."""
        return _validate(serializer_class, self.request.data)


def _validate(serializer_class: type[Serializer[Any]], data: Any) -> dict[str, Any]:
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    validated: dict[str, Any] = serializer.validated_data
    return validated


class RootView(ApiView):
    """Reference data of every instrument tradable in the EU and the UK, from ESMA and the FCA."""

    name = "API"
    needs = {"GET": reading("instruments.view_instrument")}
    url_names = {
        "instruments": "instrument-list",
        "changes": "instrument-changes",
        "files": "file-list",
        "runs": "run-list",
        "storage": "storage",
        "venues": "venue-list",
        "entities": "entity-list",
        "issuer_differences": "issuer-differences",
        "transparency": "transparency-list",
        "transparency_of_sub_classes": "subclass-transparency-list",
        "volume_cap": "volume-cap-list",
        "cfi": "cfi-list",
        "reconciliations": "reconciliation-list",
        "profiles": "profile-list",
        "corrections": "correction-list",
        "problems": "problem-list",
        "watchlists": "watchlist-list",
        "lists": "list-file-list",
        "webhooks": "webhook-list",
        "notes": "note-list",
        "tags": "tag-list",
        "stats": "stats",
        "schema": "schema",
        "docs": "docs",
    }

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        links = {key: reverse(name, request=request) for key, name in self.url_names.items()}
        return Response(links)


class UnknownPathView(APIView):
    """Answers every unknown path below /api/ with a problem document, whatever the HTTP method.

    Where a slash at the end is all that is missing, the answer says so. A redirect would lose the body of a
    POST in many clients.
    """

    name = UNKNOWN_PATH
    schema = None
    needs = {"GET": PUBLIC}

    def initial(self, request: Request, *args: Any, **path: str) -> None:
        super().initial(request, *args, **path)
        hint = "See /api/docs/ for the paths of this API."
        if not request.path.endswith("/") and _is_known(f"{request.path_info}/"):
            hint = f"Paths end with a slash: {request.path}/"
        raise NotFound(f"No such path. {hint}")

    def get(self, request: Request, **path: str) -> Response:
        """Never run: declares a method, so that the view has rules for it."""
        raise NotFound


def _is_known(path: str) -> bool:
    """Return whether a path has a view of its own."""
    return getattr(resolve(path).func, "cls", None) is not UnknownPathView
