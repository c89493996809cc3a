"""Lists of instruments and trades, checked by the API, on the page and by the command."""

import csv
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from esma_files.models import EsmaFile
from instruments.list_check import answers
from instruments.list_check.answers import Question, answer_items
from instruments.list_check.items import make_item
from instruments.list_check.lines import Lines
from instruments.models import Figi, Instrument, LegalEntity, Listing
from tests.instruments.listings.merging import Write
from tests.instruments.listings.test_search import load_names

API = "/api/v1/reportability/"
PAGE = "/check/"
BOND = "DE000A1R07V3"
pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def ask(client: Client, *items: Any, status: int = 200, **options: Any) -> Any:
    response = client.post(API, {"items": items, **options}, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()["results"] if status == 200 else response.json()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("check_list", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.slow
def test_each_answer_is_that_of_the_single_question(client: Client) -> None:
    isins = list(Instrument.objects.values_list("pk", flat=True))
    days = ("2018-01-03", "2021-01-15", "2025-08-30")
    for day in days:
        results = ask(client, *({"isin": isin} for isin in isins[:200]), on=day)

        for isin, result in zip(isins, results, strict=False):
            single = client.get(f"/api/v1/instruments/{isin}/reportable/", {"on": day}).json()
            assert (result["isin"], result["status"]) == (isin, "found")
            assert (result["reportable"], result["reason"]) == (
                single["reportable"],
                single["reason"],
            )
            mics = dict.fromkeys(venue["mic"] for venue in single["venues"])
            assert result["venues"].split() == list(mics)


def test_a_summary_is_that_of_the_list_of_instruments(client: Client) -> None:
    rows = client.get("/api/v1/instruments/?per_page=100").json()["results"]

    results = ask(client, *({"isin": row["isin"]} for row in rows))

    for row, result in zip(rows, results, strict=True):
        for name in ("full_name", "cfi_code", "effective_status", "issuer_lei"):
            assert result[name] == row[name], (row["isin"], name)
        assert result["published_status"] == row["status"]


def test_liquidity_is_that_of_the_result_in_force(client: Client) -> None:
    isins = list(Instrument.objects.values_list("pk", flat=True))[:100]

    results = ask(client, *({"isin": isin} for isin in isins), on="2025-08-30")

    for isin, result in zip(isins, results, strict=True):
        single = client.get(f"/api/v1/instruments/{isin}/transparency/", {"on": "2025-08-30"})
        liquidity = single.json()["applies"]["liquidity"]
        assert result["liquidity_reason"] == liquidity["why"]


def test_invalid_and_unknown_items_do_not_affect_the_others(client: Client) -> None:
    results = ask(
        client,
        {"isin": "SE0000115447"},
        {"isin": "SE0000115446", "mic": "?"},
        {"isin": BOND.lower(), "on": "2020-06-30"},
        {"isin": "SE0000115446"},
        {"isin": BOND, "on": "never"},
        {"isin": BOND, "on": "2000-01-01"},
    )

    outcomes = [(result["status"], result["reportable"]) for result in results]
    assert outcomes == [
        ("invalid", None),
        ("invalid", None),
        ("found", True),
        ("unknown", None),
        ("invalid", None),
        ("found", False),
    ]
    assert "on no venue was it traded" in results[5]["reason"]


def test_an_operating_mic_covers_its_segments(client: Client) -> None:
    call_command("load_venues", stdout=io.StringIO())
    listing = Listing.objects.filter(mic__in=("FRAA", "FRAB", "XETA", "XETB")).first()
    assert listing is not None
    operating = "XFRA" if listing.mic.startswith("FRA") else "XETR"
    for mic in (listing.mic, operating):
        [result] = ask(client, {"isin": listing.isin, "mic": mic, "on": "2020-06-30"})
        assert "It has no listing" not in result["reason"]


def test_the_widest_figis_known_are_given(client: Client) -> None:
    fetched = {"isin": BOND, "fetched_at": timezone.now()}
    Figi.objects.create(figi="BBG000000001", share_class_figi="BBG00000000S", **fetched)
    Figi.objects.create(figi="BBG000000002", composite_figi="BBG00000000C", **fetched)
    [first] = ask(client, {"isin": BOND})
    Figi.objects.filter(figi="BBG000000001").update(is_current=False)

    [second] = ask(client, {"isin": BOND})

    assert (first["figis"], second["figis"]) == ("BBG00000000S", "BBG00000000C")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": "x"}, "items"),
        ({"items": [{"isin": BOND}] * 1_001}, "items"),
        ({"items": [{"isin": BOND}], "on": "x"}, "on"),
        ({"items": [{"isin": BOND}], "register": "SEC"}, "register"),
        ({"items": [{"isin": BOND}], "day": "2020-01-01"}, "day"),
    ],
)
def test_an_invalid_request_is_refused(client: Client, body: Any, field: str) -> None:
    response = client.post(API, body, content_type="application/json")

    assert response.status_code == 400
    assert any(name.startswith(field) for name in response.json()["errors"])


def test_a_malformed_item_has_its_own_answer(client: Client) -> None:
    items = [{"isin": BOND}, 7, {}, {"isin": "A" * 51}, {"isin": BOND, "isn": 1}, {"isin": None}]
    others = [{"isin": BOND, "mic": "XFRA" * 3}, {"isin": BOND, "on": 20200630}, None]

    results = ask(client, *items, *others, on="2020-06-30")

    assert [row["status"] for row in results] == ["found", *["invalid"] * 8]
    isins = [BOND, None, None, "A" * 50, BOND, None, BOND, BOND, None]
    assert [row["isin"] for row in results] == isins
    reasons = [row["reason"] for row in results]
    assert reasons[1:5] == [
        "Expected an object.",
        "isin: This field is required.",
        "isin: Ensure this field has no more than 50 characters.",
        "isn: Unknown field 'isn'. Did you mean 'isin'? Known fields: isin, mic, on.",
    ]
    assert reasons[5] == "isin: This field may not be null."
    assert reasons[6] == "mic: Ensure this field has no more than 10 characters."
    assert reasons[7] == "Not a day: '20200630'. Write days as 2025-08-30."
    assert all("line" not in row for row in results)


def test_an_invalid_line_has_its_own_day_or_none(client: Client) -> None:
    items = [
        {"isin": BOND, "on": "30.06.2020"},
        {"isin": "Volvo"},
        {"isin": "A", "on": "2020-06-30"},
    ]

    results = ask(client, *items, on="2026-07-20")

    assert [row["status"] for row in results] == ["invalid"] * 3
    assert [row["on"] for row in results] == [None, None, "2020-06-30"]
    page = client.post(PAGE, {"lines": f"{BOND} 30.06.2020", "on": "2026-07-20"}).content.decode()
    assert '<td data-label="Day" class="day"></td>' in page


@pytest.mark.parametrize("code", ["A" * 49 + " B", "A" * 49 + "\x0b" + "B" * 20])
def test_a_long_code_with_a_space_is_invalid(client: Client, code: str) -> None:
    """A code is cut to its first 50 characters, here with the space at the end."""
    [answer, _] = ask(client, {"isin": code}, {"isin": BOND})

    assert answer["status"] == "invalid"
    [item] = Lines([code.replace(" ", "\xa0")])
    [row] = answer_items([item], Question())
    assert row["status"] == "invalid"


def test_the_number_of_queries_does_not_grow_with_the_list(client: Client) -> None:
    isins = list(Instrument.objects.values_list("pk", flat=True))
    counts = []
    for count in (20, answers.CHUNK):
        items = [
            make_item(n, isin, "XFRA", f"2020-01-{n % 28 + 1:02}")
            for n, isin in enumerate(isins[:count], start=1)
        ]
        with CaptureQueriesContext(connection) as queries:
            assert len(list(answer_items(items, Question()))) == len(items)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 11


def test_a_figi_and_a_ticker_stand_for_the_isin(client: Client, tmp_path: Path) -> None:
    figis = ("BBG00B7Y8C87", "BBG00B7Y8C96")
    Figi.objects.bulk_create(
        Figi(isin=isin, figi=figi, ticker=ticker, fetched_at=timezone.now())
        for isin, figi, ticker in zip((BOND, "NL00150001Q9"), figis, ("ABC 1", "ABC"), strict=True)
    )
    codes = [figis[0].lower(), "abc", "BBG00B7Y8CB1", "Volvo", f"{BOND}\x00"]

    results = ask(client, *({"isin": code} for code in codes[:4]))

    assert [(row["isin"], row["status"]) for row in results] == [
        (BOND, "found"),
        ("NL00150001Q9", "found"),
        ("BBG00B7Y8CB1", "unknown"),
        ("VOLVO", "invalid"),
    ]
    assert results[2]["reason"] == "No instrument has this FIGI."
    problem = (
        "Not an ISIN: an ISIN has 12 characters, this has 5. No instrument has it as its ticker."
    )
    assert results[3]["reason"] == problem
    path = tmp_path / "list.csv"
    path.write_text("\n".join(codes))
    rows = list(csv.DictReader(io.StringIO(run(str(path)))))
    assert [row["status"] for row in rows] == [*(row["status"] for row in results), "invalid"]
    page = client.post(PAGE, {"lines": "abc", "register": ""}).content.decode()
    assert f"{results[1]['isin']}</a>" in page


def test_the_command_answers_as_the_api_does(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(f"isin;mic;day\n{BOND};;2020-06-30\nSE0000115447\n", encoding="utf-8-sig")
    expected = ask(client, {"isin": BOND, "on": "2020-06-30"}, {"isin": "SE0000115447"})

    lines = run(str(path), "--format", "ndjson").splitlines()
    rows = list(csv.DictReader(io.StringIO(run(str(path)))))

    for line, row, answer in zip(lines, rows, expected, strict=True):
        assert {**json.loads(line), "line": 0} == {**answer, "line": 0}
        assert (row["isin"], row["reason"]) == (answer["isin"], answer["reason"])
    assert (rows[0]["reportable"], rows[1]["reportable"]) == ("true", "")
    assert "Not an ISIN" in run(str(path), "--format", "table")
    with pytest.raises(CommandError, match="there is no such file"):
        run(str(tmp_path / "nothing.csv"))


def test_the_page_shows_each_line_and_the_counts(client: Client) -> None:
    assert client.get(PAGE).status_code == 200

    page = client.post(PAGE, {"lines": f"{BOND},,2020-06-30\nSE0000115446\nx", "register": ""})

    content = page.content.decode()
    assert page.status_code == 200
    assert f'<a href="/instruments/{BOND}/?on=2020-06-30">{BOND}</a>' in content
    for text in ("<strong>3</strong> lines", "<strong>1</strong> reportable", "Not an ISIN"):
        assert text in content


def test_the_page_says_which_columns_of_a_table_were_read(client: Client) -> None:
    text = f"id,isin,When <b>\n1,{BOND},2020-06-30"
    page = client.post(PAGE, {"lines": text, "register": ""}).content.decode()

    assert (
        "Read by the header: ISIN from “isin”. No column has days. No column has venues."
        " Left out: id, When &lt;b&gt;." in page
    )


def test_the_page_counts_liquidity_and_shows_lines_of_one_kind(client: Client) -> None:
    lines = f"{BOND},,2020-06-30\nSE0000115446\nx"

    unknown = client.post(PAGE, {"lines": lines, "show": "unknown"}).content.decode()
    liquid = client.post(PAGE, {"lines": lines, "show": "liquid"}).content.decode()

    for text in ("<strong>3</strong> lines", "<strong>0</strong> not liquid"):
        assert text in unknown
    assert "<strong>1</strong> without a liquidity result" in unknown
    assert f">{BOND}</a>" not in unknown
    assert ">SE0000115446</td>" in unknown
    assert "No lines to show for “liquid”." in liquid
    assert "Download CSV" in liquid


def test_the_page_names_and_links_issuers(client: Client) -> None:
    lei = Instrument.objects.get(isin=BOND).issuer_lei
    without_name = client.post(PAGE, {"lines": BOND}).content.decode()
    LegalEntity.objects.create(
        lei=lei,
        legal_name="KfW & Co",
        last_updated_at=timezone.now(),
        source_file=EsmaFile.objects.latest("pk"),
        source_position=1,
        fingerprint=1,
    )

    with_name = client.post(PAGE, {"lines": BOND}).content.decode()

    link = f'<a href="/entities/{lei}/">'
    assert f'<span class="code">{lei}</span>' in without_name
    assert link not in without_name  # no record is loaded that the page could show
    assert f"{link}KfW &amp; Co</a>" in with_name


def test_the_page_says_why_an_instrument_is_liquid_or_not(client: Client) -> None:
    [answer] = ask(client, {"isin": BOND, "on": "2020-06-30"})

    page = client.post(PAGE, {"lines": f"{BOND},,2020-06-30"}).content.decode()

    assert f"<br>Liquidity: {answer['liquidity_reason']}</td>" in page


def test_a_short_list_has_an_address_without_the_other_columns_of_its_table(client: Client) -> None:
    table = f"client,isin,venue,day,price\nNovak,{BOND},XGAT,2020-06-30,99\n,{BOND},,,98"

    page = client.post(PAGE, {"lines": table, "show": "reportable"}).content.decode()

    query = re.search('<a href="([^"]+)">Address of this check</a>', page)[1]  # type: ignore[index]
    assert query.startswith(f"?lines={BOND},XGAT,2020-06-30%0A{BOND}&amp;on=20")
    kept = client.get(f"{PAGE}{html.unescape(query)}")
    assert kept.status_code == 200
    rows = kept.content.decode().partition("<tbody>")[2]
    rows = rows.replace('">2</td>', '">3</td>').replace(
        '">1</td>', '">2</td>'
    )  # lines of the table
    assert rows == page.partition("<tbody>")[2]
    for text in ("Novak", "99"):
        assert text not in query


@pytest.mark.parametrize(
    "lines",
    [
        f"{BOND}\n" * 200,
        f"{BOND} XGAT 2020-06-30 99",
        f"{BOND},XGAT,30.6.2020",
        'isin,price\n"VOLV B",1',  # without its quotes, two fields
    ],
)
def test_a_long_or_unreadable_list_has_no_address(client: Client, lines: str) -> None:
    page = client.post(PAGE, {"lines": lines}).content.decode()

    assert "Address of this check" not in page
    assert "No address can be kept or sent" in page


def test_an_invalid_list_in_an_address_is_refused(client: Client) -> None:
    page = client.get(PAGE, {"lines": BOND, "on": "2020-02-30"})

    assert page.status_code == 400
    assert "Enter a valid date." in page.content.decode()


def test_a_file_is_read_and_its_answers_can_be_downloaded(client: Client) -> None:
    file = SimpleUploadedFile("list.csv", f"isin\n{BOND}\n".encode("utf-8-sig"))
    page = client.post(PAGE, {"lines": "", "file": file})
    assert BOND in page.content.decode()

    download = client.post(PAGE, {"lines": BOND, "download": "csv"})

    assert download.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(download.streaming_content).decode()  # type: ignore[attr-defined]
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["isin"], row["status"]) == (BOND, "found")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"lines": "  \n"}, "There is no line to check."),
        ({"lines": f"{BOND}\n" * 10_001}, "At most 10,000 lines; these are 10,001."),
        ({"lines": BOND, "on": "2020-02-30"}, "Enter a valid date."),
    ],
)
def test_an_invalid_list_is_refused_on_the_page(
    client: Client, data: dict[str, str], message: str
) -> None:
    page = client.post(PAGE, data)

    assert page.status_code == 400
    assert message in page.content.decode()


@pytest.mark.parametrize("content", [b"PK\x03\x04\xff\xfe", BOND.encode("utf-16-le")])
def test_a_file_that_is_not_text_is_refused_on_the_page(client: Client, content: bytes) -> None:
    file = SimpleUploadedFile("list.xlsx", content)

    page = client.post(PAGE, {"lines": "", "file": file})

    assert page.status_code == 400
    assert "Save it as UTF-8 (spreadsheet programs: CSV UTF-8)." in page.content.decode()


def test_lists_count_as_costly_requests(client: Client, settings: LazySettings) -> None:
    settings.RATELIMIT_ENABLE = True
    settings.LIMITS = {**settings.LIMITS, "costly": ["1/h"]}
    client.post(PAGE, {"lines": BOND})

    page = client.post(PAGE, {"lines": BOND})

    assert page.status_code == 429
    assert "Too many lists" in page.content.decode()
    assert int(page.headers["Retry-After"]) > 0


def test_names_that_a_spreadsheet_would_calculate_are_downloaded_as_texts(
    client: Client, make_zip: Write
) -> None:
    [isin] = load_names(make_zip, "=1+1")

    download = client.post(PAGE, {"lines": isin, "download": "csv"})

    assert "'=1+1" in b"".join(download.streaming_content).decode()  # type: ignore[attr-defined]
