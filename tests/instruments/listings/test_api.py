"""Lists, filters and details of instruments over the API, on real records."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.test import Client
from django.utils.dateparse import parse_datetime
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from instruments.models import ChangeSet, Instrument, Listing
from tests.instruments.kept_counts import check_counts

LIST = "/api/v1/instruments/"
pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def get(client: Client, path: str, **parameters: Any) -> Any:
    response = client.get(path, parameters)
    assert response.status_code == 200, response.content
    return response.json()


def isins(answer: Any) -> list[str]:
    return [row["isin"] for row in answer["results"]]


def test_a_page_has_its_rows_and_the_totals(client: Client) -> None:
    answer = get(client, LIST, per_page=7, page=2)

    ordered = list(Instrument.objects.order_by("pk").values_list("pk", flat=True))
    assert isins(answer) == ordered[7:14]
    pagination = answer["pagination"]
    assert (pagination["page"], pagination["per_page"]) == (2, 7)
    assert pagination["total"] == len(ordered)
    assert pagination["pages"] == -(-len(ordered) // 7)
    assert "page=3" in pagination["next"]
    assert "page" in pagination["previous"] or pagination["previous"].endswith("per_page=7")


def test_rows_have_the_fields_asked_for_in_that_order(client: Client) -> None:
    whole = get(client, LIST)["results"]

    rows = get(client, LIST, fields="status, isin,isin")["results"]

    assert [list(row) for row in rows] == [["status", "isin"]] * len(whole)
    assert [row["isin"] for row in rows] == [row["isin"] for row in whole]
    history = get(client, f"{LIST}DE000A1R07V3/history/", fields="mic,valid_from")["results"]
    assert {tuple(row) for row in history} == {("mic", "valid_from")}
    response = client.get(LIST, {"fields": "isin,statu"})
    assert response.status_code == 400
    assert "Did you mean 'status'?" in response.json()["errors"]["fields"][0]


def test_rows_keep_the_parts_that_fields_do_not_name(client: Client) -> None:
    rows = get(client, LIST, fields="isin", include="figis,venue")["results"]

    assert {tuple(row) for row in rows} == {("isin", "figis", "venue")}


def test_a_parameter_of_one_value_is_refused_if_it_is_repeated(client: Client) -> None:
    response = client.get(f"{LIST}?category=D&category=E&fields=isin&fields=status")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["category", "fields"]
    assert client.get(f"{LIST}?isin=DE000A1R07V3&isin=SE0000115446").status_code == 200
    assert client.get(f"{LIST}?attribute=voting&attribute=form: registered").status_code == 200


@pytest.mark.parametrize("page", ["0", "-1", "1.5", "abc", "\N{ARABIC-INDIC DIGIT THREE}", "\x00"])
def test_a_page_that_is_not_a_number_is_an_invalid_parameter(client: Client, page: str) -> None:
    response = client.get(LIST, {"page": page})

    assert response.status_code == 400
    assert response.json()["errors"] == {"page": [f"{page!r} is not a whole number from 1."]}


@pytest.mark.parametrize("path", [LIST, f"{LIST}DE000A1R07V3/", "/api/v1/cfi/DBFTFB/"])
def test_an_answer_that_the_client_has_is_not_sent_again(client: Client, path: str) -> None:
    first = client.get(path)
    etag = first.headers["ETag"]

    again = client.get(path, headers={"if-none-match": etag})
    other = client.get(path, headers={"if-none-match": '"other"'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("category", list("CDEFHIJORS"))
def test_a_category_is_the_first_letter_of_the_cfi_code(client: Client, category: str) -> None:
    answer = get(client, LIST, category=category, per_page=100)

    expected = set(
        Instrument.objects.filter(cfi_code__startswith=category).values_list("pk", flat=True)
    )
    assert expected
    assert answer["pagination"]["total"] == len(expected)
    assert {row["category"] for row in answer["results"]} == {category}


def test_each_filter_finds_the_instruments_with_its_value(client: Client) -> None:
    listing = Listing.objects.filter(status="active", isin__startswith="DE").earliest("isin")
    instrument = Instrument.objects.get(pk=listing.isin)
    conditions = {
        "isin": (instrument.isin, {"pk": instrument.isin}),
        "cfi": (instrument.cfi_code[:2].lower(), {"cfi_code__startswith": instrument.cfi_code[:2]}),
        "currency": ("eur", {"notional_currency": "EUR"}),
        "issuer": (instrument.issuer_lei, {"issuer_lei": instrument.issuer_lei}),
        "mic": (
            listing.mic.lower(),
            {"pk__in": Listing.objects.filter(mic=listing.mic).values("isin")},
        ),
        "mic_exact": (
            listing.mic.lower(),
            {"pk__in": Listing.objects.filter(mic=listing.mic).values("isin")},
        ),
        "category": ("d", {"cfi_code__startswith": "D"}),
        "register": ("esma", {"eu_listings__isnull": False}),
        "status": ("Terminated", {"status": "terminated"}),
    }
    for name, (value, condition) in conditions.items():
        answer = get(client, LIST, **{name: value, "per_page": 100})

        matching = Instrument.objects.filter(**condition).order_by("pk")  # type: ignore[arg-type]
        expected = list(matching.values_list("pk", flat=True))
        assert isins(answer) == expected[:100], name
        assert 0 < answer["pagination"]["total"] == len(expected)


def test_the_filter_isin_takes_several(client: Client) -> None:
    expected = list(Instrument.objects.order_by("pk").values_list("pk", flat=True)[5:8])

    assert isins(get(client, LIST, isin=",".join(expected).lower())) == expected
    assert isins(get(client, LIST, isin=expected)) == expected


def test_words_of_a_name_find_the_instrument_in_any_order_and_case(client: Client) -> None:
    name = Instrument.objects.get(pk="HK0405033157").full_name
    assert name == "Yuexiu Real Estate Investment Registered Units o.N."

    assert isins(get(client, LIST, q="estate YUEXIU")) == ["HK0405033157"]
    assert isins(get(client, LIST, q="hk0405033157")) == ["HK0405033157"]
    assert isins(get(client, LIST, q="estate yuexiu nonsense")) == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"isin": "SE0000115447"}, "should be 6"),
        ({"isin": "volvo"}, "VOLVO: an ISIN has 12 characters"),
        ({"isin": "100%s"}, "100%S: an ISIN has 12 characters"),
        ({"category": "%s"}, "category"),
        ({"q": "word " * 1000}, "at most 100 characters"),
        ({"category": "X"}, "category"),
        ({"cfi": "E5"}, "letters"),
        ({"currency": "euro"}, "three letters"),
        ({"issuer": "x"}, "20 letters"),
        ({"mic": "x"}, "four letters"),
        ({"status": "dead"}, "status"),
        ({"per_page": "1001"}, "from 1 to 1,000"),
        ({"per_page": "0"}, "from 1 to 1,000"),
        ({"per_page": "many"}, "from 1 to 1,000"),
        ({"per_page": "9" * 5000}, "from 1 to 1,000"),
        ({"q": "volvo\x00"}, "ull character"),
        ({"categroy": "E"}, "Unknown parameter"),
    ],
)
def test_an_invalid_parameter_is_a_problem_that_names_it(
    client: Client, parameters: dict[str, str], message: str
) -> None:
    response = client.get(LIST, parameters)

    problem = response.json()
    assert response.status_code == problem["status"] == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["title"] == "Bad Request"
    assert problem["instance"] == LIST
    [(name, texts)] = problem["errors"].items()
    assert name == next(iter(parameters))
    assert message in f"{name} {' '.join(texts)}"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"{LIST}SE0000115447/", 400, "the check digit is 7, and should be 6"),
        (f"{LIST}SE0000115446/", 404, "No instrument with the ISIN SE0000115446"),
        (f"{LIST}?page=9999", 400, "Pages by number end at row 1,000"),
        (f"{LIST}?q=unheard&page=2", 404, "No such page"),
        ("/api/v1/nothing/", 404, "/api/docs/"),
        (f"{LIST}?format=csv", 400, "'csv' is not a valid choice. Choose one of: json, api."),
    ],
)
def test_an_unknown_address_or_instrument_is_a_problem(
    client: Client, path: str, status: int, message: str
) -> None:
    response = client.get(path)

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert message in response.json()["detail"]


def test_a_bond_shows_its_terms(client: Client) -> None:
    answer = get(client, f"{LIST}de000a1r07v3/")

    assert answer["isin"] == "DE000A1R07V3"
    assert answer["category"] == "D"
    terms = answer["terms"]
    assert terms["total_issued_nominal"] == {"amount": "5000000000", "currency": "EUR"}
    assert (terms["maturity"]["date"], terms["maturity"]["perpetual"]) == ("2021-01-15", False)
    assert terms["coupon"]["fixed_rate"] == "1.625"
    assert (terms["coupon"]["floating"], terms["coupon"]["benchmark"]) == (False, None)
    assert terms["underlying"] is None
    assert answer["listing_count"] == len(answer["listings"]) == 5
    listing = next(row for row in answer["listings"] if row["mic"] == "XEUB")
    assert listing["status"] == "terminated"
    assert listing["first_trade_at"] == "2014-01-14T09:00:00Z"
    assert listing["terminated_at"] == "2017-12-15T00:00:00Z"
    assert listing["full_name"].startswith("Kreditanst.f.Wiederaufbau     Anl."), "spaces are kept"
    assert listing["source_file"] == "DLTINS_20210117_01of01.zip"


def test_the_listings_of_an_instrument_have_every_field(client: Client) -> None:
    [record, *_] = get(client, f"{LIST}DE000A1R07V3/listings/", per_page=100)["results"]

    row = Listing.objects.of("DE000A1R07V3").first()
    assert row is not None
    for field in Listing._meta.fields:
        if field.name not in ("id", "fingerprint", "change"):
            assert field.name in record
    assert record["nominal_value_per_unit"] == "1000"
    assert record["nominal_value_per_unit_currency"] == "EUR"
    assert record["commodity_derivative"] is False
    assert record["valid_from"] == row.valid_from.isoformat()


def test_the_number_of_queries_is_bounded(
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for size in (1, 50):
        with django_assert_max_num_queries(6):
            get(client, LIST, per_page=size, category="D", mic="FRAB")
    many = Instrument.objects.latest("listing_count").isin
    few = Instrument.objects.earliest("listing_count").isin
    for isin in (many, few):
        with django_assert_num_queries(5):
            get(client, f"{LIST}{isin}/")
        with django_assert_num_queries(3):
            get(client, f"{LIST}{isin}/listings/")
    with django_assert_num_queries(6):
        get(client, "/api/v1/stats/")


def test_stats_count_the_rows(client: Client) -> None:
    answer = get(client, "/api/v1/stats/")

    assert answer["instruments"] == Instrument.objects.count()
    assert answer["listings"] == Listing.objects.count()
    assert sum(row["instruments"] for row in answer["categories"]) == answer["instruments"]
    assert {(row["kind"], row["files"]) for row in answer["files"]} == {
        ("FULINS", 10),
        ("DLTINS", 1),
    }
    assert answer["last_loaded"] == "2025-08-30"
    check_counts()
    newest = ChangeSet.objects.latest("number")
    assert answer["data_version"] == newest.number > 0
    assert parse_datetime(answer["data_changed_at"]) == newest.made_at


def test_without_anonymous_reading_a_sign_in_is_required(
    client: Client, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READ = False
    for path in (LIST, "/api/v1/stats/", "/api/schema/", "/api/docs/"):
        response = client.get(path)
        assert response.status_code == 401, path
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/").headers["Location"].startswith("/sign-in/")
    reader = User.objects.create_user("reader")
    client.force_login(reader)
    for path in (LIST, "/", "/api/docs/"):
        assert client.get(path).status_code == 403, "without a role nothing can be read"
    reader.groups.set(Group.objects.filter(name="viewer"))

    assert get(client, LIST)["pagination"]["total"] > 0


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(client: Client, method: str) -> None:
    assert getattr(client, method)(f"{LIST}DE000A1R07V3/").status_code == 405
    client.force_login(User.objects.create_superuser("curator"))

    assert getattr(client, method)(f"{LIST}DE000A1R07V3/").status_code == 405


def test_answers_have_the_fields_of_the_schema(client: Client) -> None:
    schema = get(client, "/api/schema/", format="json")["components"]["schemas"]

    detail = get(client, f"{LIST}DE000A1R07V3/")
    assert set(schema["InstrumentDetail"]["properties"]) == set(detail)
    assert set(schema["Listing"]["properties"]) == set(detail["listings"][0])
    assert set(schema["Instrument"]["properties"]) == set(get(client, LIST)["results"][0])
    assert set(schema["Stats"]["properties"]) == set(get(client, "/api/v1/stats/"))
    assert set(schema["DebtTerms"]["properties"]) == set(detail["terms"])


def test_every_link_of_the_entry_point_answers(client: Client) -> None:
    for name, path in get(client, "/api/v1/").items():
        status = (
            401 if name in ("lists", "watchlists", "notes", "tags", "webhooks") else 200
        )  # these belong to users
        assert client.get(path).status_code == status, name


def test_the_browsable_api_and_its_docs_use_local_files(client: Client) -> None:
    page = client.get(LIST, headers={"accept": "text/html"})
    assert b"Instruments tradable in the EU" in page.content
    for path in ("/api/docs/", "/api/redoc/"):
        docs = client.get(path)
        assert docs.status_code == 200
        assert b"//cdn" not in docs.content
        assert b"/static/drf_spectacular_sidecar/" in docs.content


def test_breadcrumbs_have_existing_addresses_only(client: Client) -> None:
    page = client.get(f"{LIST}DE000A1R07V3/listings/", headers={"accept": "text/html"})
    crumbs = page.content.decode().partition('class="breadcrumb"')[2].partition("</ul>")[0]

    assert "Instruments" in crumbs
    assert "Unknown" not in crumbs
