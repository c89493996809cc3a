"""Terms by category: every published value is shown, and nothing else is concluded."""

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.test import Client

from instruments import pipeline
from instruments.listings import categories, terms
from instruments.listings.facts import term_rows
from instruments.models import Instrument, Listing, ListingRecord
from tests.conftest import DATA

TODAY = dt.date(2025, 9, 1)
API = "/api/v1/instruments/"


def days(text: str) -> int | None:
    expiry = terms.get_expiry(Listing(expiry_date=dt.date.fromisoformat(text)), TODAY)
    assert expiry is not None
    assert expiry.is_open_ended is (expiry.days is None and expiry.date.year > 1900)
    return expiry.days


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2025-09-01", 0),
        ("2025-09-02", 1),
        ("2025-08-01", -31),
        ("1925-01-01", -36768),
        ("3015-11-06", 361655),  # a bond of a thousand years is real
        ("2999-06-30", 355683),
        ("9999-12-31", None),
        ("9999-12-30", None),
        ("3999-12-31", None),
        ("2999-12-31", None),
        ("1858-11-16", None),
    ],
)
def test_days_are_counted_to_real_dates_only(date: str, expected: int | None) -> None:
    assert days(date) == expected


FIXED, PERPETUAL, OPEN = "DBFTFB", "DBFTQB", "DBFTXB"


@pytest.mark.parametrize(
    ("cfi_code", "date", "expected"),
    [
        (FIXED, "2030-01-01", False),
        (OPEN, "2030-01-01", False),
        (PERPETUAL, "2030-01-01", None),  # a contradiction
        (PERPETUAL, "9999-12-31", True),
        (PERPETUAL, None, True),
        (FIXED, "9999-12-31", None),
        (OPEN, "9999-12-31", None),
        (FIXED, None, None),
        (OPEN, None, True),  # RTS 23 requires a date if there is one
        ("DBFTZZ", "9999-12-31", None),  # no letter of ISO 10962
        (None, None, True),
    ],
)
def test_perpetual_follows_from_the_published_values(
    cfi_code: str | None, date: str | None, expected: bool | None
) -> None:
    listing = Listing(
        cfi_code=cfi_code,
        maturity_date=date and dt.date.fromisoformat(date),
        total_issued_nominal=Decimal(1),
    )

    maturity = terms.get_maturity(listing, TODAY)

    assert maturity is not None
    assert maturity.perpetual is expected
    assert maturity.reason


def test_a_record_without_terms_of_debt_is_not_perpetual() -> None:
    assert terms.get_maturity(Listing(cfi_code="DBFTQB", status="cancelled"), TODAY) is None
    assert terms.get_maturity(Listing(cfi_code="ESVUFR", full_name="A share"), TODAY) is None


@pytest.mark.parametrize(
    ("columns", "kind", "row"),
    [
        ({"strike_amount": "12000", "strike_currency": "EUR"}, "amount", "12,000 EUR"),
        ({"strike_amount": "-1.50", "strike_sign": True}, "amount", "-1.50 (published sign: plus)"),
        (
            {"strike_amount": "1.5", "strike_sign": False, "strike_currency": "EUR"},
            "amount",
            "1.5 EUR (published sign: minus)",
        ),
        ({"strike_percentage": "97.5"}, "percentage", "97.5 %"),
        ({"strike_yield": "1.2"}, "yield", "1.2 yield"),
        ({"strike_basis_points": "1000"}, "basis points", "1,000 basis points"),
        ({"strike_pending": "PNDG"}, "pending", "pending"),
        (
            {"strike_pending": "PNDG", "strike_pending_currency": "USD"},
            "pending",
            "pending, in USD",
        ),
        ({"strike_pending": "NOAP"}, "none", "none"),
    ],
)
def test_a_strike_has_a_kind(columns: dict[str, Any], kind: str, row: str) -> None:
    values = {
        name: Decimal(value)
        if name.split("_")[1] in ("amount", "percentage", "yield", "basis")
        else value
        for name, value in columns.items()
    }
    listing = Listing(option_type="PUTO", cfi_code="OCAFPS", **values)

    shown = categories.describe_terms(terms.Terms(listing, "O", TODAY))

    assert shown["strike"]["kind"] == kind
    assert shown["option_type"] == {"code": "PUTO", "meaning": "put"}, "whatever the CFI code says"
    assert ("Strike price", row) in term_rows(shown)


def test_a_swap_has_two_legs_and_a_pair() -> None:
    listing = Listing(
        notional_currency="EUR",
        first_leg_fixed_rate=Decimal("1.50"),
        other_leg_rate_index="EURI",
        other_leg_rate_term_unit="MNTH",
        other_leg_rate_term_value=Decimal(6),
        other_leg_currency="USD",
        fx_type="FXMJ",
        fx_other_currency="USD",
    )

    rows = dict(term_rows(categories.describe_terms(terms.Terms(listing, "S", TODAY))))

    assert rows["First leg"] == "1.5 % fixed, in EUR"
    assert rows["Other leg"] == "EURIBOR 6 months, in USD"
    assert rows["Currency pair"] == "EUR/USD"
    assert rows["Kind of currencies"] == "majors (FXMJ)"
    plain = categories.describe_terms(terms.Terms(Listing(notional_currency="EUR"), "S", TODAY))
    assert (plain["first_leg"], plain["foreign_exchange"]) == (None, None)


def test_values_beyond_the_terms_of_a_category_are_shown_as_other() -> None:
    listing = Listing(fixed_rate=Decimal("2.50"), commodity_product="Nrgy/Oil", seniority="SNDB")

    shown = categories.describe_terms(terms.Terms(listing, "E", TODAY))

    assert shown["other"] == {
        "fixed_rate": "2.50",
        "seniority": "SNDB",
        "commodity_product": "Nrgy/Oil",
    }
    assert shown["commodity_derivative"] is None, "what the flag says, and not the product"
    for letter in "KLMTZ":
        assert categories.describe_terms(terms.Terms(listing, letter, TODAY))["other"] == {}


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_real_terms_show_every_value_and_match_the_schema(client: Client) -> None:
    paths = sorted((DATA / "firds_2021").glob("FULINS_[HJS]_*.zip"))
    for loaded in pipeline.load(pipeline.register_files(paths)):
        assert loaded.error is None
    document = client.get("/api/schema/", {"format": "json"}).json()
    schema = {**document, "$ref": "#/components/schemas/Terms"}
    matches = jsonschema.Draft202012Validator(schema)
    seen: dict[str, set[str]] = {}

    for instrument in _a_few_of_each():
        answer = client.get(f"{API}{instrument.isin}/").json()["terms"]

        matches.validate(answer)
        filled = {name for name, value in answer.items() if value is not None}
        seen.setdefault(instrument.category, set()).update(filled)
        texts = _texts(answer)
        for name, value in _published(instrument.authoritative):
            assert value in texts, (instrument.isin, name)

    assert set(seen) == set("CDEFHIJORS")
    assert {"maturity", "coupon", "seniority", "underlying"} <= seen["D"]
    assert {"expiry", "strike", "option_type", "exercise_style", "delivery_type"} <= seen["O"]
    assert {"expiry", "strike", "option_type", "underlying"} <= seen["R"]
    assert {"expiry", "strike", "foreign_exchange", "reference_rate"} <= seen["H"]
    assert {"expiry", "commodity", "price_multiplier"} <= seen["F"]
    assert {"reference_rate", "other_leg", "foreign_exchange"} <= seen["S"]
    assert {"expiry", "foreign_exchange"} <= seen["J"]


def _a_few_of_each() -> list[Instrument]:
    """Return the instruments of the small files, and eighty of each category."""
    found: list[Instrument] = []
    for letter in "CDEFHIJORS":
        of_letter = Instrument.objects.of_category(letter)
        found += [*of_letter[:40], *of_letter.order_by("-isin")[:40]]
    rare = Listing.objects.exclude(other_leg_rate_index=None).values("isin")
    return [*found, *Instrument.objects.filter(pk__in=rare)]


def _published(record: ListingRecord) -> list[tuple[str, str]]:
    """Return the name and text of each term in a record; the sign of a strike is shown in words."""
    fields = [field.name for field in ListingRecord._meta.fields]
    names = fields[fields.index("total_issued_nominal") : fields.index("inconsistent")]
    values = ((name, getattr(record, name)) for name in names if name != "strike_sign")
    published = ((name, value) for name, value in values if value is not None)
    return [(n, format(v, "f") if isinstance(v, Decimal) else str(v)) for n, v in published]


def _texts(value: Any) -> set[str]:
    """Return every text in an answer; a basket also as one, and a pending strike by its code."""
    if isinstance(value, dict):
        return set().union(*map(_texts, value.values()))
    if isinstance(value, list):
        return {*value, " ".join(value)}
    return {str(value)} | ({"PNDG"} if value == "pending" else set())


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_days_are_counted_from_the_day_of_the_question(client: Client) -> None:
    isin = Instrument.objects.of_category("O").filter(status="active").earliest("isin").isin
    listing = Listing.objects.of(isin).get()
    assert listing.expiry_date is not None

    for name, day in (("as_of", dt.date(2025, 9, 1)), ("known_on", dt.date(2025, 8, 31))):
        answer = client.get(f"{API}{isin}/", {name: str(day)}).json()["terms"]
        assert answer["as_of"] == str(day)
        assert answer["expiry"]["days"] == (listing.expiry_date - day).days
    out = io.StringIO()
    call_command(
        "instruments", "get", isin, "--as-of", "2025-09-01", "--format", "json", stdout=out
    )
    assert json.loads(out.getvalue())["terms"]["as_of"] == "2025-09-01"
    now = client.get(f"{API}{isin}/").json()["terms"]
    assert now["as_of"] == str(dt.datetime.now(dt.UTC).date())


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_every_real_page_is_readable(client: Client) -> None:
    for letter in "CDEFHIJORS":
        for instrument in Instrument.objects.of_category(letter)[:8]:
            page = client.get(f"/instruments/{instrument.isin}/").content.decode()
            terms_part = page.partition("<body")[2].partition("listings</h2>")[0]
            assert "None" not in terms_part, instrument.isin
            assert "{" not in terms_part, instrument.isin
