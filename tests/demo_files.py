"""The made-up files in tests/data/demo, which `make demo` loads beside the real ones.

No real excerpt at hand has a share with its history, its transparency results and its issuer's group in
one place. These files have them, all invented: a group of companies whose names end in "(made up)", and
its instruments. Their ISINs begin with ZZ, which no country has, and their LEIs with ZZMADEUP.

    manage.py shell -c 'from tests import demo_files; demo_files.write()'    # writes them anew
"""

import dataclasses
import io
import zipfile
from pathlib import Path

from stdnum.isin import calc_check_digit

from tests import dvcres, firds, fitrs, golden_copy, isin_lei
from tests.fitrs import period, threshold

FOLDER = Path(__file__).parent / "data" / "demo"
_WRITTEN_AT = (2026, 7, 1, 0, 0, 0)  # the time in the zips, so that equal content gives equal bytes


def _isin(code: str) -> str:
    return f"ZZ{code}{calc_check_digit(f'ZZ{code}')}"


def _lei(code: str) -> str:
    """An LEI with right check digits (ISO 7064 MOD 97-10)."""
    base = f"ZZMADEUP{code}".ljust(18, "0")
    digits = "".join(str(int(letter, 36)) for letter in f"{base}00")
    return f"{base}{98 - int(digits) % 97:02}"


HOLDING, ISSUER, FINANCE, BRITISH, MANAGER = map(
    _lei, ("POLARSTERN", "NORDLICHT", "FINANCE", "BRITISH", "MANAGER")
)
SHARE, BOND, FLOATER, FUND = map(_isin, ("NORDSHARE", "NORDBOND1", "NORDFRN01", "NORDFUND1"))
CALL, PUT, FUTURE, WARRANT = map(_isin, ("NORDCALL1", "NORDPUT01", "NORDFUTUR", "NORDWARNT"))


@dataclasses.dataclass(frozen=True)
class _Record:
    """A record of FIRDS; `terms` is the XML of the attributes of debt or of derivatives."""

    isin: str
    mic: str
    name: str
    cfi: str
    issuer: str
    since: str  # FrDt
    first_trade: str
    terms: str = ""
    currency: str = "EUR"
    authority: str = "DE"
    relevant: str = "XETR"
    until: str = ""  # the day of termination, with which the record ends

    def xml(self, tag: str = "RefData") -> str:
        end = f"<TermntnDt>{self.until}T21:59:59Z</TermntnDt>" if self.until else ""
        body = (
            f"<FinInstrmGnlAttrbts><Id>{self.isin}</Id><FullNm>{self.name}</FullNm>"
            f"<ShrtNm>MADE UP/{self.cfi}</ShrtNm><ClssfctnTp>{self.cfi}</ClssfctnTp>"
            f"<NtnlCcy>{self.currency}</NtnlCcy><CmmdtyDerivInd>false</CmmdtyDerivInd>"
            f"</FinInstrmGnlAttrbts><Issr>{self.issuer}</Issr>"
            f"<TradgVnRltdAttrbts><Id>{self.mic}</Id><IssrReq>true</IssrReq>"
            f"<FrstTradDt>{self.first_trade}T07:00:00Z</FrstTradDt>{end}</TradgVnRltdAttrbts>"
            f"{self.terms}<TechAttrbts><RlvntCmptntAuthrty>{self.authority}</RlvntCmptntAuthrty>"
            f"<PblctnPrd><FrDt>{self.since}</FrDt></PblctnPrd>"
            f"<RlvntTradgVn>{self.relevant}</RlvntTradgVn></TechAttrbts>"
        )
        inner = f"<{tag}>{body}</{tag}>"
        return inner if tag == "RefData" else f"<FinInstrm>{inner}</FinInstrm>"

    def changed(self, **values: str) -> "_Record":
        return dataclasses.replace(self, **values)


def _debt(nominal: str, interest: str) -> str:
    return (
        f'<DebtInstrmAttrbts><TtlIssdNmnlAmt Ccy="EUR">{nominal}</TtlIssdNmnlAmt>'
        '<MtrtyDt>2031-09-15</MtrtyDt><NmnlValPerUnit Ccy="EUR">1000</NmnlValPerUnit>'
        f"<IntrstRate>{interest}</IntrstRate><DebtSnrty>SNDB</DebtSnrty></DebtInstrmAttrbts>"
    )


def _derivative(underlying: str, *, option: str = "", strike: str = "", style: str = "") -> str:
    price = (
        f'<StrkPric><Pric><MntryVal><Amt Ccy="EUR">{strike}</Amt></MntryVal></Pric></StrkPric>'
        if strike
        else ""
    )
    return (
        "<DerivInstrmAttrbts><XpryDt>2030-12-20</XpryDt><PricMltplr>100</PricMltplr>"
        f"<UndrlygInstrm>{underlying}</UndrlygInstrm>"
        + (f"<OptnTp>{option}</OptnTp>" if option else "")
        + price
        + (f"<OptnExrcStyle>{style}</OptnExrcStyle>" if style else "")
        + "<DlvryTp>PHYS</DlvryTp></DerivInstrmAttrbts>"
    )


_SINGLE = f"<Sngl><ISIN>{SHARE}</ISIN></Sngl>"
_BASKET = f"<Bskt><ISIN>{SHARE}</ISIN><ISIN>{BOND}</ISIN></Bskt>"
_FIXED = "<Fxd>3.25</Fxd>"
_FLOATING = (
    "<Fltg><RefRate><Indx>EURI</Indx></RefRate><Term><Unit>MNTH</Unit><Val>3</Val></Term>"
    "<BsisPtSprd>85</BsisPtSprd></Fltg>"
)
_share = _Record(
    SHARE, "XETR", "Nordlicht AG (made up)", "ESVUFR", ISSUER, "2023-03-02", "2021-05-04"
)
_bond = _Record(
    *(BOND, "XFRA", "Nordlicht 3.25% 2031 (made up)", "DBFUFB", FINANCE, "2024-09-16"),
    "2024-09-16",
    terms=_debt("500000000", _FIXED),
    relevant="XFRA",
)
_floater = _bond.changed(
    isin=FLOATER,
    name="Nordlicht floating rate 2031 (made up)",
    cfi="DBVUFB",
    terms=_debt("250000000", _FLOATING),
)
_fund = _Record(
    FUND,
    "XETR",
    "Nordlicht Europe UCITS ETF (made up)",
    "CEOGES",
    MANAGER,
    "2024-01-08",
    "2024-01-08",
)
_call = _Record(
    *(
        CALL,
        "XEUR",
        "Nordlicht call 60 2030 (made up)",
        "OCASPS",
        ISSUER,
        "2026-07-16",
        "2026-07-16",
    ),
    terms=_derivative(_SINGLE, option="CALL", strike="60", style="AMER"),
    relevant="XEUR",
)
_put = _call.changed(
    isin=PUT,
    name="Nordlicht put 40 2030 (made up)",
    cfi="OPESPS",
    terms=_derivative(_SINGLE, option="PUTO", strike="40", style="EURO"),
)
_future = _call.changed(
    isin=FUTURE, name="Nordlicht future 2030 (made up)", cfi="FFSPSX", terms=_derivative(_SINGLE)
)
_warrant = _call.changed(
    isin=WARRANT,
    mic="XSTU",
    name="Nordlicht basket warrant 2030 (made up)",
    cfi="RWBNCA",
    issuer=FINANCE,
    terms=_derivative(_BASKET, option="CALL", strike="75", style="AMER"),
    relevant="XSTU",
)
_NEW_NAME = "Nordlicht SE (made up)"
_on_xfra = _share.changed(mic="XFRA", first_trade="2021-05-05")
_on_xpar = _share.changed(mic="XPAR", first_trade="2022-01-10", since="2023-03-03")
_wrong_check_digit = f"{SHARE[:-1]}{(int(SHARE[-1]) + 1) % 10}"


def _firds_files() -> dict[str, bytes]:
    """Two full files and the changes of five days, among which one is missing (17 July)."""
    deltas: dict[str, list[str]] = {
        "20260713": [
            record.changed(name=_NEW_NAME, since="2026-07-13").xml("ModfdRcrd")
            for record in (_share, _on_xfra, _on_xpar)
        ],
        "20260714": [
            _bond.changed(terms=_debt("750000000", _FIXED), since="2026-07-14").xml("ModfdRcrd")
        ],
        "20260715": [_floater.changed(since="2026-07-15").xml("NewRcrd")],
        "20260716": [record.xml("NewRcrd") for record in (_call, _put, _future, _warrant)],
        "20260718": [
            _on_xpar.changed(name=_NEW_NAME, since="2026-07-18", until="2026-07-17").xml(
                "TermntdRcrd"
            ),
            _share.changed(
                mic="XMIL", name=_NEW_NAME, since="2026-07-18", first_trade="2026-07-20"
            ).xml("NewRcrd"),
            _share.changed(isin=_wrong_check_digit, since="2026-07-18").xml("NewRcrd"),
        ],
    }
    full_sets = {
        "FULINS_C_20260711_01of01": [_fund],
        "FULINS_D_20260711_01of01": [_bond],
        "FULINS_E_20260711_01of01": [_share, _on_xfra, _on_xpar],
    }
    return {
        name: firds.message(name, *(record.xml() for record in records))
        for name, records in full_sets.items()
    } | {
        (name := f"DLTINS_{day}_01of01"): firds.message(name, *records)
        for day, records in deltas.items()
    }


def _annual_result(year: int, turnover: int, transactions: int, *, liquid: bool) -> str:
    return (
        f"<EqtyTrnsprncyData><TechRcrdId>1</TechRcrdId><Id>{SHARE}</Id>"
        f"<FinInstrmClssfctn>SHRS</FinInstrmClssfctn>{period(f'{year}-01-01', f'{year}-12-31')}"
        f"<Lqdty>{str(liquid).lower()}</Lqdty><Mthdlgy>YEAR</Mthdlgy>"
        f'<Sttstcs><AvrgDalyTrnvr Ccy="EUR">{turnover}</AvrgDalyTrnvr>'
        f"<LrgInScale>{turnover // 50}</LrgInScale><StdMktSz>7500</StdMktSz>"
        f"<AvrgDalyNbOfTxs>{transactions}</AvrgDalyNbOfTxs></Sttstcs><RlvntMkt><Id>XETR</Id>"
        f"<AvrgDalyNbOfTxs>{transactions * 2 // 3}</AvrgDalyNbOfTxs></RlvntMkt></EqtyTrnsprncyData>"
    )


_QUARTERS = {  # the end of each quarter, the transactions in it, and its volume in EUR
    "2025-03-31": (61, 38_000_000),
    "2025-06-30": (118, 92_000_000),
    "2025-09-30": (140, 120_000_000),
    "2025-12-31": (173, 155_000_000),
    "2026-03-31": (96, 71_000_000),
    "2026-06-30": (151, 133_000_000),
}
_PUBLICATIONS = ("20250501", "20250801", "20251101", "20260201", "20260501", "20260708")


def _quarterly_result(end: str, transactions: int, volume: int) -> str:
    begin = f"{end[:4]}-{int(end[5:7]) - 2:02}-01"
    liquidity = f"<Lqdty>{str(transactions > 100).lower()}</Lqdty>"
    sums = (
        f"<Sttstcs><TtlNbOfTxsExctd>{transactions}</TtlNbOfTxsExctd>"
        f"<TtlVolOfTxsExctd>{volume}</TtlVolOfTxsExctd></Sttstcs>"
    )
    return fitrs.bond(BOND, begin=begin, end=end, more=f"{liquidity}{sums}")


def _fitrs_files() -> dict[str, bytes]:
    """Deltas, because a full file would say that no other result exists."""
    records = {
        "DLTECR_20240301_1of1": _annual_result(2023, 640_000, 210, liquid=False),
        "DLTECR_20250301_1of1": _annual_result(2024, 1_250_000, 480, liquid=True),
        "DLTECR_20260301_1of1": _annual_result(2025, 2_100_000, 690, liquid=True),
        "DLTNCR_20260430_1of1": fitrs.bond(
            *(BOND,),
            begin="2025-01-01",
            end="2025-12-31",
            more=threshold("PreTradLrgInScaleThrshld", "1500000")
            + threshold("PstTradLrgInScaleThrshld", "3500000")
            + threshold("PreTradInstrmSzSpcfcThrshld", "600000")
            + threshold("PstTradInstrmSzSpcfcThrshld", "2000000"),
        ),
    } | {
        f"DLTNCR_{day}_1of1": _quarterly_result(end, *sums)
        for day, (end, sums) in zip(_PUBLICATIONS, _QUARTERS.items(), strict=True)
    }
    return {name: fitrs.message(name, xml, created=_at(name)) for name, xml in records.items()}


def _at(name: str) -> str:
    day = name.split("_")[1]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T03:00:00Z"


def _volume_cap_files() -> dict[str, bytes]:
    name = "DVCRES_20260708"
    venues = (dvcres.venue("XETR", "2.91"), dvcres.venue("XPAR", "1.35"))
    result = dvcres.result(
        *(SHARE, *venues),
        percentage="4.26",
        begin="2025-07-01",
        end="2026-06-30",
        updated="2026-07-08",
    )
    return {name: dvcres.message(name, result)}


_ENTITIES = {
    HOLDING: ("Polarstern Holding SE (made up)", "DE", "Hamburg"),
    ISSUER: ("Nordlicht SE (made up)", "DE", "Kiel"),
    FINANCE: ("Nordlicht Finance B.V. (made up)", "NL", "Groningen"),
    BRITISH: ("Nordlicht UK Limited (made up)", "GB", "Aberdeen"),
    MANAGER: ("Polarstern Asset Management S.A. (made up)", "LU", "Luxembourg"),
}
_PARENTS = {ISSUER: HOLDING, FINANCE: ISSUER, BRITISH: ISSUER, MANAGER: HOLDING}
_UPDATED = "2026-07-01T08:00:00.000Z"


def _entity(lei: str, name: str, country: str, city: str) -> str:
    address = (
        f"<lei:FirstAddressLine>1 Example Street</lei:FirstAddressLine><lei:City>{city}</lei:City>"
        f"<lei:Country>{country}</lei:Country>"
    )
    former = (
        '<lei:OtherEntityNames><lei:OtherEntityName xml:lang="de" type="PREVIOUS_LEGAL_NAME">'
        "Nordlicht AG (made up)</lei:OtherEntityName></lei:OtherEntityNames>"
        if lei == ISSUER
        else ""
    )
    entity = (
        f"{former}<lei:LegalAddress>{address}</lei:LegalAddress>"
        f"<lei:HeadquartersAddress>{address}</lei:HeadquartersAddress>"
        f"<lei:LegalJurisdiction>{country}</lei:LegalJurisdiction>"
        "<lei:EntityCategory>GENERAL</lei:EntityCategory><lei:EntityStatus>ACTIVE</lei:EntityStatus>"
    )
    registration = (
        "<lei:RegistrationStatus>ISSUED</lei:RegistrationStatus>"
        "<lei:NextRenewalDate>2027-07-01T08:00:00.000Z</lei:NextRenewalDate>"
    )
    return golden_copy.record(lei, name, updated=_UPDATED, entity=entity, registration=registration)


def _relationship(child: str, parent: str, kind: str) -> str:
    return (
        "<rr:RelationshipRecord><rr:Relationship>"
        f"<rr:StartNode><rr:NodeID>{child}</rr:NodeID><rr:NodeIDType>LEI</rr:NodeIDType></rr:StartNode>"
        f"<rr:EndNode><rr:NodeID>{parent}</rr:NodeID><rr:NodeIDType>LEI</rr:NodeIDType></rr:EndNode>"
        f"<rr:RelationshipType>{kind}</rr:RelationshipType><rr:RelationshipPeriods>"
        "<rr:RelationshipPeriod><rr:StartDate>2021-01-01T00:00:00.000Z</rr:StartDate>"
        "<rr:PeriodType>RELATIONSHIP_PERIOD</rr:PeriodType></rr:RelationshipPeriod>"
        "</rr:RelationshipPeriods><rr:RelationshipStatus>ACTIVE</rr:RelationshipStatus>"
        f"</rr:Relationship><rr:Registration><rr:LastUpdateDate>{_UPDATED}</rr:LastUpdateDate>"
        "<rr:RegistrationStatus>PUBLISHED</rr:RegistrationStatus></rr:Registration>"
        "</rr:RelationshipRecord>"
    )


def _relationships() -> bytes:
    records = [
        _relationship(child, parent, "IS_DIRECTLY_CONSOLIDATED_BY")
        for child, parent in _PARENTS.items()
    ] + [_relationship(child, HOLDING, "IS_ULTIMATELY_CONSOLIDATED_BY") for child in _PARENTS]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<rr:RelationshipData xmlns:rr="http://www.gleif.org/data/schema/rr/2016"><rr:Header>'
        "<rr:ContentDate>2026-07-01T08:00:00Z</rr:ContentDate>"
        "<rr:FileContent>GLEIF_DELTA_PUBLISHED</rr:FileContent>"
        f"<rr:RecordCount>{len(records)}</rr:RecordCount></rr:Header>"
        f"<rr:RelationshipRecords>{''.join(records)}</rr:RelationshipRecords></rr:RelationshipData>"
    ).encode()


def _gleif_files() -> dict[str, bytes]:
    """Deltas too, beside the excerpts of real golden copies."""
    entities = [_entity(lei, *values) for lei, values in _ENTITIES.items()]
    return {
        golden_copy.name("20260701", "last-day"): golden_copy.message(*entities, content="DELTA"),
        golden_copy.name("20260701", "last-day", subject="rr"): _relationships(),
    }


def _uk_files() -> dict[str, bytes]:
    records = [
        _share.changed(
            mic="XLON",
            name=_NEW_NAME,
            currency="GBP",
            since="2026-07-13",
            first_trade="2022-06-01",
            authority="GB",
            relevant="XLON",
        ),
        _share.changed(
            isin=_isin("NORDUKSHR"),
            mic="XLON",
            name="Nordlicht UK Limited (made up)",
            issuer=BRITISH,
            currency="GBP",
            authority="GB",
            relevant="XLON",
        ),
    ]
    name = "FULINS_E_20260718_01of01"
    return {name: firds.message(name, *(record.xml() for record in records), sender="GB")}


def make_files() -> dict[str, bytes]:
    """Return the bytes of each file by its path below FOLDER."""
    eu_files = _firds_files() | _fitrs_files() | _volume_cap_files()
    zips = {
        f"{folder}/{name}.zip": _zip(f"{name}.xml", xml)
        for folder, files in (("eu", eu_files), ("uk", _uk_files()))
        for name, xml in files.items()
    }
    for name, xml in _gleif_files().items():
        zips[f"eu/{name}.xml.zip"] = _zip(f"{name}.xml", xml)
    leis = {SHARE: ISSUER, BOND: FINANCE, FLOATER: FINANCE, FUND: MANAGER}
    table = isin_lei.table(leis.items())
    zips[f"eu/{isin_lei.name('20260718')}.zip"] = _zip("lei-isin-20260718T071513.csv", table)
    return zips


def _zip(entry: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(entry, _WRITTEN_AT)
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, content)
    return buffer.getvalue()


def write() -> None:
    for path, content in make_files().items():
        target = FOLDER / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
