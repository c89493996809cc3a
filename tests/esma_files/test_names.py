"""Names of files, taken apart by the table of kinds."""

import datetime as dt
import itertools

import pytest

from esma_files.datasets import Dataset
from esma_files.errors import BadFileName
from esma_files.kinds import KINDS, Cadence, FileKind
from esma_files.names import PARTS, FileName
from instruments.layouts import layout_of, merge_of, result_tables

DAY = dt.date(2021, 4, 1)


@pytest.mark.parametrize(
    ("name", "kind", "category", "result_group", "part", "parts"),
    [
        ("FULINS_E_20210401_01of02.zip", "FULINS", "E", "", 1, 2),
        ("DLTINS_20210401_01of01.zip", "DLTINS", "", "", 1, 1),
        ("FULCAN_20210401_02of02.xml", "FULCAN", "", "", 2, 2),
        ("FULCAN_20210401_02of02.9d2efc20.zip", "FULCAN", "", "", 2, 2),
        ("INVINS_20210401_01of01", "INVINS", "", "", 1, 1),
        ("FULECR_20210401_E_1of1.zip", "FULECR", "E", "", 1, 1),
        ("FULNCR_20210401_D_12of30.zip", "FULNCR", "D", "", 12, 30),
        ("DLTECR_20210401_1of1.zip", "DLTECR", "", "", 1, 1),
        ("DLTECR_20210401_E_1of1.zip", "DLTECR", "E", "", 1, 1),
        ("DLTNCR_20210401_1of1.zip", "DLTNCR", "", "", 1, 1),
        ("DLTNCR_20210401_C_1of2.zip", "DLTNCR", "C", "", 1, 2),
        ("FULNCR_20210401_NYAR_EQD_1of2.zip", "FULNCR", "", "NYAR_EQD", 1, 2),
        ("FULNCR_20210401_SISC_IRD_1of1.zip", "FULNCR", "", "SISC_IRD", 1, 1),
        ("FULNCR_20210401_SISC_C10_1of1.zip", "FULNCR", "", "SISC_C10", 1, 1),
        ("DVCRES_20210401.zip", "DVCRES", "", "", 1, 1),
        ("DVCRES_20210401_2_final.zip", "DVCRES", "", "", 1, 1),
        ("20210401-0800-gleif-goldencopy-lei2-golden-copy.xml.zip", "LEI2", "", "", 1, 1),
        ("isin-lei-20210401T071511.zip", "ISINLEI", "", "", 1, 1),
        ("LEI-BIC-20210401.zip", "BICLEI", "", "", 1, 1),
        ("20210401-1600-gleif-goldencopy-lei2-last-day.xml.zip", "LEI2DELTA", "", "last-day", 1, 1),
    ],
)
def test_every_form_of_name_is_taken_apart(
    name: str, kind: str, category: str, result_group: str, part: int, parts: int
) -> None:
    parsed = FileName.parse(name)

    assert (parsed.kind.code, parsed.published_on) == (kind, DAY)
    assert (parsed.category, parsed.result_group) == (category, result_group)
    assert (parsed.part, parsed.parts) == (part, parts)


@pytest.mark.parametrize(
    "name",
    [
        "FULINS_20210401_01of01.zip",
        "DLTINS_E_20210401_01of01.zip",
        "FULINS_E_20210431_01of01.zip",
        "FULINS_E_20210401_02of01.zip",
        "FULINS_E_20210401_00of01.zip",
        "FULNCR_20210401_NYAR_EQD_XYZ_1of1.zip",
        "FULNCR_20210401_../x_1of1.zip",
        "XULINS_E_20210401_01of01.zip",
        "FULINS",
        "",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadFileName):
        FileName.parse(name)


def test_sets_of_a_day_differ_by_category_and_group_of_results() -> None:
    names = [
        FileName.parse(f"FULNCR_20210401_{label}_1of1")
        for label in ("D", "E", "NYAR_EQD", "NYAR_IRD", "SISC_EQD")
    ]

    assert len({name.set_label for name in names}) == len(names)
    assert not any(a.is_same_part(b) for a, b in itertools.combinations(names, 2))


def test_the_files_of_a_day_are_in_the_order_in_which_they_apply() -> None:
    names = [
        "FULINS_E_20210331_01of01",
        "DLTINS_20210401_01of02",
        "DLTINS_20210401_02of02",
        "FULCAN_20210401_01of01",
        "FULINS_C_20210401_01of01",
        "DLTINS_20210402_01of01",
    ]
    parsed = [FileName.parse(name) for name in names]

    assert sorted([parsed[5], *parsed[:5]]) == parsed
    places = [name.sequence() // PARTS for name in parsed]
    assert places == sorted(places)
    assert places[1] == places[2], "the parts of a set have one place"
    assert parsed[1].sequence(1) > parsed[1].sequence(0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_declaration_of_a_kind_is_complete(kind: FileKind) -> None:
    assert kind.datasets
    assert (kind.weekday is None) == (kind.cadence is not Cadence.WEEKLY)
    assert kind.default_dataset.authority in ("ESMA", "GLEIF")
    by_sender = [dataset for dataset in kind.datasets if dataset.publication.senders]
    assert [kind.dataset_of(d.publication.senders[0]) for d in by_sender] == by_sender
    if kind.can_be_loaded:
        forms = ("20210401_1of1", "E_20210401_1of1", "20210401")
        subject = kind.code.removesuffix("DELTA").lower()
        contents = (f"{subject}-golden-copy", f"{subject}-last-day")
        names = (
            *(f"{kind.code}_{form}" for form in forms),
            *(f"20210401-0800-gleif-goldencopy-{content}" for content in contents),
            "isin-lei-20210401T071511",
            "LEI-BIC-20210401",
        )
        name = next(n for n in names if kind.pattern.fullmatch(n))
        layout = layout_of(name)
        assert (layout.mapping.message, layout.mapping.root) == (kind.message, kind.root)
        assert layout.mapping.document == kind.document
        assert not kind.result_tables or result_tables(kind)
        assert not kind.merge or callable(merge_of(kind))


def test_every_dataset_has_kinds_and_an_authority() -> None:
    for dataset in Dataset:
        assert dataset.authority in ("ESMA", "FCA", "GLEIF")
        assert any(dataset in kind.datasets for kind in KINDS.values())
