"""FITRS messages made by hand, for what no real file shows; and real ones read by lxml alone."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from esma_files.models import Run
from instruments import pipeline
from instruments.fields import Field
from instruments.models import ResultRecord, TransparencyResult
from instruments.transparency.fields import FIELDS_OF, SUB_CLASS_GROUPS, ResultKind
from tests.conftest import DATA
from tests.firds import _leaves, _name
from tests.instruments.listings.test_lossless import as_value

EQUITY = ("FinInstrmRptgEqtyTradgActvtyRslt", "EqtyTrnsprncyData")
NON_EQUITY = ("FinInstrmRptgNonEqtyTradgActvtyRslt", "NonEqtyTrnsprncyData")


def period(begin: str, end: str, *, tag: str = "RptgPrd") -> str:
    return f"<{tag}><FrDtToDt><FrDt>{begin}</FrDt><ToDt>{end}</ToDt></FrDtToDt></{tag}>"


def equity(isin: str, *, year: int = 2024, methodology: str = "YEAR", more: str = "") -> str:
    return (
        f"<EqtyTrnsprncyData><TechRcrdId>1</TechRcrdId><Id>{isin}</Id>"
        f"<FinInstrmClssfctn>SHRS</FinInstrmClssfctn>{period(f'{year}-01-01', f'{year}-12-31')}"
        f"{more}<Mthdlgy>{methodology}</Mthdlgy></EqtyTrnsprncyData>"
    )


def bond(isin: str, *, begin: str = "2024-01-01", end: str = "2024-12-31", more: str = "") -> str:
    return _non_equity(f"<ISIN>{isin}</ISIN>", "ISINAndSubClss", "BOND5", begin, end, more)


def of_class(
    asset_class: str,
    criterion: str,
    *,
    begin: str = "2024-01-01",
    end: str = "2024-12-31",
    more: str = "",
) -> str:
    about = f"<AsstClss>{asset_class}</AsstClss>"
    return _non_equity(about, "AsstClssAndSubClss", criterion, begin, end, more)


def _non_equity(about: str, tag: str, criterion: str, begin: str, end: str, more: str) -> str:
    return (
        f"<NonEqtyTrnsprncyData><TechRcrdId>1</TechRcrdId><Id><{tag}>{about}<DerivSubClss>"
        f"<Desc>A sub-class</Desc><SgmttnCrit><CritNm>SACL</CritNm><CritVal>{criterion}</CritVal>"
        f"</SgmttnCrit></DerivSubClss><FinInstrmClssfctn>BOND</FinInstrmClssfctn></{tag}></Id>"
        f"{period(begin, end)}{more}</NonEqtyTrnsprncyData>"
    )


def threshold(tag: str, amount: str, currency: str = "EUR") -> str:
    return f'<{tag}><Amt Ccy="{currency}">{amount}</Amt></{tag}>'


def message(
    name: str, *records: str, version: str = "", created: str = "2025-08-30T03:00:00Z"
) -> bytes:
    """The whole message, as ESMA writes it, for the file called `name`."""
    is_equity = name[3:6] == "ECR"
    root, _ = EQUITY if is_equity else NON_EQUITY
    schema = version or ("auth.044.001.03" if is_equity else "auth.045.001.03")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<BizData xmlns="urn:iso:std:iso:20022:tech:xsd:head.003.001.01"><Hdr><AppHdr '
        'xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.01">'
        f"<BizMsgIdr>{name}</BizMsgIdr><MsgDefIdr>{schema}</MsgDefIdr>"
        f"<CreDt>{created}</CreDt></AppHdr></Hdr><Pyld>"
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{schema}"><{root}>'
        "<RptHdr><RptgNtty><NtlCmptntAuthrty>EU</NtlCmptntAuthrty></RptgNtty>"
        f"<RptgPrd><Dt>2025-08-30</Dt></RptgPrd></RptHdr>{''.join(records)}"
        f"</{root}></Document></Pyld></BizData>"
    ).encode()


def load(path: Path) -> Run:
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.error is None, loaded.error
    assert loaded.run is not None
    return loaded.run


def load_bundled() -> None:
    """Load all bundled files of FITRS."""
    for loaded in pipeline.load(pipeline.register_files([DATA / "fitrs"])):
        assert loaded.error is None


def leaves_of(path: Path) -> Iterator[list[tuple[str, str]]]:
    """Each record of a zip, read by lxml: path and text of every leaf and attribute."""
    with zipfile.ZipFile(path) as archive:
        xml = io.BytesIO(archive.read(archive.namelist()[0]))
    tags = [f"{{*}}{tag}" for _, tag in (EQUITY, NON_EQUITY)]
    for _, element in etree.iterparse(xml, tag=tags):
        assert _name(element)
        yield list(_leaves(element, ""))


def published(row: ResultRecord) -> Iterator[tuple[str, Any]]:
    """Path and value of every element that the row stands for."""
    kind = ResultKind(row.record_kind)
    by_isin = isinstance(row, TransparencyResult)
    for field in FIELDS_OF[kind]:
        of_other = "AsstClssAndSubClss" if by_isin else "ISINAndSubClss"
        value = getattr(row, field.column, None)
        if value is not None and of_other not in field.path:
            yield field.path, value
    path = SUB_CLASS_GROUPS[0 if by_isin else 1].path
    if row.sub_class is not None:
        yield f"{path}/Desc", row.sub_class
    for name, value in row.criteria or []:
        yield f"{path}/SgmttnCrit/CritNm", name
        yield f"{path}/SgmttnCrit/CritVal", value


def expected_values(
    leaves: list[tuple[str, str]], kind: ResultKind = ResultKind.NON_EQUITY
) -> list[tuple[str, Any]]:
    """Path and value of every element of a record that lxml has read."""
    fields: dict[str, Field] = {field.path: field for field in FIELDS_OF[kind]}
    return [(path, as_value(fields.get(path), text)) for path, text in leaves]
