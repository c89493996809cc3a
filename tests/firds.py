"""FIRDS messages made by hand, for what no real file shows; and real ones read by lxml alone."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from lxml import etree

FULL = ("auth.017.001.02", "FinInstrmRptgRefDataRpt")
DELTA = ("auth.036.001.03", "FinInstrmRptgRefDataDltaRpt")
CANCELLATIONS = ("auth.102.001.01", "FinInstrmRptgCxlRpt")
_MESSAGES = {"FULINS": FULL, "DLTINS": DELTA, "FULCAN": CANCELLATIONS}
RECORDS = ("RefData", "NewRcrd", "ModfdRcrd", "TermntdRcrd", "CancRcrd")


def record(
    tag: str,
    isin: str,
    mic: str,
    *,
    name: str = "A name",
    period: str | None = None,
    until: str | None = None,
    cfi: str = "ESVUFR",
    extra: str = "",
    relevant: str = "",
    authority: str = "SE",
) -> str:
    """One record. `period` is FrDt; with `until` it is FrDtToDt."""
    if until is not None:
        publication = f"<FrDtToDt><FrDt>{period}</FrDt><ToDt>{until}</ToDt></FrDtToDt>"
    else:
        publication = f"<FrDt>{period}</FrDt>" if period else ""
    body = (
        f"<FinInstrmGnlAttrbts><Id>{isin}</Id><FullNm>{escape(name)}</FullNm>"
        f"<ShrtNm>{escape(name[:35])}</ShrtNm><ClssfctnTp>{cfi}</ClssfctnTp><NtnlCcy>SEK</NtnlCcy>"
        "<CmmdtyDerivInd>false</CmmdtyDerivInd></FinInstrmGnlAttrbts>"
        "<Issr>549300GDPG70E3MBBU98</Issr>"
        f"<TradgVnRltdAttrbts><Id>{mic}</Id><IssrReq>false</IssrReq>"
        "<FrstTradDt>2014-01-14T09:00:00Z</FrstTradDt></TradgVnRltdAttrbts>"
        f"{extra}<TechAttrbts>"
        + (f"<RlvntCmptntAuthrty>{authority}</RlvntCmptntAuthrty>" if authority else "")
        + (f"<PblctnPrd>{publication}</PblctnPrd>" if publication else "")
        + (f"<RlvntTradgVn>{relevant}</RlvntTradgVn>" if relevant else "")
        + "</TechAttrbts>"
    )
    return _wrapped(tag, body)


def cancellation(isin: str, mic: str, tag: str = "CancRcrd") -> str:
    """As ESMA sends them: the key, and nothing else."""
    return _wrapped(
        tag,
        f"<FinInstrmGnlAttrbts><Id>{isin}</Id></FinInstrmGnlAttrbts>"
        f"<TradgVnRltdAttrbts><Id>{mic}</Id></TradgVnRltdAttrbts>",
    )


def _wrapped(tag: str, body: str) -> str:
    inner = f"<{tag}>{body}</{tag}>"
    return inner if tag in ("RefData", "CxlData") else f"<FinInstrm>{inner}</FinInstrm>"


def message(name: str, *records: str, sender: str = "EU", created: str = "") -> bytes:
    """The whole message, as ESMA writes it, for the file called `name`; `created` is its CreDt."""
    schema, root = _MESSAGES[name[:6]]
    day = name.rsplit("_", 2)[-2]
    day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<BizData xmlns="urn:iso:std:iso:20022:tech:xsd:head.003.001.01"><Hdr><AppHdr '
        'xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.01"><Fr><OrgId><Id><OrgId><Othr>'
        f"<Id>{sender}</Id></Othr></OrgId></Id></OrgId></Fr>"
        f"<BizMsgIdr>{name}</BizMsgIdr><MsgDefIdr>{schema}</MsgDefIdr>"
        f"<CreDt>{created or f'{day}T03:00:00Z'}</CreDt></AppHdr></Hdr><Pyld>"
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{schema}"><{root}>'
        f"<RptHdr><RptgNtty><NtlCmptntAuthrty>{sender}</NtlCmptntAuthrty></RptgNtty>"
        f"<RptgPrd><Dt>{day}</Dt></RptgPrd></RptHdr>{''.join(records)}"
        f"</{root}></Document></Pyld></BizData>"
    ).encode()


def as_uk(xml: bytes) -> bytes:
    """A real message of ESMA's as the FCA would send it: from GB, and GB the authority of each record."""
    xml = re.sub(rb"(<Fr>.{,60}<Id>)EU(</Id>)", rb"\1GB\2", xml, count=1)
    return re.sub(rb"(CmptntAuthrty>)[A-Z]{2}(</)", rb"\1GB\2", xml)


def leaves_of(path: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each record of a zip, read by lxml: its tag, and path and text of every leaf and attribute."""
    with zipfile.ZipFile(path) as archive:
        xml = io.BytesIO(archive.read(archive.namelist()[0]))
    for _, element in etree.iterparse(xml, tag=[f"{{*}}{tag}" for tag in RECORDS]):
        yield _name(element), list(_leaves(element, ""))
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _leaves(element: etree._Element, path: str) -> Iterator[tuple[str, str]]:
    for attribute, value in element.attrib.items():
        yield f"{path}/@{str(attribute).rpartition('}')[2]}".lstrip("/"), str(value)
    children = list(element)
    for child in children:
        yield from _leaves(child, f"{path}/{_name(child)}".lstrip("/"))
    if not children:
        yield path, element.text or ""


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
