"""The transparency tables for a set of files: the same in whatever order the files are loaded."""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esma_files.models import EsmaFile, Run
from esma_files.names import FileName
from instruments.models import ResultFile, SubclassTransparency, TransparencyResult
from instruments.transparency.questions import get_transparency
from tests import fitrs
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.merging import counts
from tests.instruments.listings.test_plans import planned, scans
from tests.properties import examples, mostly_slow

Write = Callable[..., Path]
pytestmark = pytest.mark.django_db(transaction=True)
VOLVO, ERICSSON = "SE0000115446", "SE0000108656"
LIQUID = "<Lqdty>{}</Lqdty>"


def load(make_zip: Write, name: str, *records: str) -> Run:
    return fitrs.load(make_zip(name, fitrs.message(name, *records)))


def full(day: int, letter: str = "D") -> str:
    return f"FULNCR_202508{day:02}_{letter}_1of1"


def delta(day: int) -> str:
    return f"DLTNCR_202508{day:02}_1of1"


def current() -> list[Any]:
    rows = TransparencyResult.objects.current().order_by("isin", "reported_period_from", "subject")
    return list(rows.values_list("isin", "subject", "liquid", "pre_trade_lis"))


def test_several_results_of_an_isin_stand_beside_each_other(make_zip: Write) -> None:
    """Liquidity by quarter, thresholds by year, statistics: also of the same period."""
    limit = fitrs.threshold("PreTradLrgInScaleThrshld", "600000")
    numbers = "<TtlNbOfTxsExctd>3</TtlNbOfTxsExctd><TtlVolOfTxsExctd>7.5</TtlVolOfTxsExctd>"
    statistics = f"<Sttstcs>{numbers}</Sttstcs>"
    run = load(
        make_zip,
        full(30),
        fitrs.bond(VOLVO, more=limit),
        fitrs.bond(VOLVO, more=statistics),
        fitrs.bond(VOLVO, begin="2024-01-01", end="2024-03-31", more=LIQUID.format("false")),
        fitrs.bond(VOLVO, begin="2024-04-01", end="2024-06-30", more=LIQUID.format("true")),
    )

    assert counts(run) == {"new": 4}
    assert TransparencyResult.objects.current().count() == 4


def test_a_correction_supersedes_the_earlier_result_which_stays(make_zip: Write) -> None:
    load(make_zip, full(23), fitrs.bond(VOLVO, more=LIQUID.format("false")))
    run = load(
        make_zip,
        delta(27),
        fitrs.bond(VOLVO, more=LIQUID.format("true")),
        fitrs.bond(ERICSSON, more=LIQUID.format("false")),
    )
    again = load(make_zip, full(30), fitrs.bond(VOLVO, more=LIQUID.format("true")))

    assert counts(run) == {"changed": 1, "new": 1}
    assert counts(again) == {"unchanged": 1}
    assert current() == [
        (ERICSSON, "liquidity", False, None),
        (VOLVO, "liquidity", True, None),
    ]
    old = TransparencyResult.objects.get(superseded=True)
    assert (old.isin, old.liquid, old.source_file.name) == (VOLVO, False, f"{full(23)}.zip")


def test_an_old_file_that_comes_late_is_filed_below(make_zip: Write) -> None:
    load(make_zip, full(30), fitrs.bond(VOLVO, more=LIQUID.format("true")))

    late = load(make_zip, full(23), fitrs.bond(VOLVO, more=LIQUID.format("false")))
    older = load(make_zip, full(16), fitrs.bond(VOLVO, more=LIQUID.format("true")))

    assert counts(late) == {"late": 1}
    assert counts(older) == {"unchanged": 1}
    # The false one was a correction, which the newest publication has taken back.
    assert current() == [(VOLVO, "liquidity", True, None)]
    result = TransparencyResult.objects.current().get()
    newest = EsmaFile.objects.get(name=f"{full(30)}.zip")
    assert result.source_file.name == f"{full(16)}.zip"
    assert result.published_again == [newest.pk]


def test_a_correction_that_is_taken_back_leaves_the_first_result_in_force(make_zip: Write) -> None:
    """The position in the third file is not kept."""
    other = fitrs.bond(ERICSSON, more=LIQUID.format("true"))
    load(make_zip, full(16), other, fitrs.bond(VOLVO, more=LIQUID.format("true")))
    for day, liquid in ((23, "false"), (30, "true")):
        run = load(make_zip, full(day), fitrs.bond(VOLVO, more=LIQUID.format(liquid)))

    assert counts(run) == {"changed": 1}
    answers = {}
    for day in (15, 16, 23, 30):
        answer = get_transparency(VOLVO, on=dt.date(2025, 9, 1), known_on=dt.date(2025, 8, day))
        answers[day] = [
            (r.liquid, r.source_file.name[:15], r.source_position, r.superseded)
            for r in answer.results
        ]
    assert answers == {
        15: [],
        16: [(True, "FULNCR_20250816", 2, False)],
        23: [(False, "FULNCR_20250823", 1, False)],
        30: [(True, "FULNCR_20250830", 0, False)],
    }
    before = get_transparency(VOLVO, on=dt.date(2025, 8, 20), known_on=dt.date(2025, 8, 23))
    assert [r.liquid for r in before.results] == [False]


def test_what_was_known_before_a_file_was_republished_is_still_answered(make_zip: Write) -> None:
    for hour, (day, liquid) in enumerate(((23, "true"), (29, "false"))):
        record = fitrs.bond(VOLVO, more=LIQUID.format(liquid))
        xml = fitrs.message(full(23), record, created=f"2025-08-{day}T03:00:00Z")
        run = fitrs.load(make_zip(full(23), xml, folder=f"revision_{hour}"))

    assert run.report[0].startswith("It replaces an older revision")
    assert current() == [(VOLVO, "liquidity", False, None)]
    assert TransparencyResult.objects.published().count() == 1
    known = {}
    for day in (22, 23, 28, 29):
        answer = get_transparency(VOLVO, on=dt.date(2025, 9, 1), known_on=dt.date(2025, 8, day))
        known[day] = [result.liquid for result in answer.results]
    assert known == {22: [], 23: [True], 28: [True], 29: [False]}


@pytest.mark.parametrize("order", mostly_slow(itertools.permutations(range(3))))
def test_a_result_that_the_second_of_three_revisions_lacks_was_known_twice(
    make_zip: Write, order: tuple[int, ...]
) -> None:
    contents = [(23, "true"), (26, "false"), (29, "true")]
    for number in order:
        day, liquid = contents[number]
        record = fitrs.bond(VOLVO, more=LIQUID.format(liquid))
        xml = fitrs.message(full(23), record, created=f"2025-08-{day}T03:00:00Z")
        fitrs.load(make_zip(full(23), xml, folder=f"revision_{number}"))

    known = {}
    for day in (22, 23, 25, 26, 28, 29):
        answer = get_transparency(VOLVO, on=dt.date(2025, 9, 1), known_on=dt.date(2025, 8, day))
        known[day] = [result.liquid for result in answer.results]
    assert known == {22: [], 23: [True], 25: [True], 26: [False], 28: [False], 29: [True]}


@pytest.mark.parametrize("order", mostly_slow(itertools.permutations(range(3))))
def test_revisions_in_any_order_are_known_on_the_days_on_which_they_were_the_newest(
    make_zip: Write, order: tuple[int, ...]
) -> None:
    """Results that revisions of 23, 26 and 29 August have, also if an older one is loaded last."""
    contents = [
        (23, [(VOLVO, "true"), (ERICSSON, "true")]),
        (26, [(VOLVO, "false"), (ERICSSON, "true")]),
        (29, [(VOLVO, "false")]),
    ]
    for number in order:
        day, results = contents[number]
        records = [fitrs.bond(isin, more=LIQUID.format(liquid)) for isin, liquid in results]
        xml = fitrs.message(full(23), *records, created=f"2025-08-{day}T03:00:00Z")
        fitrs.load(make_zip(full(23), xml, folder=f"revision_{number}"))

    assert current() == [(VOLVO, "liquidity", False, None)]
    check_counts()
    for day in (22, 23, 25, 26, 28, 29, 30):
        known = {}
        for isin in (VOLVO, ERICSSON):
            answer = get_transparency(isin, on=dt.date(2025, 9, 1), known_on=dt.date(2025, 8, day))
            known[isin] = [str(result.liquid).lower() for result in answer.results]
        newest = [results for created, results in contents if created <= day]
        expected_results = dict(newest[-1]) if newest else {}
        assert known == {
            isin: [expected_results[isin]] if isin in expected_results else []
            for isin in (VOLVO, ERICSSON)
        }, day


def test_the_position_of_a_result_that_is_left_to_a_later_file_is_read_from_it(
    make_zip: Write,
) -> None:
    liquid = fitrs.bond(VOLVO, more=LIQUID.format("true"))
    other = fitrs.bond(ERICSSON, more=LIQUID.format("false"))
    load(make_zip, full(16), liquid)
    load(make_zip, full(23), other, liquid)
    xml = fitrs.message(full(16), other, created="2025-08-31T03:00:00Z")
    fitrs.load(make_zip(full(16), xml, folder="again"))

    sources = TransparencyResult.objects.values_list("isin", "source_file__name", "source_position")
    assert sorted(sources) == [
        (ERICSSON, f"{full(16)}.zip", 1),
        (VOLVO, f"{full(23)}.zip", 2),
    ]


def test_a_republished_file_of_equity_results_replaces_the_older_revision(make_zip: Write) -> None:
    name = "FULECR_20250830_E_1of1"
    for day, year in (("01", 2022), ("02", 2023)):
        records = (fitrs.equity(VOLVO, year=year), fitrs.equity(VOLVO, methodology="SINT"))
        xml = fitrs.message(name, *records, created=f"2025-09-{day}T03:00:00Z")
        run = fitrs.load(make_zip(name, xml, folder=day))

    assert counts(run) == {"new": 1, "unchanged": 1}
    published = TransparencyResult.objects.published().order_by(
        "methodology", "reported_period_from"
    )
    assert [str(row.reported_period_from) for row in published] == ["2024-01-01", "2023-01-01"]


def test_the_number_that_starts_anew_in_each_file_is_no_key(make_zip: Write) -> None:
    record = fitrs.bond(VOLVO, more=LIQUID.format("true"))
    load(make_zip, full(23), record)

    run = load(make_zip, full(30), record.replace("<TechRcrdId>1<", "<TechRcrdId>99<"))

    assert counts(run) == {"unchanged": 1}


def test_equity_results_differ_by_methodology_and_period(make_zip: Write) -> None:
    name = "FULECR_20250830_E_1of1"
    applied = fitrs.period("2025-04-07", "2026-04-05", tag="ApplPrd")
    run = load(
        make_zip,
        name,
        fitrs.equity(VOLVO, more=applied),
        fitrs.equity(VOLVO, methodology="SINT"),
        fitrs.equity(VOLVO, year=2023),
    )
    # The older schema has no application period: the same results, told again with it.
    older = "FULECR_20250823_E_1of1"
    xml = fitrs.message(older, fitrs.equity(VOLVO), version="auth.044.001.02")
    late = fitrs.load(make_zip(older, xml))

    assert counts(run) == {"new": 3}
    assert counts(late) == {"late": 1}
    assert TransparencyResult.objects.current().count() == 3


def test_sub_classes_have_a_table_of_their_own_keyed_by_criteria(make_zip: Write) -> None:
    name = "FULNCR_20250830_NYAR_1of1"
    limit = fitrs.threshold("PstTradInstrmSzSpcfcThrshld", "5.5", "USD")
    first = load(
        make_zip,
        name,
        fitrs.of_class("EQDV", "EQD06", more=limit),
        fitrs.of_class("EQDV", "EQD07", more=limit),
        fitrs.of_class("IRDV", "EQD06", more=limit),
    )
    second = load(
        make_zip,
        "FULNCR_20250906_SISC_1of1",
        fitrs.of_class("EQDV", "EQD06", more=limit.replace("5.5", "6")),
    )

    assert (counts(first), counts(second)) == ({"new": 3}, {"changed": 1})
    assert not TransparencyResult.objects.exists()
    now = SubclassTransparency.objects.current().filter(criteria=[["SACL", "EQD06"]])
    rows = now.values_list("asset_class", "post_trade_ssti", "post_trade_ssti_currency")
    assert sorted((a, str(b), c) for a, b, c in rows) == [
        ("EQDV", "6", "USD"),
        ("IRDV", "5.5", "USD"),
    ]


def test_two_records_of_a_result_in_a_file_are_both_kept_and_current(make_zip: Write) -> None:
    run = load(
        make_zip,
        full(30),
        fitrs.bond(VOLVO, more=LIQUID.format("true")),
        fitrs.bond(VOLVO, more=LIQUID.format("false")),
        fitrs.bond(VOLVO, more=LIQUID.format("false")),
    )

    assert counts(run) == {"new": 2, "unchanged": 1}
    assert TransparencyResult.objects.current().count() == 2


def test_a_contradiction_lasts_from_the_publication_that_has_both_until_one_has_only_one(
    make_zip: Write,
) -> None:
    published = [(9, ["true"]), (16, ["true", "false"]), (23, ["true"]), (30, ["false", "true"])]
    for day, values in published:
        records = [fitrs.bond(VOLVO, more=LIQUID.format(liquid)) for liquid in values]
        load(make_zip, full(day), *records)

    for day, values in published:
        known_on = dt.date(2025, 8, day)
        answer = get_transparency(VOLVO, on=known_on, known_on=known_on)
        assert sorted(str(row.liquid).lower() for row in answer.results) == sorted(values), day
    assert TransparencyResult.objects.current().count() == 2


@pytest.mark.sqlite  # its plans
def test_a_load_goes_from_what_changed_to_the_tables(make_zip: Write) -> None:
    with planned() as rows:
        for day, liquid in ((23, "true"), (16, "false"), (30, "false")):
            load(make_zip, full(day), fitrs.bond(VOLVO, more=LIQUID.format(liquid)))

    assert any("contested" in sql for sql, _ in rows)
    assert [(sql, line) for sql, line in scans(rows) if "SCAN r" in line] == []
    assert scans(rows) == []


NAMES = [full(16), full(23), full(23, "F"), delta(23), full(30), delta(27)]


Record = tuple[str, str, str]  # ISIN, end of the reporting period, and whether liquid


@dataclasses.dataclass(frozen=True)
class Revision:
    """A made file, published in August, whose revisions were created on days of September."""

    name: str
    day: int
    records: list[Record]


@st.composite
def revisions(draw: st.DrawFn) -> list[Revision]:
    record = st.tuples(
        st.sampled_from([VOLVO, ERICSSON]),
        st.sampled_from(["2024-12-31", "2024-06-30"]),
        st.sampled_from(["true", "false"]),
    )
    records = st.lists(record, min_size=1, max_size=4)
    files: list[Revision] = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        days = range(1, draw(st.integers(1, 3)) + 1)
        files += [Revision(name, day, draw(records)) for day in days]
    return draw(st.permutations(files))


def publication(name: str) -> tuple[Any, int]:
    parsed = FileName.parse(name)
    return parsed.published_on, parsed.kind.place_in_day


def expected(files: list[Revision]) -> set[Any]:
    """In the plainest Python: each record, where it was first published and again, and if current."""
    newest = {file.name: file for file in sorted(files, key=lambda file: file.day)}

    names = sorted(newest, key=lambda name: (FileName.parse(name).sequence(), name))
    by_result: dict[tuple[str, str], dict[Any, dict[Record, str]]] = {}
    for name in names:
        for record in newest[name].records:
            publications = by_result.setdefault(record[:2], {})
            publications.setdefault(publication(name), {}).setdefault(record, name)
    rows = set()
    for publications in by_result.values():
        begins: dict[Record, list[str]] = {}
        before: dict[Record, str] = {}
        for held in publications.values():
            for record, name in held.items() if held.keys() != before.keys() else ():
                begins.setdefault(record, []).append(name)
            before = held
        for record, (first, *again) in begins.items():
            rows.add((*record, first, tuple(again), record not in before))
    return rows


@pytest.mark.slow
@examples(40)
@given(files=revisions(), again=st.booleans())
def test_any_revisions_in_any_order_give_the_rows_of_the_rules(
    make_zip: Write, files: list[Revision], *, again: bool
) -> None:
    for model in (ResultFile, TransparencyResult, Run, EsmaFile):
        model.objects.all().delete()
    for number, file in enumerate([*files, *(files[:1] if again else [])]):
        records = [
            fitrs.bond(isin, end=end, more=LIQUID.format(liquid))
            for isin, end, liquid in file.records
        ]
        xml = fitrs.message(file.name, *records, created=f"2025-09-{file.day:02}T03:00:00Z")
        run = fitrs.load(make_zip(file.name, xml, folder=f"file_{number}"))
        assert run.read == run.new + run.changed + run.late + run.unchanged == len(records)

    names = dict(EsmaFile.objects.values_list("pk", "name"))
    assert {
        (
            result.isin,
            str(result.reported_period_to),
            str(result.liquid).lower(),
            result.source_file.name.removesuffix(".zip"),
            tuple(names[key].removesuffix(".zip") for key in result.published_again or ()),
            result.superseded,
        )
        for result in TransparencyResult.objects.published().select_related("source_file")
    } == expected(files)
    assert TransparencyResult.objects.published().count() == len(expected(files))
    assert not TransparencyResult.objects.current().exclude(withdrawn_on=None).exists()
    for day in range(1, 4):
        known = [file for file in files if file.day <= max(day, first_day_of(file.name, files))]
        assert {
            (isin, *row)
            for isin in TransparencyResult.objects.values_list("isin", flat=True).distinct()
            for row in current_known_on(isin, dt.date(2025, 9, day))
        } == came_into_force_last(known)
    # What the last publication holds, and nothing else: a contradiction that it has resolved is over.
    assert {
        (isin, end, liquid)
        for isin in TransparencyResult.objects.values_list("isin", flat=True).distinct()
        for end, liquid, _ in current_known_on(isin, dt.date(2025, 10, 1))
    } == {row[:3] for row in expected(files) if not row[-1]}


def came_into_force_last(files: list[Revision]) -> set[Any]:
    """Return the versions of each result that the last publication to change it brought, with their files."""
    begins: dict[tuple[str, str], dict[Any, set[Any]]] = {}
    for *record, first, again, _ in expected(files):
        name = (first, *again)[-1]
        rows = begins.setdefault((record[0], record[1]), {})
        rows.setdefault(publication(name), set()).add((*record, name))
    return {row for rows in begins.values() for row in rows[max(rows)]}


def first_day_of(name: str, files: list[Revision]) -> int:
    return min(file.day for file in files if file.name == name)


def current_known_on(isin: str, day: dt.date) -> set[tuple[str, str, str]]:
    """Return the current results of an ISIN on a day, each with the file that brought it into force."""
    answer = get_transparency(isin, on=day, known_on=day)
    return {
        (
            str(result.reported_period_to),
            str(result.liquid).lower(),
            result.source_file.name.removesuffix(".zip"),
        )
        for result in answer.results
    }
