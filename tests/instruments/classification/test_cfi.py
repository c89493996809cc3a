"""CFI codes: the table, what codes say, what is wrong with them, and questions by what they say."""

import io
import json
import re
import zipfile
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from stdnum import cfi as stdnum_cfi

from instruments.classification import cfi
from instruments.models import CfiCode, Instrument
from tests.conftest import DATA
from tests.instruments.listings.test_plans import planned, scans

ZIPS = sorted(DATA.glob("firds*/*.zip"))


def published_codes() -> set[str]:
    codes: set[str] = set()
    for path in ZIPS:
        with zipfile.ZipFile(path) as archive:
            xml = archive.read(archive.namelist()[0])
        codes |= {code.decode() for code in re.findall(rb"<ClssfctnTp>([^<]*)<", xml)}
    return codes


def test_the_table_is_whole() -> None:
    raw = json.loads(cfi.TABLE.read_text())["categories"]

    assert len(cfi.categories()) == len(raw) == 14
    assert len(cfi.groups()) == sum(len(category["groups"]) for category in raw) == 78
    for group in cfi.groups().values():
        assert [attribute.position for attribute in group.attributes] == [3, 4, 5, 6]


@pytest.mark.slow
def test_every_combination_of_category_and_group_is_decoded_with_every_value() -> None:
    """Each value of each attribute at least once, the others undefined."""
    for code, group in cfi.groups().items():
        for attribute in group.attributes:
            for letter, meaning in attribute.values.items():
                at = attribute.position - 1
                decoded = cfi.decode(f"{code}XXXX"[:at] + letter + f"{code}XXXX"[at + 1 :])
                assert decoded.problems == ()
                assert decoded.category is cfi.categories()[code[0]]
                assert decoded.group is group
                assert decoded.attributes[at - 2].meaning == meaning
    assert sum(1 for code in cfi.expand("******") if cfi.decode(code).problems) == 0


def test_every_published_code_is_decoded() -> None:
    codes = published_codes()
    assert len(codes) > 300

    for code in codes:
        decoded = cfi.decode(code)
        assert decoded.category is not None
        assert decoded.group is not None, code
        assert decoded.problems == (), code


@pytest.mark.parametrize(
    ("code", "edition", "position", "meaning"),
    [
        ("ESVUFR", "2019", 6, "Registered"),
        ("SRCCSP", "2015", 6, "Physical"),
        ("HFTAVP", "2015", 4, "European-Call"),
        ("SFCXXN", "2015", 6, "Non-deliverable"),
        ("DECFTS", "2021-05-07", 4, "Fixed interest payments"),
    ],
)
def test_a_code_of_another_edition_is_decoded_and_marked(
    code: str, edition: str, position: int, meaning: str
) -> None:
    decoded = cfi.decode(code)

    attribute = decoded.attributes[position - 3]
    assert decoded.edition == edition
    assert attribute.meaning is not None
    assert (cfi.short(attribute.meaning), attribute.edition) == (meaning, edition)


def test_other_editions_add_only_values_that_the_current_one_lacks() -> None:
    rows = json.loads(cfi.OTHER_EDITIONS.read_text())["values"]

    for row in rows:
        attribute = cfi.groups()[row["group"]].attributes[row["position"] - 3]
        assert row["letter"] not in attribute.values, row
        assert attribute.meaning_of(row["letter"]) == (row["meaning"], row["edition"])
    listed = [row for row in rows if row["edition"] == "2021-05-07"]
    for row in listed:  # python-stdnum bundles the list of that day
        code = f"{row['group']}XXXX"
        code = code[: row["position"] - 1] + row["letter"] + code[row["position"] :]
        assert row["meaning"] in stdnum_cfi.info(code).values()


@pytest.mark.parametrize(
    ("code", "position", "allowed"),
    [("ZSVUFR", 1, "EDCROFSHIJKLTM"), ("EZVUFR", 2, "SPCFLDYM"), ("ESVUFQ", 6, "BRNZMAX")],
)
def test_a_wrong_letter_is_named_with_what_may_stand_there(
    code: str, position: int, allowed: str
) -> None:
    [problem] = cfi.decode(code.lower()).problems

    assert (problem.position, problem.letter) == (position, code[position - 1])
    assert set(problem.allowed) == set(allowed)
    assert f"position {position} is {code[position - 1]}; allowed there: " in str(problem)


@pytest.mark.parametrize("text", ["", "ESVUF", "ESVUFRR", "ESVU1R", "ESVU R", "ESVÜFR", "ESVUF*"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(cfi.BadCfi):
        cfi.decode(text)


@pytest.mark.parametrize("text", ["", "*******", "E-", "1", "ESVUFRX", "%"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(cfi.BadCfi):
        cfi.pattern_of(text)


def test_a_pattern_expands_to_every_code_that_matches_and_to_no_other() -> None:
    every = set(cfi.expand("******"))
    assert len(every) == cfi.count("******")
    for pattern in ("ES****", "E*****", "*S***R", "ESVUFR", "ZZ****"):
        shape = re.compile(pattern.replace("*", "."))
        expanded = list(cfi.expand(pattern))
        assert set(expanded) == {code for code in every if shape.fullmatch(code)}
        assert len(expanded) == cfi.count(pattern) == len(set(expanded))


@pytest.mark.slow
def test_meanings_lead_to_letters() -> None:
    assert set(cfi.attribute_patterns("VOTING")) == {f"E{x}V***" for x in "SPCFL"}
    named = cfi.attribute_patterns("form: registered")
    assert "ES***R" in named
    assert all(pattern.endswith("R") for pattern in named)
    assert cfi.attribute_patterns("voting right: registered") == []
    for meaning in cfi.meanings():
        assert cfi.attribute_patterns(meaning), meaning


def test_business_types_name_places_in_the_table_and_leave_none_out() -> None:
    beginnings = {beginning for codes in cfi.BUSINESS_TYPES.values() for beginning in codes}
    for beginning in beginnings:
        assert cfi.count(cfi.pattern_of(beginning)) > 0
    assert {b for b in beginnings if len(b) == 1} == set(cfi.categories())


def listed(client: Client, **parameters: Any) -> set[str]:
    response = client.get("/api/v1/instruments/", {"per_page": 100, **parameters})
    assert response.status_code == 200, response.content
    answer = response.json()
    assert answer["pagination"]["pages"] <= 1, "the test looks at one page"
    return {row["isin"] for row in answer["results"]}


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
@pytest.mark.parametrize(
    ("parameters", "shape"),
    [
        ({"attribute": "voting"}, "E[SPCFL]V..."),
        ({"attribute": ["Voting", "payment status: fully paid"]}, "E[SPCFL]V.F."),
        ({"attribute": "voting; fully paid", "category": "E"}, "E[SPCFL]V.F."),
        ({"type": "fund"}, "C....."),
        ({"type": "warrant"}, "RW...."),
        ({"type": "option", "status": "active"}, "[OH]....."),
        ({"type": "equity", "attribute": "form: registered"}, "E....R"),
        ({"cfi": "es*u"}, "ES.U.."),
        ({"cfi": "DB**FB"}, "DB..FB"),
        ({"cfi": "jf", "attribute": "physical"}, "JF...P"),
    ],
)
def test_filters_by_what_a_code_means(
    client: Client, parameters: dict[str, Any], shape: str
) -> None:
    rows = Instrument.objects.filter(status=parameters.get("status", "active"))
    if "status" not in parameters:
        rows = Instrument.objects.all()
    expected = {row.isin for row in rows if re.fullmatch(shape, row.cfi_code)}

    with planned() as plan:
        assert listed(client, **parameters) == expected

    assert expected
    assert scans(plan) == []


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_a_meaning_that_hundreds_of_attributes_have_is_answered(client: Client) -> None:
    several = ";".join(["not applicable/undefined"] * 8)
    answer = client.get("/api/v1/instruments/", {"attribute": several, "per_page": "1"}).json()

    expected = [row for row in Instrument.objects.all() if "X" in row.cfi_code[2:]]
    assert answer["pagination"]["total"] == len(expected) > 0
    too_long = client.get("/api/v1/instruments/", {"attribute": "voting;" * 100})
    assert "at most 200" in too_long.json()["detail"]


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_the_command_lists_by_the_same_filters(client: Client) -> None:
    out = io.StringIO()
    filters = {"type": "equity", "attribute": "form: registered", "cfi": "es"}
    arguments = [part for name, value in filters.items() for part in (f"--{name}", value)]
    call_command("instruments", "list", *arguments, "--format", "json", stdout=out)

    answer = client.get("/api/v1/instruments/", filters).json()
    assert json.loads(out.getvalue()) == answer["results"] != []


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_invalid_questions_list_the_choices(client: Client) -> None:
    for parameters, message in (
        ({"attribute": "votin"}, "Similar ones: Voting"),
        ({"type": "car"}, "car"),
        ({"cfi": "E1"}, "one to six letters"),
    ):
        response = client.get("/api/v1/instruments/", parameters)
        assert response.status_code == 400
        assert message in response.json()["detail"]


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_an_instrument_shows_what_its_code_says(client: Client) -> None:
    answer = client.get("/api/v1/instruments/DE000A1R07V3/").json()

    decoded = answer["classification"]
    assert decoded["code"] == answer["cfi_code"] == "DBFTFB"
    assert decoded["valid"] is True
    assert (decoded["category"]["name"], decoded["group"]["name"]) == ("Debt instruments", "Bonds")
    assert [a["meaning"].split(" ")[0] for a in decoded["attributes"]] == [
        "Fixed",
        "Government",
        "Fixed",
        "Bearer",
    ]
    page = client.get("/instruments/DE000A1R07V3/").content.decode()
    assert "<dd>Government guarantee</dd>" in page


@pytest.mark.usefixtures("real_instruments")
def test_the_codes_in_use_are_those_of_the_records() -> None:
    in_use = set(Instrument.objects.exclude(cfi_code="").values_list("cfi_code", flat=True))

    assert in_use <= set(CfiCode.objects.values_list("code", flat=True)) <= published_codes()


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_the_table_can_be_browsed(client: Client) -> None:
    categories = client.get("/api/v1/cfi/").json()["results"]
    assert [category["code"] for category in categories] == list(cfi.categories())
    assert {"code": "S", "name": "Common/ordinary shares"} not in categories[0]["groups"]
    assert {"code": "ES", "name": "Common/ordinary shares"} in categories[0]["groups"]

    group = client.get("/api/v1/cfi/es/").json()
    assert group["group"]["code"] == "ES"
    assert group["attributes"][0]["values"]["V"].startswith("Voting")
    assert group["valid_codes"] == 5 * 3 * 4 * 7
    assert group["codes_in_use"] == sorted(
        CfiCode.objects.filter(code__startswith="ES").values_list("code", flat=True)
    )
    code = client.get("/api/v1/cfi/HFADVC/").json()["classification"]
    assert [problem["position"] for problem in code["problems"]] == [3]
    codes = client.get("/api/v1/cfi/ESV***/codes/", {"per_page": 10, "page": 2}).json()
    assert [row["code"] for row in codes["results"]] == list(cfi.expand("ESV***"))[10:20]
    assert codes["pagination"]["total"] == 3 * 4 * 7
    assert client.get("/api/v1/cfi/Z/").status_code == 404
    for bad in ("E-", "É", "ESVUFRX", "%", "€"):
        assert client.get(f"/api/v1/cfi/{bad}/").status_code == 400
        assert client.get(f"/api/v1/cfi/{bad}/codes/").status_code == 400
    everything = client.get("/api/v1/cfi/*/codes/", {"per_page": 100, "page": 740}).json()
    assert everything["pagination"]["total"] == cfi.count("******")
    assert everything["results"][-1]["code"] == list(cfi.expand("******"))[-1]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("cfi", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_the_command_says_what_the_api_says(client: Client) -> None:
    for code in ("esvufr", "ES", "ESV***"):
        answer = client.get(f"/api/v1/cfi/{code}/").json()
        assert json.loads(run(code, "--format", "json")) == answer
    assert json.loads(run("--format", "json")) == client.get("/api/v1/cfi/").json()["results"]
    assert "Voting" in run("esvufr")
    assert "Not a valid code: position 6 is Q; allowed there: B (Bearer)" in run("ESVUFQ")
    assert "420 valid codes" in run("ES")
    assert "Equities" in run()
    with pytest.raises(CommandError, match="The categories are E"):
        run("Z")
    with pytest.raises(CommandError, match="one to six letters"):
        run("E1")
