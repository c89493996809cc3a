"""Reportability on a day: by the dates in the newest record, with the reason, the rule and the source."""

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from esma_files.models import EsmaFile
from instruments import pipeline
from instruments.listings.reportability import answer_for_listing, get_reportability
from instruments.models import Instrument, Listing
from tests import firds
from tests.conftest import DATA
from tests.instruments.listings.merging import VOLVO, Write, cancelled, day, delta, full, load

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]

CASES = DATA / "cases"
KINGFISH = "NL00150001S5"


def load_case(name: str, dataset: str = "") -> None:
    for loaded in pipeline.load(
        pipeline.register_files(sorted((CASES / name).glob("*.zip")), dataset=dataset)
    ):
        assert loaded.error is None


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("instruments", *arguments, stdout=out)
    return out.getvalue()


def ask(client: Client, isin: str = VOLVO, **parameters: str) -> Any:
    response = client.get(f"/api/v1/instruments/{isin}/reportable/", parameters)
    assert response.status_code == 200, response.content
    answer = response.json()
    assert answer["reportable"] == bool(answer["venues"])
    return answer


def mics(answer: Any) -> list[str]:
    return [venue["mic"] for venue in answer["venues"]]


def with_dates(record: str, *, first: str = "", until: str = "", requested: str = "") -> str:
    """Return a made record with other dates; an empty first trade removes it."""
    made = "<FrstTradDt>2014-01-14T09:00:00Z</FrstTradDt>"
    dates = f"<ReqForAdmssnDt>{requested}T00:00:00Z</ReqForAdmssnDt>" if requested else ""
    dates += f"<FrstTradDt>{first}T09:00:00Z</FrstTradDt>" if first else ""
    dates += f"<TermntnDt>{until}T23:00:00Z</TermntnDt>" if until else ""
    assert made in record
    return record.replace(made, dates)


def test_one_full_file_answers_for_days_before_it(client: Client) -> None:
    load_case("asof_fullfile_only")

    answer = ask(client, KINGFISH, on="2023-05-05")

    assert answer["reason"] == "Reportable on 2023-05-05: EBLX, MERK."
    shown = [(v["mic"], v["reason"], v["basis"]) for v in answer["venues"]]
    assert shown == [
        ("EBLX", "first traded 2022-11-11, not terminated", "earliest_known"),
        ("MERK", "first traded 2020-11-20, not terminated", "earliest_known"),
    ]
    for venue, position in zip(answer["venues"], (1, 2), strict=True):
        assert venue["source_file"] == "FULINS_E_20260815_01of01.zip"
        assert venue["source_position"] == position
        assert venue["published_on"] == "2026-08-15"
    assert "newest record known" in answer["rule"]
    assert mics(ask(client, KINGFISH, on="2022-11-10")) == ["MERK"]
    assert mics(ask(client, KINGFISH, on="2020-11-19")) == []
    known_since = {venue["mic"]: venue["valid_from"] for venue in answer["venues"]}
    for mic, first_day in known_since.items():
        bases = {v["mic"]: v["basis"] for v in ask(client, KINGFISH, on=first_day)["venues"]}
        assert bases[mic] == "newest_record"
    unknown = ask(client, KINGFISH, on="2023-05-05", known_on="2026-08-14")
    assert (unknown["venues"], unknown["other_venues"]) == ([], [])
    assert "no record of it published by 2026-08-14" in unknown["reason"]


def test_the_command_and_the_page_give_the_same_answer(client: Client) -> None:
    load_case("asof_fullfile_only")

    answer = ask(client, KINGFISH, on="2023-05-05")

    command = run("reportable", KINGFISH, "--on", "2023-05-05", "--format", "json")
    assert json.loads(command) == answer
    texts = (
        run("reportable", KINGFISH, "--on", "2023-05-05"),
        client.get(f"/instruments/{KINGFISH}/", {"on": "2023-05-05"}).content.decode(),
    )
    for text in texts:
        for venue in answer["venues"]:
            assert venue["mic"] in text
            assert venue["reason"] in text
        assert "earliest known" in text.lower().replace("_", " ")
        assert "FULINS_E_20260815_01of01.zip" in text
    with pytest.raises(CommandError, match="not a valid day, such as 2025-08-30"):
        run("reportable", KINGFISH, "--on", "yesterday")


def test_both_registers_answer_by_their_own_listings(client: Client) -> None:
    load_case("asof_fullfile_only")
    load_case("fca_fulins", dataset="fca_firds")

    answer = ask(client, KINGFISH, on="2023-05-05")
    shown = [(venue["mic"], venue["register"]) for venue in answer["venues"]]
    assert shown == [("EBLX", "ESMA"), ("EBLX", "FCA"), ("MERK", "ESMA")]
    assert answer["reason"] == "Reportable on 2023-05-05: EBLX, MERK (ESMA); EBLX (FCA)."
    assert mics(ask(client, KINGFISH, on="2023-05-05", register="fca")) == ["EBLX"]
    in_the_eu_alone = ask(client, KINGFISH, on="2022-01-03")
    assert in_the_eu_alone["reason"] == "Reportable on 2022-01-03: MERK (ESMA); on no venue (FCA)."


def test_each_listing_answers_by_its_own_dates(make_zip: Write, client: Client) -> None:
    """The made records are traded from 14 January 2014 on unless they have another date."""
    stockholm, paris, frankfurt = (
        firds.record("RefData", VOLVO, mic, period=day(1)) for mic in ("XSTO", "XPAR", "XETR")
    )
    load(
        make_zip,
        full(2),
        stockholm,
        with_dates(paris, first="2014-01-14", until="2025-03-06"),
        with_dates(frankfurt, first="2025-03-05"),
    )
    load(make_zip, delta(9), firds.record("TermntdRcrd", VOLVO, "XSTO"))

    assert mics(ask(client, on="2014-01-13")) == []
    assert mics(ask(client, on="2025-02-28")) == ["XPAR", "XSTO"]
    assert mics(ask(client, on="2025-03-06")) == ["XETR", "XPAR", "XSTO"]
    assert mics(ask(client, on="2025-03-07")) == ["XETR", "XSTO"]
    assert mics(ask(client, on="2025-03-10")) == ["XETR"]
    assert mics(ask(client, on="2025-03-10", known_on="2025-03-08")) == ["XETR", "XSTO"]
    assert mics(ask(client)) == ["XETR"]
    reasons = {v["mic"]: v["reason"] for v in ask(client, on="2025-03-10")["other_venues"]}
    assert reasons == {
        "XPAR": "first traded 2014-01-14, terminated 2025-03-06",
        "XSTO": "first traded 2014-01-14, termination published on 2025-03-09, without a"
        " termination date",
    }


def test_a_request_for_admission_makes_reportable_before_the_first_trade(
    make_zip: Write, client: Client
) -> None:
    record = firds.record("NewRcrd", VOLVO, "XSTO", period=day(2))
    load(make_zip, delta(2), with_dates(record, requested="2025-03-03", first="2025-03-10"))

    assert mics(ask(client, on="2025-03-02")) == []
    [venue] = ask(client, on="2025-03-05")["venues"]
    assert venue["traded"] is False
    assert venue["reason"] == (
        "admission to trading requested 2025-03-03, first traded later, on 2025-03-10,"
        " not terminated"
    )
    [venue] = ask(client, on="2025-03-10")["venues"]
    assert (venue["traded"], venue["reason"]) == (True, "first traded 2025-03-10, not terminated")


def test_a_record_without_dates_does_not_limit_the_answer(make_zip: Write, client: Client) -> None:
    record = firds.record("RefData", VOLVO, "XSTO", period=day(1))
    load(make_zip, full(2), with_dates(record))

    [venue] = ask(client, on="1990-01-01")["venues"]
    assert venue["reason"] == (
        "no date of a first trade or an admission is published, not terminated"
    )


def test_placeholders_are_no_terminations(make_zip: Write, client: Client) -> None:
    record = firds.record("RefData", VOLVO, "XSTO", period=day(1))
    load(make_zip, full(2), with_dates(record, first="2014-01-14", until="9999-12-31"))

    [venue] = ask(client, on="2025-03-02")["venues"]
    assert venue["reason"] == "first traded 2014-01-14, not terminated"
    assert mics(ask(client, on="9999-12-31")) == ["XSTO"]


@pytest.mark.parametrize("element", ["ReqForAdmssnDt", "AdmssnApprvlDtByIssr"])
def test_placeholders_are_no_admissions(element: str, make_zip: Write, client: Client) -> None:
    """As ESMA's records of FI4000047055 in October 2017."""
    record = with_dates(firds.record("RefData", VOLVO, "XSTO", period=day(1)), first="2012-10-16")
    admitted = record.replace(
        "<FrstTradDt>", f"<{element}>1858-11-16T23:00:00</{element}><FrstTradDt>"
    )
    load(make_zip, full(2), admitted)

    assert mics(ask(client, on="2012-10-15")) == []
    [venue] = ask(client, on="2012-10-16")["venues"]
    assert venue["reason"] == "first traded 2012-10-16, not terminated"
    before = client.get(f"/api/v1/instruments/{VOLVO}/", {"as_of": "2012-10-15"})
    assert before.status_code == 404


def test_a_placeholder_of_the_past_ends_no_first_record(make_zip: Write, client: Client) -> None:
    record = firds.record("RefData", VOLVO, "XSTO", period=day(5))
    load(make_zip, full(6), with_dates(record, first="2014-01-14", until="1858-11-17"))

    assert mics(ask(client, on="2025-03-02")) == ["XSTO"]
    before = client.get(f"/api/v1/instruments/{VOLVO}/", {"as_of": "2025-03-02"}).json()
    assert (before["basis"], before["effective_status"]) == ("earliest_known", "active")


def test_a_termination_published_until_a_placeholder_ends_the_listing(
    make_zip: Write, client: Client
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", period=day(1), until="9999-12-31")
    load(make_zip, delta(6), ended)

    assert mics(ask(client, on="2025-03-05")) == ["XSTO"]
    assert mics(ask(client, on="2025-03-06")) == []
    later = client.get(f"/api/v1/instruments/{VOLVO}/", {"as_of": "2025-03-10"})
    assert later.status_code == 404


def test_a_termination_on_a_placeholder_is_followed_by_no_other_period_of_trading(
    make_zip: Write, client: Client
) -> None:
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", period=day(1))
    load(make_zip, delta(2), with_dates(ended, first="2014-01-14", until="1858-11-17"))
    record = firds.record("ModfdRcrd", VOLVO, "XSTO", period=day(4))
    load(make_zip, delta(5), with_dates(record, first="2025-03-04"))

    assert mics(ask(client, on="2014-01-14")) == []
    assert mics(ask(client, on="2025-03-04")) == ["XSTO"]


def test_a_correction_of_the_first_trade_counts_for_earlier_days(
    make_zip: Write, client: Client
) -> None:
    first, second = (
        firds.record(tag, VOLVO, "XSTO", period=day(number))
        for tag, number in (("RefData", 1), ("ModfdRcrd", 5))
    )
    load(make_zip, full(2), with_dates(first, first="2025-02-01"))
    load(make_zip, delta(5), with_dates(second, first="2025-01-01"))

    assert mics(ask(client, on="2025-01-15")) == ["XSTO"]
    assert mics(ask(client, on="2025-01-15", known_on="2025-03-04")) == []


@pytest.mark.parametrize(
    ("tag", "name"),
    [("NewRcrd", delta(20)), ("ModfdRcrd", delta(20)), ("RefData", full(23))],
)
def test_an_earlier_period_of_trading_counts(
    make_zip: Write, client: Client, tag: str, name: str
) -> None:
    """Admitted, terminated, and admitted again two weeks later, as a delta or a full file tells."""
    records = {
        tag: firds.record(tag, VOLVO, "XSTO", period=day(number))
        for tag, number in (("RefData", 1), ("TermntdRcrd", 1))
    }
    load(make_zip, full(2), records["RefData"])
    ended = with_dates(records["TermntdRcrd"], first="2014-01-14", until="2025-03-05")
    load(make_zip, delta(6), ended)
    again = firds.record(tag, VOLVO, "XSTO", period=day(20))
    load(make_zip, name, with_dates(again, first="2025-03-20"))

    assert mics(ask(client, on="2025-03-05")) == ["XSTO"]
    assert mics(ask(client, on="2025-03-10")) == []
    assert mics(ask(client, on="2025-03-20")) == ["XSTO"]


def test_a_dropped_listing_is_reportable_until_the_full_set_without_it(
    make_zip: Write, client: Client
) -> None:
    load(
        make_zip,
        full(2),
        *(firds.record("RefData", VOLVO, m, period=day(1)) for m in ("A1A1", "B1B1")),
    )
    load(make_zip, full(9), firds.record("RefData", VOLVO, "A1A1", period=day(1)))

    assert mics(ask(client, on="2025-03-08")) == ["A1A1", "B1B1"]
    [venue] = ask(client, on="2025-03-09")["other_venues"]
    assert venue["mic"] == "B1B1"
    assert venue["reason"].endswith(
        "missing from the full set of 2025-03-09, without a published termination"
    )
    assert mics(ask(client, on="2025-03-09", known_on="2025-03-08")) == ["A1A1", "B1B1"]


def test_a_cancelled_listing_was_never_reportable(make_zip: Write, client: Client) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    load(make_zip, cancelled(5), firds.cancellation(VOLVO, "XSTO", "CxlData"))

    [venue] = ask(client, on="2025-03-03")["other_venues"]
    assert venue["reason"] == "cancelled: the register declares that it was never valid"
    assert mics(ask(client, on="2025-03-03", known_on="2025-03-04")) == ["XSTO"]


@pytest.mark.parametrize(
    ("terms", "word"),
    [
        ("<DebtInstrmAttrbts><MtrtyDt>2025-03-05</MtrtyDt></DebtInstrmAttrbts>", "matured"),
        ("<DerivInstrmAttrbts><XpryDt>2025-03-05</XpryDt></DerivInstrmAttrbts>", "expired"),
    ],
)
def test_the_reason_mentions_a_maturity_that_has_passed(
    terms: str, word: str, make_zip: Write, client: Client
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1), extra=terms))

    [venue] = ask(client, on="2025-03-06")["venues"]
    assert venue["reason"] == (
        f"first traded 2014-01-14, not terminated, {word} 2025-03-05: still reportable, because the"
        " register has not terminated it (newest record known: 2025-03-02)"
    )
    [venue] = ask(client, on="2025-03-05")["venues"]
    assert word not in venue["reason"]


def test_days_without_a_neighbour_are_answered(client: Client) -> None:
    load_case("year_one_single")
    isin = "NO0010883416"

    for on, expected in (
        ("0001-01-01", []),
        ("2021-01-13", ["XOSL"]),
        ("2021-02-28", ["XOSL"]),
        ("2021-03-01", []),
        ("9999-12-31", []),
    ):
        assert mics(ask(client, isin, on=on)) == expected, on


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("SE0000108656/reportable/", {}, 404),
        ("SE0000115447/reportable/", {}, 400),
        (f"{VOLVO}/reportable/", {"day": "2025-03-10"}, 400),
        (f"{VOLVO}/reportable/", {"on": "2025-02-30"}, 400),
        (f"{VOLVO}/reportable/", {"register": "SEC"}, 400),
    ],
)
def test_an_invalid_question_is_a_problem(
    path: str, parameters: dict[str, str], status: int, make_zip: Write, client: Client
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))

    response = client.get(f"/api/v1/instruments/{path}", parameters)

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.slow
def test_real_records_answer_for_every_year(real_instruments: None, client: Client) -> None:
    for isin in Instrument.objects.order_by("pk").values_list("pk", flat=True)[::20]:
        for year in (1, 1999, 2019, 2025, 9999):
            answer = get_reportability(isin, on=dt.date(year, 1, 1))
            assert all(listing.reason for listing in answer.listings)


MOMENTS = st.one_of(
    st.none(),
    st.integers(0, 3 * 365 * 24).map(
        lambda hours: dt.datetime(2019, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hours)
    ),
)


@given(
    first=MOMENTS,
    requested=MOMENTS,
    terminated=MOMENTS,
    day=st.dates(dt.date(2018, 12, 1), dt.date(2022, 2, 1)),
)
def test_an_active_record_is_reportable_between_its_dates(
    first: dt.datetime | None,
    requested: dt.datetime | None,
    terminated: dt.datetime | None,
    day: dt.date,
) -> None:
    record = Listing(
        isin=VOLVO,
        mic="XSTO",
        status="active",
        valid_from=dt.date(2020, 1, 1),
        first_trade_at=first,
        admission_requested_at=requested,
        terminated_at=terminated,
        source_file=EsmaFile(name="x.zip", published_on=dt.date(2020, 1, 2)),
        source_position=1,
    )

    answer = answer_for_listing([record], day)

    starts = [moment.date() for moment in (first, requested) if moment]
    has_begun = not starts or min(starts) <= day
    has_ended = terminated is not None and terminated.date() < day
    assert answer.is_reportable == (has_begun and not has_ended)
    assert answer.is_traded == (answer.is_reportable and (first is None or first.date() <= day))
    assert (answer.basis == "earliest_known") == (day < record.valid_from)
