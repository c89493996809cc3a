"""The base of API views: query parameters, errors of the domain, and their documentation."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from instruments.listings.api.views import InstrumentViewSet
from marketdata.api.parameters import QuerySerializer, StrictSerializer, get_accepted_parameters
from marketdata.api.problems import SHARED_PROBLEMS
from marketdata.api.views import ApiView
from marketdata.common.errors import InvalidQuery, NotInDatabase, NotPermitted, WrongState
from marketdata.common.lookup import clean_code
from marketdata.common.suggestions import describe_unknown
from marketdata.web.access import PUBLIC


class ColourSerializer(QuerySerializer):
    colour = serializers.ChoiceField(choices=["red", "green"], required=False)
    day = serializers.DateField(required=False)


class RowSerializer(StrictSerializer):
    name = serializers.CharField()


class BodySerializer(StrictSerializer):
    names = serializers.ListField(child=serializers.CharField(), required=False)
    colours = serializers.ListField(
        child=serializers.ChoiceField(choices=["red", "green"]), required=False
    )
    rows = RowSerializer(many=True, required=False)
    days = serializers.ListField(child=serializers.DateField(), required=False)
    time = serializers.DateTimeField(required=False)


class ColourView(ApiView):
    """Answers the validated query, or raises `error`."""

    needs = {"GET": PUBLIC, "POST": PUBLIC}
    query_serializers = {"GET": ColourSerializer}
    error: Exception | None = None

    def get(self, request: Request) -> Response:
        if self.error is not None:
            raise self.error
        return Response(self.query)

    def post(self, request: Request) -> Response:
        return Response(self.query)


def ask(path: str, *, method: str = "GET", error: Exception | None = None) -> Any:
    request = APIRequestFactory().generic(method, path)
    response: Any = ColourView.as_view(error=error)(request)
    response.render()
    return response


def test_declared_parameters_are_validated() -> None:
    assert ask("/?colour=red&day=2024-06-08").data == {
        "colour": "red",
        "day": dt.date(2024, 6, 8),
    }
    assert ask("/").data == {}


def test_an_unknown_parameter_is_refused_with_the_closest_name() -> None:
    response = ask("/?color=red")

    assert response.status_code == 400
    assert response.data["errors"] == {
        "color": [
            "Unknown parameter 'color'. Did you mean 'colour'? Known parameters: colour, day, format."
        ]
    }


@pytest.mark.parametrize(
    ("name", "hint"), [("co", " Did you mean 'colour'?"), ("as_of", ""), ("", ""), ("\x00", "")]
)
def test_only_a_similar_name_or_one_that_begins_so_is_suggested(name: str, hint: str) -> None:
    names = {"colour", "has_figi", "day"}

    text = describe_unknown(name, names, "parameter")

    assert text == f"Unknown parameter {name!r}.{hint} Known parameters: colour, day, has_figi."


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("limit", "per_page"),
        ("offset", "cursor"),
        ("search", "q"),
        ("Sort", "ordering"),
        ("cfi_code", "cfi"),
        ("issuer_lei", "issuer"),
        ("venue", "mic"),
        ("CATEGORY", "category"),
        ("currencies", "currency"),
        ("maturity", "maturity_after"),
    ],
)
def test_names_of_other_apis_and_of_fields_lead_to_ours(name: str, suggested: str) -> None:
    accepted = get_accepted_parameters(_get_list_of_instruments(), "GET")

    assert f" Did you mean {suggested!r}?" in describe_unknown(name, accepted, "parameter")


def _get_list_of_instruments() -> Any:
    view = InstrumentViewSet()
    view.action_map, view.action = {"get": "list"}, "list"
    return view


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ([], {"request": ["Expected an object."]}),
        ({"names": {}}, {"names": ["Expected an array."]}),
        ({"names": [1, []]}, {"names.1": ["Not a valid string."]}),
        (
            {"colours": ["blue"]},
            {"colours.0": ["'blue' is not a valid choice. Choose one of: red, green."]},
        ),
        ({"days": ["2021-02-30"]}, {"days.0": ["This is not a day as 2026-07-18."]}),
        ({"time": "today"}, {"time": ["This is not a time as 2026-07-18T06:00:00Z."]}),
        ({"rows": 1}, {"rows": ["Expected an array."]}),
        ({"rows": [{"name": "a"}, 1]}, {"rows.1": ["Expected an object."]}),
        (
            {"rows": [{"name": "a"}, {"name": "b", "size": 1}]},
            {"rows.1.size": ["Unknown field 'size'. Known fields: name."]},
        ),
        ({"rows": [{"name": "a"}, {}]}, {"rows.1.name": ["This field is required."]}),
    ],
)
def test_errors_of_bodies_have_the_words_of_json(body: Any, errors: dict[str, list[str]]) -> None:
    serializer = BodySerializer(data=body)
    assert not serializer.is_valid()

    response = ask("/", error=ValidationError(serializer.errors))

    assert response.data["errors"] == errors


def test_choices_of_bodies_are_taken_in_any_case() -> None:
    serializer = BodySerializer(data={"colours": ["RED", "Green", "red"]})

    assert serializer.is_valid()
    assert serializer.validated_data == {"colours": ["red", "green", "red"]}
    assert ask("/?colour=Red").data == {"colour": "red"}


def test_parameters_of_another_method_are_refused() -> None:
    response = ask("/?colour=red", method="POST")

    assert response.status_code == 400
    assert "Known parameters: format." in response.data["detail"]


def test_an_invalid_choice_is_refused_with_the_choices() -> None:
    response = ask("/?colour={blue}")

    assert response.data["errors"] == {
        "colour": ["'{blue}' is not a valid choice. Choose one of: red, green."]
    }


def test_every_value_that_is_not_valid_is_named() -> None:
    assert set(ask("/?colour=blue&day=tomorrow").data["errors"]) == {"colour", "day"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidQuery("isin", "'X' is not an ISIN."), 400),
        (NotPermitted("Only admins may do this."), 403),
        (NotInDatabase("No instrument has this ISIN."), 404),
        (WrongState("The file is being loaded."), 409),
    ],
)
def test_errors_of_the_domain_are_answered_as_problems(error: Exception, status: int) -> None:
    response = ask("/", error=error)

    assert response.status_code == response.data["status"] == status
    assert str(error) in response.data["detail"]
    assert response.headers["Content-Type"] == "application/problem+json"


def test_an_unexpected_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ask("/", error=ZeroDivisionError())


def test_an_unknown_field_of_a_body_is_refused_with_the_closest_name() -> None:
    class BodySerializer(StrictSerializer):
        username = serializers.CharField()

    serializer = BodySerializer(data={"user_name": "carla"})

    assert not serializer.is_valid()
    assert "Did you mean 'username'?" in str(serializer.errors["user_name"])


def test_a_code_is_cleaned_or_refused_by_name() -> None:
    assert clean_code(" xpar ", "mic", lambda code: None) == "XPAR"
    with pytest.raises(InvalidQuery, match="'XPARIS' is not valid: too long"):
        clean_code("xparis", "mic", lambda code: "too long")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/stats/"])
def test_addresses_without_parameters_refuse_them(
    path: str, client: Client, anonymous_reading: None
) -> None:
    response = client.get(path, {"nonsense": "1"})

    assert response.status_code == 400
    assert "Unknown parameter 'nonsense'" in response.json()["detail"]


def test_every_operation_documents_the_shared_problems() -> None:
    generator: Any = SchemaGenerator  # untyped
    schema = generator().get_schema(request=None, public=True)
    operations = [
        (f"{method} {path}", set(operation["responses"]))
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]

    assert operations
    for name, statuses in operations:
        assert {"400", "401", "406", "429", "503"} <= statuses, name
        assert ("404" in statuses) or "{" not in name, name
        assert statuses <= {*map(str, SHARED_PROBLEMS), "200", "201", "202", "204", "302", "409"}, (
            name
        )


# Codes that the look-ups accept, by the parameter in the path; some in small letters.
CODES = {
    "code": ["E", "es*uf", "ESVUFR"],
    "figi": ["BBG000BLNNH6", "bbg000blnnh6"],
    "isin": ["SE0000115446", "de000a1r07v3"],
    "lei": ["549300HGV012CNC8JD22", "549300hgv012cnc8jd22"],
    "mic": ["XSTO", "xsto", "360T"],
    "prefix": ["0123456789ab"],
    "register": ["ESMA", "FCA"],
    "username": ["ada", "o'neil@example.eu"],
}


def test_every_parameter_in_a_path_is_documented_with_its_form() -> None:
    generator: Any = SchemaGenerator  # untyped
    schema = generator().get_schema(request=None, public=True)
    parameters = {
        (parameter["name"], path): parameter["schema"]
        for path, methods in schema["paths"].items()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }

    assert set(CODES) <= {name for name, path in parameters}
    for (name, path), form in parameters.items():
        assert {"enum", "pattern"} & set(form), (name, path)
        for code in CODES.get(name, ()):
            jsonschema.Draft202012Validator(form).validate(code)


def test_every_list_in_a_body_has_an_end() -> None:
    generator: Any = SchemaGenerator  # untyped
    schema = generator().get_schema(request=None, public=True)
    bodies = {
        f"{method} {path}": content["schema"]
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        for content in operation.get("requestBody", {"content": {}})["content"].values()
    }

    assert len(bodies) > 15
    for name, body in bodies.items():
        for field in _walk(body, schema["components"]["schemas"]):
            assert field.get("type") != "array" or "maxItems" in field, name


def _walk(field: Any, components: Any) -> Iterator[Any]:
    """Yield the schema of a body and of all its fields."""
    if reference := field.get("$ref"):
        field = components[reference.rpartition("/")[2]]
    yield field
    for part in (*field.get("properties", {}).values(), *field.get("allOf", ())):
        yield from _walk(part, components)
    if "items" in field:
        yield from _walk(field["items"], components)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_schema_is_generated_once_and_answered_by_304_if_it_is_known(
    client: Client, anonymous_reading: None
) -> None:
    first = client.get("/api/schema/", {"format": "json"})
    etag = first.headers["ETag"]
    again = client.get("/api/schema/", {"format": "json"}, headers={"if-none-match": etag})
    other = client.get("/api/schema/", headers={"if-none-match": etag})

    assert first.headers["Content-Type"] == "application/vnd.oai.openapi+json"
    assert "Accept" in first.headers["Vary"]
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert other.status_code == 200  # YAML, which is another content
    assert other.content.startswith(b"openapi: 3.1.0")


class ListSerializer(StrictSerializer):
    names = serializers.ListField(child=serializers.DateField(), max_length=3)


class TestLongBodies:
    def test_list_that_is_too_long_is_refused_before_its_items_are_checked(self) -> None:
        serializer = ListSerializer(data={"names": ["not a day"] * 4})

        assert not serializer.is_valid()
        assert serializer.errors == {"names": ["At most 3 items; these are 4."]}

    @pytest.mark.django_db
    def test_errors_quote_a_bounded_part_of_what_was_sent(self, client: Client) -> None:
        names = {f"{number:03}{'n' * 5_000}": 1 for number in range(150)}
        for body in (names, {"refresh": ["r" * 500_000]}, {"refresh": 1, "n" * 900_000: 2}):
            response = client.post("/api/v1/auth/refresh/", body, content_type="application/json")

            assert response.status_code == 400
            assert len(response.content) < 50_000


def test_every_operation_has_its_place_in_the_documentation() -> None:
    generator: Any = SchemaGenerator  # untyped
    schema = generator().get_schema(request=None, public=True)

    ordered = [tag["name"] for tag in schema["tags"]]

    used = {
        tag
        for path in schema["paths"].values()
        for operation in path.values()
        for tag in operation["tags"]
    }
    assert ordered[0] == "instruments"
    assert set(ordered) == used
    assert len(ordered) == len(used)
