"""The tools that a language model may call. Each is an operation of the API, with some of its parameters."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import django_filters
from rest_framework import serializers

from instruments.dossier.api import DossierQuerySerializer
from instruments.listings.api.parameters import ReportabilityQuerySerializer, SnapshotSerializer
from instruments.listings.filters import ListFilterSet
from instruments.transparency.api.views import TransparencyQuerySerializer
from marketdata.api.parameters import QuerySerializer
from marketdata.common.errors import InvalidQuery
from marketdata.common.suggestions import describe_unknown

_ISIN = "ISIN of the instrument, or a FIGI or ticker that only it has"
_FILTERS = (
    *("q", "isin", "category", "type", "cfi", "attribute", "currency", "issuer", "mic", "register"),
    *("status", "effective_status", "underlying", "maturity_after", "maturity_before"),
    *("expiry_after", "expiry_before", "first_trade_after", "first_trade_before", "changed_since"),
    *("has_figi", "has_entity", "ordering"),
)
_MAX_CHARACTERS = 8_000  # of all arguments, as an address has at most: filters are made for no more
_MAX_ROWS = 100  # of a search: an answer should fit into the context of a model


@dataclasses.dataclass(frozen=True)
class Tool:
    """A question: the name of the path that answers it, and the parameters that a model may give.

    `key` is the argument that stands in the path, "" for none.
    """

    name: str
    title: str
    description: str
    url_name: str
    key: str = ""
    key_help: str = ""
    query: type[QuerySerializer] | None = None
    without: tuple[str, ...] = ()  # parameters that are of no use to a model
    is_search: bool = False

    @cached_property
    def properties(self) -> dict[str, dict[str, Any]]:
        """The JSON schema of each argument."""
        properties: dict[str, dict[str, Any]] = {}
        if self.key:
            properties[self.key] = {"type": "string", "description": self.key_help}
        if self.is_search:
            filters = ListFilterSet.base_filters
            properties |= {name: _describe_filter(filters[name]) for name in _FILTERS}
            properties |= {
                "limit": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": _MAX_ROWS,
                    "description": f"Number of instruments: 20 by default, at most {_MAX_ROWS}",
                },
                "cursor": {
                    "type": "string",
                    "description": "To continue: `pagination.cursor` of the previous answer",
                },
            }
        if self.query is not None:
            fields: Mapping[str, Any] = self.query().fields
            properties |= {
                name: _describe_field(field)
                for name, field in fields.items()
                if name not in self.without
            }
        return properties

    def describe(self) -> dict[str, Any]:
        """Return the tool as `tools/list` has it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": self.properties,
                "required": [self.key] if self.key else [],
                "additionalProperties": False,
            },
            "annotations": {
                "title": self.title,
                "readOnlyHint": True,
                "idempotentHint": True,
                "openWorldHint": False,
            },
        }

    def prepare(self, arguments: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the arguments of the path and the query parameters. Raises InvalidQuery."""
        texts = {
            name: _to_text(name, value) for name, value in arguments.items() if value is not None
        }
        if (characters := sum(map(len, texts.values()))) > _MAX_CHARACTERS:
            message = f"At most {_MAX_CHARACTERS:,} characters; these are {characters:,}."
            raise InvalidQuery("arguments", message)
        for name in texts:
            if name not in self.properties:
                known = list(self.properties)
                message = describe_unknown(name, known, "argument", listed_in="tools/list")
                raise InvalidQuery(name, message)
        path = {}
        if self.key:
            if not texts.get(self.key, "").strip():
                raise InvalidQuery(self.key, f"The argument {self.key!r} is required.")
            path[self.key] = texts.pop(self.key).strip()
            if "/" in path[self.key]:
                raise InvalidQuery(self.key, f"{path[self.key]!r} is not valid: it has a slash.")
        if "limit" in texts:
            limit = texts.pop("limit")
            if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _MAX_ROWS):
                message = f"{limit!r} is not a whole number from 1 to {_MAX_ROWS}."
                raise InvalidQuery("limit", message)
            texts["per_page"] = limit
        return path, texts


def _to_text(name: str, value: Any) -> str:
    """Return an argument as a query parameter; lists are joined by commas. Raises InvalidQuery."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise InvalidQuery(name, f"The argument {name!r} is neither a text nor a whole number.")


def _describe_filter(filter_: django_filters.Filter) -> dict[str, Any]:
    if isinstance(filter_, django_filters.DateFilter):
        return {"type": "string", "format": "date", "description": str(filter_.label)}
    return _describe(filter_.label, filter_.extra.get("choices", ()))


def _describe_field(field: Any) -> dict[str, Any]:
    if isinstance(field, serializers.DateField):
        return {"type": "string", "format": "date", "description": str(field.help_text)}
    choices = field.choices.items() if isinstance(field, serializers.ChoiceField) else ()
    return _describe(field.help_text, choices)


def _describe(text: Any, choices: Any) -> dict[str, Any]:
    described = {"type": "string", "description": str(text)}
    values = [str(value) for value, _ in choices]
    return {**described, "enum": values} if values else described


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "search",
            "Search instruments",
            "List the instruments that match words and filters, in the order of ISINs, with CFI code,"
            " currency, issuer, reference listing and status.",
            "instrument-list",
            is_search=True,
        ),
        Tool(
            "instrument",
            "Get an instrument",
            "Get one instrument with its classification, terms, issuer, listings and corrections; each"
            " listing with the file that published it. Answers for a day with `as_of` or `known_on`.",
            "instrument-detail",
            key="isin",
            key_help=_ISIN,
            query=SnapshotSerializer,
        ),
        Tool(
            "reportability",
            "Check reportability",
            "Answer whether an instrument was reportable on a day, on which venues, and why, with the records"
            " that decide it.",
            "instrument-reportable",
            key="isin",
            key_help=_ISIN,
            query=ReportabilityQuerySerializer,
        ),
        Tool(
            "transparency",
            "Get transparency results",
            "Get the published results for liquidity, thresholds and market size that apply to an instrument"
            " on a day, with their rules and source files.",
            "instrument-transparency",
            key="isin",
            key_help=_ISIN,
            query=TransparencyQuerySerializer,
        ),
        Tool(
            "entity",
            "Get a legal entity",
            "Get one legal entity by LEI, as GLEIF publishes it, with names, addresses, status and"
            " successors.",
            "entity-detail",
            key="lei",
            key_help="LEI of the entity",
        ),
        Tool(
            "dossier",
            "Get the dossier of an instrument",
            "Get all that is known of an instrument in at most 24,000 bytes, each part with its sources and"
            " their age, and the sources that have nothing.",
            "instrument-dossier",
            key="isin",
            key_help=_ISIN,
            query=DossierQuerySerializer,
            without=("output",),
        ),
    )
}
