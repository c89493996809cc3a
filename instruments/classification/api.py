"""CFI codes in the API: browse the table of ISO 10962, decode a code, expand a pattern."""

import itertools
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.classification import cfi, descriptions
from marketdata.api.pagination import NumberedPages
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class NamedSerializer(serializers.Serializer[Any]):
    """A category or a group."""

    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()


class GroupNameSerializer(serializers.Serializer[Any]):
    """A group of a category."""

    code = serializers.CharField()
    name = serializers.CharField()


class CategorySerializer(NamedSerializer):
    """A category with its groups."""

    groups = GroupNameSerializer(many=True)


class ProblemOfCodeSerializer(serializers.Serializer[Any]):
    """A letter that no edition of ISO 10962 has at its position."""

    position = serializers.IntegerField(help_text="1 to 6")
    letter = serializers.CharField()
    allowed = serializers.DictField(
        child=serializers.CharField(),
        help_text="the letters of ISO 10962:2019 for this position, with their meanings",
    )


class DecodedAttributeSerializer(serializers.Serializer[Any]):
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


class ClassificationSerializer(serializers.Serializer[Any]):
    """A CFI code with the meaning of each letter."""

    code = serializers.CharField()
    category = NamedSerializer(allow_null=True)
    group = NamedSerializer(allow_null=True)
    attributes = DecodedAttributeSerializer(many=True)
    valid = serializers.BooleanField(help_text="whether every letter is in an edition of ISO 10962")
    edition = serializers.CharField(
        allow_null=True,
        help_text="edition of ISO 10962 that has every letter: 2019 or another one; null if invalid",
    )
    problems = ProblemOfCodeSerializer(many=True)


class AttributeSerializer(serializers.Serializer[Any]):
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


class CategoriesView(ApiView, GenericAPIView[Any]):
    """The categories of ISO 10962 with their groups."""

    name = "CFI codes"
    needs = {"GET": reading("instruments.view_instrument")}
    serializer_class = CategorySerializer
    filter_backends = ()

    @extend_schema(
        operation_id="cfi_list",
        summary="List the categories of CFI codes with their groups",
        responses={200: CategorySerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        categories: Any = descriptions.describe_categories()
        return self.get_paginated_response(self.paginate_queryset(categories))


class CfiView(ApiView):
    """A category, a group, a code or a pattern of codes."""

    name = "CFI code"
    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(
        summary="Decode a CFI code, or browse the table of codes",
        parameters=[path_parameters.CFI],
        responses={200: CfiSerializer},
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(descriptions.describe_pattern(descriptions.check_pattern(code)))


class _Expansion:
    """The valid codes of a pattern: a sequence that makes only the page asked for."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __len__(self) -> int:
        return cfi.count(self._pattern)

    def __getitem__(self, part: slice) -> list[cfi.Decoded]:
        codes = itertools.islice(cfi.expand(self._pattern), part.start, part.stop)
        return [cfi.decode(code) for code in codes]


class ExpansionView(ApiView, GenericAPIView[Any]):
    """Every valid code that matches a pattern."""

    name = "Valid codes"
    needs = {"GET": reading("instruments.view_instrument")}
    pagination_class = NumberedPages
    serializer_class = ClassificationSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="cfi_codes_list",
        summary="List the valid codes that match a pattern, decoded",
        parameters=[path_parameters.CFI],
        responses={200: ClassificationSerializer(many=True)},
    )
    def get(self, request: Request, code: str) -> Response:
        codes: Any = _Expansion(descriptions.check_pattern(code))
        page: Any = self.paginate_queryset(codes)
        return self.get_paginated_response(
            [descriptions.describe_classification(code) for code in page]
        )
