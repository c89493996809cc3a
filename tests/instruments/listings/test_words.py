"""Meanings of codes, and descriptions of rates."""

import re
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from instruments.listings import codes, rates
from tests.conftest import DATA


@pytest.mark.parametrize(
    ("columns", "description"),
    [
        (
            {"index": "EURI", "term": (3, "MNTH"), "spread": 45},
            "EURIBOR 3 months + 45 basis points",
        ),
        ({"index": "STBO", "term": (1, "YEAR"), "spread": -1}, "STIBOR 1 year - 1 basis point"),
        ({"index": "LIBO", "term": ("0.5", "YEAR")}, "LIBOR 0.5 years"),
        ({"index": "SOFR", "spread": "12.50"}, "SOFR + 12.5 basis points"),  # a code of later
        ({"name": "EURIBOR - EURI", "term": (6, "MNTH")}, "EURIBOR - EURI 6 months"),
        ({"name": "FORMULA", "term": (0, "DAYS")}, "a formula over several indices"),
        ({"name": "SONIA", "term": (0, "DAYS"), "spread": 0}, "SONIA + 0 basis points"),
        ({"isin": "EU0009652783", "term": (7, "DAYS")}, "EU0009652783 7 days"),
        ({"term": (5, "QRTR")}, "5 QRTRs"),
    ],
)
def test_a_benchmark_is_described_in_one_phrase(columns: dict[str, Any], description: str) -> None:
    value, unit = columns.pop("term", (None, None))
    spread = columns.pop("spread", None)
    benchmark = rates.Benchmark(
        isin=columns.get("isin"),
        index=columns.get("index"),
        name=columns.get("name"),
        term_value=None if value is None else Decimal(value),
        term_unit=unit,
        spread_basis_points=None if spread is None else Decimal(spread),
    )

    assert benchmark.description == description


MEANINGS = {
    "AssetClassProductType": codes.BASE_PRODUCT,
    "AssetClassSubProductType": codes.SUB_PRODUCT,
    "AssetClassDetailedSubProductType": codes.FURTHER_SUB_PRODUCT,
    "AssetClassTransactionType": codes.TRANSACTION_TYPE,
    "AssetPriceType": codes.FINAL_PRICE_TYPE,
    "AssetFXSubProductType": codes.FX_TYPE,
    "BenchmarkCurveName": codes.INDEX,
    "DebtInstrumentSeniorityType": codes.SENIORITY,
    "OptionStyle": codes.EXERCISE_STYLE,
    "OptionType": codes.OPTION_TYPE,
    "PhysicalTransferType": codes.DELIVERY_TYPE,
    "RateBasis": codes.TERM_UNIT,
}


@pytest.mark.parametrize("schema", ["auth.017.001.02", "auth.036.001.03"])
def test_every_code_of_the_message_has_a_meaning(schema: str) -> None:
    tree = etree.parse(str(DATA / "xsd" / f"{schema}.xsd"))
    seen = set()
    for simple in tree.iter("{*}simpleType"):
        kind = re.sub(r"\d+Code$", "", str(simple.get("name")))
        if kind in MEANINGS:
            seen.add(kind)
            values = {str(value.get("value")) for value in simple.iter("{*}enumeration")}
            assert values <= set(MEANINGS[kind]), simple.get("name")
    assert seen == set(MEANINGS)
