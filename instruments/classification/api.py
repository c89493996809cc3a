"""CFI codes in the API: browse the table of ISO 10962, decode a code, expand a pattern."""

import itertools
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instruments.classification import cfi
from instruments.models import CfiCode
from marketdata.api.pagination import NumberedPages
from marketdata.api.problems import documented
from marketdata.common.access import reading

_PROBLEMS = documented(
    {
        400: "Not a CFI code, nor a pattern of codes.",
        404: "No such category or group, or page.",
    }
)
_CODE = OpenApiParameter(
    "code",
    str,
    OpenApiParameter.PATH,
    description="A code, the start of one (`E`, `ES`), or a pattern with `*` for any letter",
)


class NamedSerializer(serializers.Serializer[Any]):
    """A category or a group."""

    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()


class CategorySerializer(NamedSerializer):
    """A category with its groups."""

    groups = serializers.SerializerMethodField()

    def get_groups(self, category: cfi.Category) -> list[dict[str, str]]:
        return [{"code": group.code, "name": group.name} for group in category.groups.values()]


class ProblemOfCodeSerializer(serializers.Serializer[cfi.Problem]):
    """A letter that no edition of ISO 10962 has at its position."""

    position = serializers.IntegerField(help_text="1 to 6")
    letter = serializers.CharField()
    allowed = serializers.DictField(
        child=serializers.CharField(),
        help_text="the letters of ISO 10962:2019 for this position, with their meanings",
    )


class DecodedAttributeSerializer(serializers.Serializer[cfi.DecodedAttribute]):
    """The meaning of one attribute of a code."""

    position = serializers.IntegerField(help_text="3 to 6")
    name = serializers.CharField()
    letter = serializers.CharField()
    meaning = serializers.CharField(
        allow_null=True, help_text="null where no edition of ISO 10962 has the letter"
    )
    edition = serializers.CharField(
        allow_null=True,
        help_text="edition of ISO 10962 that has the letter: 2019 where that has it",
    )


class ClassificationSerializer(serializers.Serializer[cfi.Decoded]):
    """A CFI code with the meaning of each letter."""

    code = serializers.CharField()
    category = NamedSerializer(allow_null=True)
    group = NamedSerializer(allow_null=True)
    attributes = DecodedAttributeSerializer(many=True)
    valid = serializers.SerializerMethodField(
        help_text="whether every letter is in an edition of ISO 10962"
    )
    edition = serializers.CharField(
        allow_null=True,
        help_text="edition of ISO 10962 that has every letter: 2019 or another one; null if invalid",
    )
    problems = ProblemOfCodeSerializer(many=True)

    def get_valid(self, decoded: cfi.Decoded) -> bool:
        return not decoded.problems


class AttributeSerializer(serializers.Serializer[cfi.Attribute]):
    """An attribute of a group, with all its values."""

    position = serializers.IntegerField(help_text="3 to 6")
    name = serializers.CharField()
    values = serializers.DictField(child=serializers.CharField(), help_text="letter and meaning")


class CfiSerializer(serializers.Serializer[Any]):
    """A code, or a part of the table of codes: its category and group, and everything below it."""

    pattern = serializers.CharField(help_text="six letters, `*` for any")
    category = NamedSerializer(allow_null=True, help_text="null where the pattern is open")
    group = NamedSerializer(allow_null=True, help_text="null where the pattern is open")
    groups = NamedSerializer(many=True, help_text="those that match")
    attributes = AttributeSerializer(many=True, help_text="of the group, with all their values")
    classification = ClassificationSerializer(allow_null=True, help_text="of a whole code")
    valid_codes = serializers.IntegerField(help_text="matching codes of ISO 10962:2019")
    codes_in_use = serializers.ListField(
        child=serializers.CharField(), help_text="codes in the files loaded that match"
    )


def _pattern(text: str) -> str:
    try:
        return cfi.pattern_of(text)
    except cfi.BadCfi as problem:
        raise exceptions.ValidationError({"code": [f"{problem}."]}) from None


def place(pattern: str) -> Mapping[str, Any]:
    """Return the fields of `CfiSerializer` for a pattern of six letters and stars."""
    category = cfi.categories().get(pattern[0])
    group = category.groups.get(pattern[:2]) if category else None
    matching = [g for code, g in cfi.groups().items() if cfi.matches(pattern, code)]
    return {
        "pattern": pattern,
        "category": category,
        "group": group,
        "groups": matching,
        "attributes": group.attributes if group else (),
        "classification": None if cfi.ANY in pattern else cfi.decode(pattern),
        "valid_codes": cfi.count(pattern),
        "codes_in_use": CfiCode.objects.matching([pattern]).values_list("code", flat=True),
    }


class CategoriesView(APIView):
    """The categories of ISO 10962 with their groups."""

    name = "CFI codes"
    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(
        operation_id="cfi_list",
        summary="The categories of CFI codes, and their groups",
        responses={200: CategorySerializer(many=True), **_PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        return Response(CategorySerializer(list(cfi.categories().values()), many=True).data)


class CfiView(APIView):
    """A category, a group, a code or a pattern of codes."""

    name = "CFI code"
    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(
        summary="Decode a CFI code, or browse the table of codes",
        parameters=[_CODE],
        responses={200: CfiSerializer, **_PROBLEMS},
    )
    def get(self, request: Request, code: str) -> Response:
        fields = place(_pattern(code))
        if not fields["groups"] and fields["classification"] is None:
            raise exceptions.NotFound(f"ISO 10962 has no group that matches {fields['pattern']}.")
        return Response(CfiSerializer(fields).data)


class _Expansion:
    """The valid codes of a pattern: a sequence that makes only the page asked for."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __len__(self) -> int:
        return cfi.count(self._pattern)

    def __getitem__(self, part: slice) -> list[cfi.Decoded]:
        codes = itertools.islice(cfi.expand(self._pattern), part.start, part.stop)
        return [cfi.decode(code) for code in codes]


class ExpansionView(GenericAPIView[Any]):
    """Every valid code that matches a pattern."""

    name = "Valid codes"
    needs = {"GET": reading("instruments.view_instrument")}
    pagination_class = NumberedPages
    serializer_class = ClassificationSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="cfi_codes_list",
        summary="Every valid code that matches a pattern, decoded",
        parameters=[_CODE],
        responses={200: ClassificationSerializer(many=True), **_PROBLEMS},
    )
    def get(self, request: Request, code: str) -> Response:
        codes: Any = _Expansion(_pattern(code))
        page: Any = self.paginate_queryset(codes)
        return self.get_paginated_response(ClassificationSerializer(page, many=True).data)
