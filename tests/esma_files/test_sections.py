"""A file read in sections holds what it holds when it is read at once."""

import io
import itertools
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from esma_files.errors import BadXml, TruncatedFile, WrongEnvelope
from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import EsmaReader, Limits
from instruments.listings.fields import CANCELLATIONS, DELTA_FILE
from tests import firds
from tests.conftest import FIRDS

NAME = "DLTINS_20250302_01of01"
ISINS = ["SE0000115446", "FI4000297767", "EZPN239DTWN8", "DE0007164600"]
# For each record whether it is a member of a basket or a row of commodity products, by what it says.
BASKET = (
    "<DerivInstrmAttrbts><UndrlygInstrm><Bskt><ISIN>SE0000115446</ISIN><ISIN>FI4000297767</ISIN></Bskt>"
    "</UndrlygInstrm></DerivInstrmAttrbts>"
)


def made(*, between: str = "", baskets: bool = False) -> bytes:
    records = [
        firds.record("ModfdRcrd", isin, "XSTO", extra=BASKET if baskets else "") for isin in ISINS
    ]
    return firds.message(NAME, *(record + between for record in records))


class Found:
    """All that a reader gives: texts by record, kind, group and path."""

    def __init__(
        self,
        xml: bytes | Path,
        *,
        records: int | None,
        name: str = NAME,
        mapping: Mapping = DELTA_FILE,
    ) -> None:
        if isinstance(xml, Path):
            source: io.BytesIO = io.BytesIO(xml.read_bytes())
            name = xml.stem
        else:
            source = io.BytesIO()
            with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(f"{name}.xml", xml)
        limits = Limits(max_bytes=10**9, max_ratio=1000, section_records=records)
        self.reader = EsmaReader(source, name=f"{name}.zip", mapping=mapping, limits=limits)
        self.values: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.sections: list[set[int]] = []  # the records of each that has any
        for section in self.reader.sections():
            positions: set[int] = set()
            for batch in section:
                positions.update(batch.positions.tolist())
                self._add(batch.kind, batch.group, batch.rows, batch.positions.tolist())
            self.sections += [positions] if positions else []

    def _add(self, kind: str, group: str, rows: pa.RecordBatch, positions: list[int]) -> None:
        for path, column in zip(rows.schema.names, rows.columns, strict=True):
            of_path = self.values.setdefault((kind, f"{group}/{path}"), [])
            texts = column.to_pylist()
            of_path += [(at, text) for at, text in zip(positions, texts, strict=True) if text]


@pytest.mark.slow
@pytest.mark.parametrize("records", [1_000, 50_000, 112_318])
def test_a_real_delta_in_sections_is_the_same(records: int) -> None:
    path = FIRDS / "DLTINS_20171027_01of01.zip"
    whole = Found(path, records=None)

    found = Found(path, records=records)

    assert found.values == whole.values
    assert any(group for (_, group), rows in found.values.items() if group[0] != "/" and rows)
    assert found.reader.records == whole.reader.records == 112_318
    assert found.reader.recounted == 0, "every tag was accounted for"
    *others, last = found.sections
    assert all(records <= len(some) < 1.01 * records for some in others)
    assert len(last) <= records
    assert sorted(itertools.chain(*found.sections)) == list(range(112_318))


@pytest.mark.parametrize("records", [1, 2, 3, 4, 5])
def test_groups_come_with_the_section_of_their_record(records: int) -> None:
    found = Found(made(baskets=True), records=records)

    places = list(range(len(ISINS)))
    assert found.sections == [
        set(places[begin : begin + records]) for begin in range(0, len(ISINS), records)
    ]
    members = [rows for (_, group), rows in found.values.items() if group.endswith("/ISIN")]
    assert [(n, isin) for n in places for isin in ISINS[:2]] in members


@pytest.mark.parametrize(
    "between",
    [
        "<!-- <FinInstrm> as in </FinInstrm> -->",
        "<![CDATA[</FinInstrm>]]>",
        "<?as in </FinInstrm>?>",
    ],
)
def test_what_looks_like_the_end_of_a_record_may_be_none(between: str) -> None:
    found = Found(made(between=between), records=1)

    assert found.values == Found(made(), records=None).values
    assert len(found.sections) == len(ISINS)


def test_tags_may_have_a_prefix() -> None:
    prefixed = re.sub(rb"<(/?)(?=\w)", rb"<\1m:", made(baskets=True))
    prefixed = prefixed.replace(b"xmlns=", b"xmlns:m=")

    found = Found(prefixed, records=1)

    assert found.values == Found(made(baskets=True), records=None).values
    assert len(found.sections) == len(ISINS)


def test_under_another_root_there_is_nothing_to_cut() -> None:
    other = made().replace(b"FinInstrmRptgRefDataDltaRpt>", b"SomethingElse>")

    with pytest.raises(
        WrongEnvelope, match="in <SomethingElse>, not in <FinInstrmRptgRefDataDltaRpt>"
    ):
        Found(other, records=1)


def test_lists_of_cancellations_have_sections_too() -> None:
    name = "FULCAN_20250302_01of01"
    xml = firds.message(name, *(firds.cancellation(isin, "XSTO", "CxlData") for isin in ISINS))

    found = Found(xml, records=3, name=name, mapping=CANCELLATIONS)

    assert found.reader.records == len(ISINS)
    assert found.sections == [{0, 1, 2}, {3}]


def test_what_is_wrong_is_said_after_the_sections_before_it() -> None:
    broken = made().replace(b"DE0007164600</Id>", b"DE0007164600</Oops>")
    cut = made()
    with pytest.raises(BadXml, match=r"Oops.*after record 2"):
        Found(broken, records=2)
    with pytest.raises(TruncatedFile):
        Found(cut[: cut.rindex(b"</BizData")], records=2)
