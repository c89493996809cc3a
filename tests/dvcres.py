"""Volume cap messages made by hand after ISO's auth.053: no real file is at hand."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from tests.firds import _leaves
from tests.fitrs import period

SCHEMA, ROOT = "auth.053.001.01", "FinInstrmRptgTradgVolCapRsltRpt"
VENUES = "TradgUdrWvrBrkdwn"


def venue(mic: str, percentage: str, disclaimer: str = "") -> str:
    element = f"<Dsclmr>{disclaimer}</Dsclmr>" if disclaimer else ""
    share = f"<TradgUdrWvrPctg>{percentage}</TradgUdrWvrPctg>"
    return f"<{VENUES}><TradgVn>{mic}</TradgVn>{share}{element}</{VENUES}>"


def result(
    isin: str,
    *venues: str,
    percentage: str = "3.5",
    begin: str = "2024-10-01",
    end: str = "2025-09-30",
    updated: str = "2025-10-08",
) -> str:
    return (
        f"<VolCapRslt><Id>{isin}</Id>{period(begin, end)}<LastUpdDt>{updated}</LastUpdDt>"
        f'<TtlTradgVol Ccy="EUR">1000000.5</TtlTradgVol>'
        f"<TradgUdrWvrPctg>{percentage}</TradgUdrWvrPctg>{''.join(venues)}</VolCapRslt>"
    )


def message(name: str, *results: str, schema: str = SCHEMA, root: str = ROOT) -> bytes:
    """The whole message, in the envelope that ESMA's other files have."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<BizData xmlns="urn:iso:std:iso:20022:tech:xsd:head.003.001.01"><Hdr><AppHdr '
        'xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.01">'
        f"<BizMsgIdr>{name}</BizMsgIdr><MsgDefIdr>{schema}</MsgDefIdr>"
        "<CreDt>2025-10-08T03:00:00Z</CreDt></AppHdr></Hdr><Pyld>"
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{schema}"><{root}>'
        "<RptHdr><RptgNtty><NtlCmptntAuthrty>EU</NtlCmptntAuthrty></RptgNtty>"
        "<RptgPrd><Dt>2025-10-08</Dt></RptgPrd><SubmissnDtTm>2025-10-08T03:00:00Z</SubmissnDtTm>"
        f"</RptHdr>{''.join(results)}</{root}></Document></Pyld></BizData>"
    ).encode()


def leaves_of(path: Path) -> Iterator[tuple[list[tuple[str, str]], list[list[tuple[str, str]]]]]:
    """Each result of a zip, read by lxml: path and text of its leaves, and those of each venue."""
    with zipfile.ZipFile(path) as archive:
        xml = io.BytesIO(archive.read(archive.namelist()[0]))
    for _, element in etree.iterparse(xml, tag="{*}VolCapRslt"):
        venues = element.findall(f"{{*}}{VENUES}")
        of_venues = [list(_leaves(venue, "")) for venue in venues]
        for venue in venues:
            element.remove(venue)
        yield list(_leaves(element, "")), of_venues
