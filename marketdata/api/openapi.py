"""The OpenAPI schema of each operation: its access rule, query parameters and problems."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from marketdata.api import parameters
from marketdata.api.parameters import StrictSerializer
from marketdata.api.permissions import get_rule
from marketdata.api.problems import SHARED_PROBLEMS, ProblemSerializer
from marketdata.web.access import PUBLIC, Rule
from marketdata.web.problems import CONTENT_TYPE


def path_parameter(name: str, description: str, **schema: Any) -> OpenApiParameter:
    """Return the documentation of a parameter in a path: a text, and what JSON Schema tells about it.

    path_parameter("mic", "Market identifier code", pattern="^[A-Za-z0-9]{4}$")
    """
    schema = {"type": "string", "minLength": 1, **schema}
    return OpenApiParameter(name, schema, OpenApiParameter.PATH, description=description)


class RuleSchema(AutoSchema):
    """Derives the documentation of an operation from what the view enforces.

    That is `needs` (access), `query_serializers` (query parameters) and the problems of SHARED_PROBLEMS that
    the operation can answer.
    """

    def get_description(self) -> str:  # type: ignore[override]  # the stubs confuse it with DRF's method
        rule = self._get_rule()
        paragraphs = [AutoSchema.get_description(self)]
        if rule.permission:
            paragraphs.append(f"Requires the permission `{rule.permission}`.")
        if rule.anonymous_read:
            paragraphs.append("Open to everybody if anonymous reading is enabled.")
        if rule.sensitive:
            paragraphs.append("Permitted only from the networks configured for sensitive work.")
        if rule.costly:
            paragraphs.append("Counts towards the limit of costly requests.")
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)

    def get_override_parameters(self) -> list[Any]:
        serializers = getattr(self.view, "query_serializers", {})
        serializer = parameters.get_for_method(self.view, serializers, self.method)
        return [] if serializer is None else [serializer]

    def get_paginated_name(self, serializer_name: str) -> str:
        """Return the name of the schema of a page; one with more than rows has a `schema_name` of its own."""
        name: str = super().get_paginated_name(serializer_name)
        return getattr(getattr(self.view, "pagination_class", None), "schema_name", name)

    def get_auth(self) -> list[dict[str, Any]]:
        rule = self._get_rule()
        if rule.everybody:
            return []
        schemes: list[dict[str, Any]] = super().get_auth()
        schemes = [scheme for scheme in schemes if rule.by_key or "apiKey" not in scheme]
        return [*schemes, {}] if rule.anonymous_read else schemes

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        """Add the shared problems to the responses that the view declares."""
        responses: Any = super()._get_response_bodies(direction)
        describe: Any = self._get_response_for_code
        for status in self._get_shared_statuses():
            if str(status) not in responses:
                problem = OpenApiResponse(ProblemSerializer, SHARED_PROBLEMS[status])
                responses[str(status)] = describe(problem, str(status), [CONTENT_TYPE], direction)
        return {status: responses[status] for status in sorted(responses)}

    def _get_shared_statuses(self) -> list[int]:
        """Return the statuses of the shared problems that this operation can answer."""
        reads = self.method in ("GET", "HEAD", "OPTIONS")
        statuses = [400, 401, 406, 429, 503]
        if not (self._get_rule().everybody and reads):
            statuses.append(403)
        if "{" in self.path or (reads and self._is_list_view()):
            statuses.append(404)
        if not reads:
            statuses += [413, 415]
        return statuses

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Document that a body with unknown fields is refused."""
        parent: Any = super()  # untyped
        schema = parent._map_basic_serializer(serializer, direction)
        if direction == "request" and isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def _unwrap_list_serializer(self, serializer: Any, direction: Any) -> Any:
        """Document the bounds of a list of objects, which drf-spectacular leaves out."""
        parent: Any = super()  # untyped
        schema = parent._unwrap_list_serializer(serializer, direction)
        if schema and schema.get("type") == "array":
            bounds = {"minItems": "min_length", "maxItems": "max_length"}
            for keyword, attribute in bounds.items():
                if (bound := getattr(serializer, attribute, None)) is not None:
                    schema[keyword] = bound
        return schema

    def _get_rule(self) -> Rule:
        return get_rule(self.view, self.method) or PUBLIC


def file_responses(media_types: Iterable[str]) -> dict[tuple[int, str], OpenApiResponse]:
    """Return documentation of a file in any of the media types, for `responses` of extend_schema."""
    responses = {}
    for media in media_types:
        schema: Any = OpenApiTypes.BINARY
        if media == "application/json":
            schema = {"type": "array", "items": {"type": "object", "additionalProperties": {}}}
        elif media.startswith("text/"):
            schema = OpenApiTypes.STR
        responses[200, media.partition(";")[0]] = OpenApiResponse(schema, "The file")
    return responses
