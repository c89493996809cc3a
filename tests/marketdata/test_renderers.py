"""The JSON of answers is what DRF's own renderer writes."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer

from instruments.models import Status
from marketdata.api.renderers import FastJSONRenderer

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_PLAIN = st.none() | st.booleans() | st.integers() | _TEXT
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4)
)


@given(_VALUES)
def test_plain_values_are_written_as_by_drf(value: Any) -> None:
    assert FastJSONRenderer().render(value) == JSONRenderer().render(value)


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC),
        dt.date(2026, 1, 2),
        dt.timedelta(hours=2),
        Decimal("1.10"),
        Status.ACTIVE,
        lazystr("lazy"),
        {1: "one", None: "none"},
        2**70,
        "\u2028 and \u2029",
        (1, 2),
    ],
)
def test_values_of_other_types_are_written_as_by_drf(value: Any) -> None:
    assert FastJSONRenderer().render([value]) == JSONRenderer().render([value])


def test_indented_json_is_written_on_request() -> None:
    content = FastJSONRenderer().render({"a": 1}, "application/json; indent=2")

    assert content == b'{\n  "a": 1\n}'
    assert json.loads(content) == {"a": 1}
