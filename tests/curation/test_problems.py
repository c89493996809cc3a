"""Problems of published data: found in real tables, listed, proposed from, and gone when they are solved."""

import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from curation import finding
from curation.models import Problem, ProblemCount
from curation.problem_kinds import KINDS
from instruments import pipeline
from instruments.models import Correction, Instrument, Venue
from tests import firds, fitrs, golden_copy, isin_lei
from tests.accounts.clients import client_of_new_user
from tests.curation.test_admin import sign_in
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)

ISSUER = "549300GDPG70E3MBBU98"  # in each record of `firds.record`
OTHER = "213800FERQ5LE3H7WJ58"
BOND, OPTION = "SE0000108656", "SE0000667925"


def record(isin: str, mic: str, **values: Any) -> str:
    return firds.record("RefData", isin, mic, **{"name": "VOLVO AB", "period": day(1), **values})


def terminated(text: str, on: str) -> str:
    """Return a record with a day of termination."""
    first = "<FrstTradDt>2014-01-14T09:00:00Z</FrstTradDt>"
    return text.replace(first, f"{first}<TermntnDt>{on}T00:00:00Z</TermntnDt>")


def make_venue(mic: str, **values: Any) -> None:
    defaults = {"operating_mic": mic, "kind": "OPRT", "name": mic, "country": "SE"}
    Venue.objects.create(mic=mic, status="ACTIVE", **{**defaults, **values})


def find(kind: str) -> list[tuple[str, str, str, str]]:
    """Look for the problems of a kind; return ISIN, MIC, published and suggested value of each."""
    finding.find_all([kind])
    rows = Problem.objects.filter(kind=kind)
    return list(rows.values_list("isin", "mic", "published", "suggested"))


def map_issuer(folder: Path, isin: str, lei: str) -> None:
    path = isin_lei.put(folder, isin_lei.table([(isin, lei)]))
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.error is None


def test_an_issuer_without_an_entity_is_found_once_a_golden_copy_is_loaded(
    make_zip: Write, tmp_path: Path
) -> None:
    load(make_zip, full(2), record(VOLVO, "XSTO"))

    assert find("no_entity") == []
    assert "No golden copy" in ProblemCount.objects.get(pk="no_entity").skipped

    entity = golden_copy.record(OTHER)
    golden_copy.load(golden_copy.put(tmp_path, golden_copy.name(), golden_copy.message(entity)))
    map_issuer(tmp_path, VOLVO, OTHER)
    assert find("no_entity") == [(VOLVO, "", ISSUER, OTHER)]
    assert find("issuer_differs") == [(VOLVO, "", ISSUER, OTHER)]


def test_an_operator_is_no_issuer_but_of_an_option(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "XSTO"), record(OPTION, "XSTO", cfi="OCASPS"))
    make_venue("VOLV", lei=ISSUER, category="SINT")
    assert find("issuer_operator") == []

    make_venue("XSTO", lei=ISSUER, category="RMKT")
    assert find("issuer_operator") == [(VOLVO, "", ISSUER, "")]


def test_invalid_codes_and_those_of_other_editions_are_told_apart(make_zip: Write) -> None:
    load(
        make_zip,
        full(2),
        record(VOLVO, "XSTO"),
        record(BOND, "XSTO", cfi="EZVUFR"),
        record(OPTION, "XSTO", cfi="SRACSC"),
    )

    assert find("cfi_invalid") == [(BOND, "", "EZVUFR", "")]
    assert "position 2 is Z" in Problem.objects.get().detail
    find("cfi_edition")
    [old] = Problem.objects.filter(kind="cfi_edition")
    assert (old.isin, old.published) == (OPTION, "SRACSC")
    assert "of the edition of 2015" in old.detail


def test_mics_that_the_list_of_venues_lacks_are_found(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "XSTO"), record(VOLVO, "ZZZZ"))
    make_venue("XSTO")

    assert find("venue_unknown") == [("", "ZZZZ", "ZZZZ", "")]


def test_names_differ_if_more_than_case_and_punctuation_does(make_zip: Write) -> None:
    names = {"AAAA": "Volvo, AB", "BBBB": "VOLVO AB", "CCCC": "WOLWO AB"}
    load(make_zip, full(2), *(record(VOLVO, mic, name=name) for mic, name in names.items()))

    assert find("names_differ") == [(VOLVO, "CCCC", "WOLWO AB", "Volvo, AB")]


def test_a_terminated_listing_of_the_full_set_is_found(make_zip: Write) -> None:
    gone = terminated(record(VOLVO, "AAAA"), "2025-03-01")
    at_the_day = terminated(record(VOLVO, "BBBB"), "2025-03-02")
    load(make_zip, full(2), gone, at_the_day, record(VOLVO, "CCCC"))

    assert find("terminated_listed") == [(VOLVO, "AAAA", "2025-03-01", "")]


def test_an_expired_instrument_that_is_published_as_active_is_found(make_zip: Write) -> None:
    gone = terminated(record(VOLVO, "AAAA"), "2025-03-01")
    load(make_zip, full(2), gone, record(BOND, "AAAA"))

    assert find("expired_active") == [(VOLVO, "", "2025-03-01", "")]
    assert Problem.objects.get().detail == (
        "Published as active; terminated by its own dates since 2025-03-01."
    )


def _contradictory(isin: str) -> list[str]:
    applied = fitrs.period("2025-01-01", "2199-12-31", tag="ApplPrd")
    return [
        fitrs.equity(isin, more=f"{applied}<Lqdty>{liquid}</Lqdty>") for liquid in ("true", "false")
    ]


def test_contradictory_results_of_many_instruments_take_no_more_queries(make_zip: Write) -> None:
    queries, expected = [], len(find("transparency_conflict"))
    for day_, isins in (("30", [VOLVO]), ("31", [BOND, OPTION])):
        name = f"FULECR_202508{day_}_E_1of1"
        records = itertools.chain.from_iterable(map(_contradictory, isins))
        fitrs.load(make_zip(name, fitrs.message(name, *records)))
        expected += len(isins)
        with CaptureQueriesContext(connection) as captured:
            assert len(find("transparency_conflict")) == expected
        queries.append(len(captured))

    assert queries[0] == queries[1]


def test_contradictory_results_are_found(make_zip: Write) -> None:
    name = "FULECR_20250830_E_1of1"
    [clear, _] = _contradictory(BOND)
    fitrs.load(make_zip(name, fitrs.message(name, *_contradictory(VOLVO), clear)))

    assert find("transparency_conflict") == [(VOLVO, "", "liquidity", "")]


def test_a_problem_keeps_its_first_day_and_goes_when_it_is_solved(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA", cfi="EZVUFR"))
    find("cfi_invalid")
    Problem.objects.update(found_on="2025-01-01")

    load(make_zip, full(9), record(VOLVO, "AAAA", cfi="EYVUFR"))
    assert [row[2] for row in find("cfi_invalid")] == ["EYVUFR"]
    assert Problem.objects.get().found_on.isoformat() == "2025-01-01"

    load(make_zip, full(16), record(VOLVO, "AAAA"))
    assert find("cfi_invalid") == []
    assert ProblemCount.objects.get().problems == 0


def test_only_the_first_problems_of_a_kind_are_kept(make_zip: Write) -> None:
    load(make_zip, full(2), *(record(isin, "AAAA", cfi="EZVUFR") for isin in (VOLVO, BOND)))

    [count] = finding.find_all(["cfi_invalid"], kept=1)

    assert (count.problems, count.has_more) == (1, True)
    assert Problem.objects.get().isin == BOND


@pytest.mark.usefixtures("anonymous_reading")
def test_the_api_the_page_and_the_command_show_the_same(make_zip: Write, client: Any) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA", cfi="EZVUFR"))
    out = io.StringIO()
    call_command("problems", "find", "cfi_invalid", "--format", "json", stdout=out)

    kinds = client.get("/api/v1/problems/", {"per_page": 100}).json()["results"]
    assert json.loads(out.getvalue()) == kinds
    assert [kind["kind"] for kind in kinds] == list(KINDS)
    assert {kind["kind"]: kind["problems"] for kind in kinds}["cfi_invalid"] == 1
    [problem] = client.get("/api/v1/problems/cfi_invalid/", {"category": "e"}).json()["results"]
    assert (problem["isin"], problem["published"], problem["field"]) == (
        VOLVO,
        "EZVUFR",
        "cfi_code",
    )
    assert (
        client.get("/api/v1/problems/cfi_invalid/", {"suggested": "true"}).json()["results"] == []
    )
    assert client.get("/api/v1/problems/cfi_invalit/").status_code == 404
    assert client.get("/problems/").content.count(b"/problems/cfi_invalid/") == 1
    page = client.get("/problems/cfi_invalid/").content.decode()
    assert VOLVO in page
    assert KINDS["cfi_invalid"].to_do in page
    listed = io.StringIO()
    call_command("problems", "list", "cfi_invalid", stdout=listed)
    assert VOLVO in listed.getvalue()


def test_an_approved_correction_solves_a_problem_at_once(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA", cfi="EZVUFR"), record(BOND, "AAAA", cfi="EZVUFR"))
    finding.find_all(["cfi_invalid"])
    ann, carl = sign_in("ann"), sign_in("carl")
    page = "/admin/curation/cfiinvalidproblem/"
    assert KINDS["cfi_invalid"].why in ann.get(page).content.decode()
    bond, volvo = Problem.objects.order_by("isin")
    body = {
        "action": "propose",
        "_selected_action": [bond.pk, volvo.pk],
        "reason": "ANNA has it",
        f"value_{volvo.pk}": "ESVUFR",
        f"value_{bond.pk}": "ES",
    }

    assert "Right value" in ann.post(page, body).content.decode()
    preview = ann.post(page, {**body, "step": "preview"}).content.decode()
    assert "<td>EZVUFR</td><td>ESVUFR</td>" in preview
    assert "&#x27;ES&#x27; is not a value of CFI code." in preview
    assert not Correction.objects.exists()
    answer = ann.post(page, {**body, "step": "propose"}, follow=True).content.decode()

    assert "Proposed: 1 of 2" in answer
    assert f"Left out, without a value: {BOND}" in answer
    correction = Correction.objects.get(state="proposed", value="ESVUFR", proposed_by="ann")
    assert Event.objects.get(action="correction.proposed").actor == "ann"
    approval = {"action": "approve", "_selected_action": correction.pk, "confirmed": "1"}
    carl.post("/admin/instruments/correction/", approval)
    assert Instrument.objects.get(pk=VOLVO).cfi_code == "ESVUFR"
    assert list(Problem.objects.values_list("isin", flat=True)) == [BOND]
    assert ProblemCount.objects.get().problems == 1


def test_readers_see_problems_and_propose_nothing(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA", cfi="EZVUFR"))
    finding.find_all(["cfi_invalid"])
    viewer = client_of_new_user("vera")

    assert viewer("get", "/problems/cfi_invalid/").json()["pagination"]["total"] == 1
    body = {"register": "ESMA", "isin": VOLVO, "field": "cfi_code", "value": "ESVUFR"}
    refused = viewer("post", "/corrections/", {**body, "reason": "ANNA has it"})
    assert refused.status_code == 403
