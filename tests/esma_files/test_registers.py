"""Asking registers: ESMA's Solr and the FCA's Elasticsearch, in good times and bad."""

import datetime as dt
import time
from typing import Any

import pytest
from django.conf import LazySettings

from esma_files import registers
from esma_files.datasets import Dataset
from esma_files.errors import RegisterChanged, UnknownAnswer
from esma_files.registers import answers
from marketdata.common.errors import ForbiddenAddress, Refused, Unavailable
from marketdata.common.http import allowed
from tests.conftest import DATA
from tests.register import FakeRegister, Trouble

RECORDED = DATA / "registers"
DAY = dt.date(2025, 8, 30)
SOLR = "/solr/esma_registers_firds_files/select"


def published(dataset: str = Dataset.ESMA_FIRDS, **options: Any) -> list[str]:
    found = registers.published(dataset, DAY, DAY + dt.timedelta(days=1), **options)
    assert found.unusable == []
    return [f"{file.name.stem}.zip" for file in found.files]


@pytest.mark.parametrize(
    ("name", "total", "count", "checksums"),
    [
        ("firds_files_20190602.json", 91, 91, False),
        ("firds_files_20210117_to_20210119.xml", 4, 4, True),
        ("firds_files_20221114.xml", 3632, 100, True),
    ],
)
def test_recorded_answers_are_read_whole(
    name: str, total: int, count: int, checksums: bool, settings: LazySettings
) -> None:
    found, entries = answers.read((RECORDED / name).read_bytes(), url=name)

    assert (found, len(entries)) == (total, count)
    files = [
        registers.PublishedFile.from_entry(entry, dataset=Dataset.ESMA_FIRDS) for entry in entries
    ]
    for file, entry in zip(files, entries, strict=True):
        assert file.name.stem + ".zip" == entry["file_name"]
        assert file.name.kind.code == entry["file_type"]
        assert f"{file.name.published_on}" == entry["publication_date"][:10]
        assert file.register_id == entry["_root_"]
        assert bool(file.md5) == checksums
        # ESMA's links are plain http; they are asked by https
        assert file.url == entry["download_link"].replace("http://", "https://")


def test_pages_are_read_to_the_end(esma: FakeRegister, settings: LazySettings) -> None:
    settings.REGISTER_PAGE_SIZE = 2
    names = [f"FULINS_E_20250830_{part:02}of05.zip" for part in range(1, 6)]
    for name in names:
        esma.publish(name, b"PK", day="2025-08-30")

    assert published() == names
    assert len(esma.asked(SOLR)) == 3


@pytest.mark.parametrize("dataset", [Dataset.ESMA_FIRDS, Dataset.FCA_FIRDS])
def test_pages_of_a_register_without_an_order_of_its_own_fit_together(
    esma: FakeRegister, settings: LazySettings, dataset: Dataset
) -> None:
    settings.REGISTER_PAGE_SIZE = 7
    esma.shuffle = True
    names = [f"FULINS_E_20250830_{part:02}of40.zip" for part in range(1, 41)]
    for name in names:
        esma.publish(name, b"PK", day="2025-08-30")

    assert published(dataset) == names


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        (
            Dataset.ESMA_FITRS,
            [
                "DLTECR_20250830_1of1.zip",
                "DLTNCR_20250830_1of1.zip",
                "DLTNCR_20250830_D_1of1.zip",
                "FULECR_20250830_E_1of2.zip",
                "FULNCR_20250830_E_1of2.zip",
                "FULNCR_20250830_NYAR_EQD_1of2.zip",
                "FULNCR_20250830_SISC_IRD_1of1.zip",
            ],
        ),
        (Dataset.FCA_FITRS, ["DLTECR_20250830_1of1.zip", "FULNCR_20250830_SISC_IRD_1of1.zip"]),
    ],
)
def test_every_name_of_transparency_files_is_listed(
    esma: FakeRegister, dataset: Dataset, names: list[str]
) -> None:
    for name in names:
        type_ = "Full" if name.startswith("FUL") else "Delta"
        esma.publish(name, b"PK", day="2025-08-30", file_type=type_)

    assert published(dataset) == names


def test_documents_of_a_register_that_are_no_files_are_skipped(esma: FakeRegister) -> None:
    esma.publish("DLTINS_20250830_01of01.zip", b"PK", day="2025-08-30")
    esma.entries.append(
        {"id": "lastModification", "file_name": "", "publication_date": "2025-08-30T05:00:00Z"}
    )

    assert published() == ["DLTINS_20250830_01of01.zip"]


def test_only_the_days_and_kinds_asked_for(esma: FakeRegister) -> None:
    esma.publish("DLTINS_20250830_01of01.zip", b"PK", day="2025-08-30")
    esma.publish("FULINS_E_20250830_01of01.zip", b"PK", day="2025-08-30")
    esma.publish("FULINS_E_20250906_01of01.zip", b"PK", day="2025-09-06")

    assert published(kinds=["FULINS"]) == ["FULINS_E_20250830_01of01.zip"]
    assert published(kinds=["FULECR"]) == []


@pytest.mark.parametrize(
    "dataset", [Dataset.ESMA_FITRS, Dataset.ESMA_DVCAP, Dataset.FCA_FIRDS, Dataset.FCA_FITRS]
)
def test_every_register_is_asked_in_its_own_way(esma: FakeRegister, dataset: Dataset) -> None:
    name = {
        Dataset.ESMA_FITRS: "FULNCR_20250830_D_1of1.zip",
        Dataset.ESMA_DVCAP: "DVCRES_20250830.zip",
        Dataset.FCA_FIRDS: "FULINS_E_20250830_01of01.zip",
        Dataset.FCA_FITRS: "DLTECR_20250830_1of1.zip",
    }[dataset]
    changes: dict[str, Any] = {"file_type": "Full"} if dataset == Dataset.ESMA_FITRS else {}
    esma.publish(name, b"PK", day="2025-08-30", **changes)

    assert published(dataset) == [name]


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(status=503),
        Trouble(status=429, headers={"Retry-After": "0"}),
        Trouble(status=500),
        Trouble(cut_after=10),
        Trouble(wait=3),
    ],
    ids=["503", "429", "500", "cut", "slow"],
)
def test_what_passes_is_tried_again(esma: FakeRegister, trouble: Trouble) -> None:
    esma.publish("DLTINS_20250830_01of01.zip", b"PK", day="2025-08-30")
    esma.trouble(SOLR, trouble)

    assert published() == ["DLTINS_20250830_01of01.zip"]
    assert len(esma.asked(SOLR)) == 2


@pytest.mark.with_pauses
def test_a_server_gets_the_pause_that_it_asks_for(esma: FakeRegister) -> None:
    esma.trouble(SOLR, Trouble(status=429, headers={"Retry-After": "2"}))
    started = time.monotonic()

    assert published() == []

    assert time.monotonic() - started >= 2


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        (Trouble(status=404), Refused, "HTTP 404"),
        (Trouble(status=403), Refused, "HTTP 403"),
        (Trouble(body=b"<html>maintenance</html>"), UnknownAnswer, "no list of files"),
        (Trouble(body=b"not at all"), UnknownAnswer, "no list of files"),
        (Trouble(body=b'{"response": {"docs": []}}'), UnknownAnswer, "numFound"),
        (Trouble(body=b'{"hits": 3}'), UnknownAnswer, "no list of files"),
        (
            Trouble(status=302, headers={"Location": "http://169.254.169.254/metadata"}),
            ForbiddenAddress,
            "169.254",
        ),
    ],
)
def test_what_does_not_pass_says_why(
    esma: FakeRegister, trouble: Trouble, error: type[Exception], message: str
) -> None:
    esma.trouble(SOLR, trouble)

    with pytest.raises(error, match=message):
        published()
    assert len(esma.asked(SOLR)) == 1


def test_a_register_that_stays_away_is_given_up(esma: FakeRegister) -> None:
    esma.trouble(SOLR, *[Trouble(status=503)] * 3)

    with pytest.raises(Unavailable, match="HTTP 503"):
        published()


def test_a_register_that_changes_under_the_pages_is_noticed(esma: FakeRegister) -> None:
    esma.publish("DLTINS_20250830_01of01.zip", b"PK", day="2025-08-30")
    esma.forget_pages = True

    with pytest.raises(RegisterChanged, match="announced 4 entries and returned 1"):
        published()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file_name": "../../etc/passwd"}, "not a published file's name"),
        ({"file_name": "FULINS_E_20250899_01of01.zip"}, "20250899 is not a date"),
        ({"download_link": "http://evil.example/DLTINS_20250830_01of01.zip"}, "evil.example"),
        ({"download_link": "file:///etc/passwd"}, "not one of the hosts"),
        ({"download_link": "http://a@127.0.0.1/DLTINS_20250830_01of01.zip"}, "not one of"),
        ({"checksum": "no MD5"}, "is not an MD5"),
        ({"file_name": "FULECR_20250830_E_1of1.zip"}, "no files of the kind"),
    ],
)
def test_an_entry_that_cannot_be_is_left_out_and_reported(
    esma: FakeRegister, changes: dict[str, Any], message: str
) -> None:
    esma.publish("DLTINS_20250830_01of01.zip", b"PK", day="2025-08-30", **changes)
    esma.publish("FULINS_E_20250830_01of01.zip", b"PK", day="2025-08-30")

    found = registers.published(Dataset.ESMA_FIRDS, DAY, DAY)

    assert [file.name.stem for file in found.files] == ["FULINS_E_20250830_01of01"]
    [bad] = found.unusable
    assert message in str(bad)


def test_a_link_to_another_file_is_left_out(esma: FakeRegister) -> None:
    link = f"{esma.url}/files/FULINS_C_20250830_01of01.zip"
    esma.publish("FULINS_E_20250830_01of01.zip", b"PK", day="2025-08-30", download_link=link)

    found = registers.published(Dataset.ESMA_FIRDS, DAY, DAY)

    assert found.files == []
    assert "its link leads to another file" in str(found.unusable[0])


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://firds.esma.europa.eu/firds/A.zip", "https://firds.esma.europa.eu/firds/A.zip"),
        ("https://firds.esma.europa.eu/A.zip", "https://firds.esma.europa.eu/A.zip"),
        ("http://mirror.example/A.zip", "http://mirror.example/A.zip"),
        ("https://firds.esma.europa.eu.evil.example/A.zip", ""),
        ("https://firds.esma.europa.eu:8443/A.zip", ""),
        ("https://user@firds.esma.europa.eu/A.zip", ""),
        ("ftp://firds.esma.europa.eu/A.zip", ""),
        ("//firds.esma.europa.eu/A.zip", ""),
        ("", ""),
    ],
)
def test_only_listed_hosts_are_asked(url: str, asked: str) -> None:
    hosts = ["firds.esma.europa.eu", "http://mirror.example"]
    if asked:
        assert allowed(url, hosts=hosts) == asked
    else:
        with pytest.raises(ForbiddenAddress):
            allowed(url, hosts=hosts)
