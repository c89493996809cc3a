"""Decimals of 18 digits: exact in and out, and compared exactly."""

from decimal import Decimal

import pytest

from esma_files.models import EsmaFile
from instruments.models import Listing
from marketdata.common.fields import ExactDecimalField

pytestmark = pytest.mark.django_db
PRICES = ["1.12345678901234567", "1.12345678901234568", "9", "10", "-3.5", "100000000000000000.5"]


@pytest.fixture(autouse=True)
def listings() -> None:
    file = EsmaFile.objects.create(
        name="x.zip", published_on="2025-03-01", part=1, parts=1, sequence=1, size=1
    )
    for number, price in enumerate(PRICES):
        Listing.objects.create(
            isin=f"XS000000000{number}",
            mic="XSTO",
            status="active",
            valid_from="2025-03-01",
            source_file=file,
            source_position=number,
            fingerprint=number,
            strike_amount=Decimal(price),
        )


def test_every_digit_comes_back() -> None:
    assert [str(p) for p in Listing.objects.values_list("strike_amount", flat=True)] == PRICES


def test_two_that_a_float_cannot_tell_apart_are_compared_exactly() -> None:
    lower, upper = map(Decimal, PRICES[:2])
    assert float(lower) == float(upper)

    def count(**condition: Decimal) -> int:
        return Listing.objects.filter(**condition).count()

    assert count(strike_amount=lower) == 1
    assert count(strike_amount__lt=upper) == 2  # and -3.5
    assert count(strike_amount__lte=upper) == 3
    assert count(strike_amount__gt=lower) == 4
    assert count(strike_amount__gte=lower) == 5
    assert count(strike_amount__gt=Decimal("9.5")) == 2, "as numbers, not as text"


def test_an_equal_number_is_found_however_it_is_written() -> None:
    assert Listing.objects.filter(strike_amount=Decimal("9.000")).count() == 1


@pytest.mark.parametrize(
    ("column", "digits"),
    [
        ("554.00000000000000000", "554"),
        ("0.10000000000000000", "0.1"),
        ("100.00000000000000000", "100"),
        ("0.00000000000000001", "0.00000000000000001"),
        ("123456789012345678.12345678901234567", "123456789012345678.12345678901234567"),
    ],
)
def test_what_the_column_of_a_server_adds_goes_and_nothing_else(column: str, digits: str) -> None:
    found = ExactDecimalField(max_digits=35, decimal_places=17).from_db_value(Decimal(column))

    assert format(found, "f") == digits
