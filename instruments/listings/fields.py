"""The fields of a FIRDS record (RTS 23, Annex I; ISO 20022 auth.017, auth.036, auth.102).

The one place that says which element is which column: the XML mapping, the staging table, the
checks and the way back from a row to what ESMA published are all made from `FIELDS`.
"""

import enum

from esma_files.parsing.mapping import Group, Mapping
from instruments.fields import (
    ISIN,
    LEI,
    MIC,
    Field,
    Type,
    code4,
    currency,
    dated,
    isin,
    lei,
    mic,
    period,
)


def _rate(column: str, path: str) -> list[Field]:
    """A floating rate: its name in one of three forms, and its term."""
    return [
        isin(f"{column}_isin", f"{path}/RefRate/ISIN"),
        code4(f"{column}_index", f"{path}/RefRate/Indx"),
        Field(f"{column}_name", f"{path}/RefRate/Nm", Type.TEXT, 350),
        code4(f"{column}_term_unit", f"{path}/Term/Unit"),
        Field(f"{column}_term_value", f"{path}/Term/Val", Type.DECIMAL),
    ]


_GENERAL = "FinInstrmGnlAttrbts"
_VENUE = "TradgVnRltdAttrbts"
_DEBT = "DebtInstrmAttrbts"
_DERIV = "DerivInstrmAttrbts"
_SINGLE = f"{_DERIV}/UndrlygInstrm/Sngl"
_PRICE = f"{_DERIV}/StrkPric/Pric"
_INTEREST = f"{_DERIV}/AsstClssSpcfcAttrbts/Intrst"
_FX = f"{_DERIV}/AsstClssSpcfcAttrbts/FX"
_COMMODITY = f"{_DERIV}/AsstClssSpcfcAttrbts/Cmmdty"
_TECH = "TechAttrbts"

FIELDS: tuple[Field, ...] = (
    Field("isin", f"{_GENERAL}/Id", Type.CODE, 12, ISIN, required=True, hashed=False),
    Field("mic", f"{_VENUE}/Id", Type.CODE, 4, MIC, required=True, hashed=False),
    # General
    Field("full_name", f"{_GENERAL}/FullNm", Type.TEXT, 350),
    Field("short_name", f"{_GENERAL}/ShrtNm", Type.TEXT, 350),
    Field("cfi_code", f"{_GENERAL}/ClssfctnTp", Type.CODE, 6, "[A-Z]{6}"),
    currency("notional_currency", f"{_GENERAL}/NtnlCcy"),
    Field("commodity_derivative", f"{_GENERAL}/CmmdtyDerivInd", Type.BOOLEAN),
    lei("issuer_lei", "Issr", has_check_digits=True),
    # Venue
    Field("issuer_requested", f"{_VENUE}/IssrReq", Type.BOOLEAN),
    *dated(
        Type.DATETIME,
        admission_approved_at=f"{_VENUE}/AdmssnApprvlDtByIssr",
        admission_requested_at=f"{_VENUE}/ReqForAdmssnDt",
        first_trade_at=f"{_VENUE}/FrstTradDt",
        terminated_at=f"{_VENUE}/TermntnDt",
    ),
    # Debt
    Field("total_issued_nominal", f"{_DEBT}/TtlIssdNmnlAmt", Type.DECIMAL),
    currency("total_issued_nominal_currency", f"{_DEBT}/TtlIssdNmnlAmt/@Ccy"),
    Field("maturity_date", f"{_DEBT}/MtrtyDt", Type.DATE),
    Field("nominal_value_per_unit", f"{_DEBT}/NmnlValPerUnit", Type.DECIMAL),
    currency("nominal_value_per_unit_currency", f"{_DEBT}/NmnlValPerUnit/@Ccy"),
    Field("fixed_rate", f"{_DEBT}/IntrstRate/Fxd", Type.DECIMAL),
    *_rate("floating_rate", f"{_DEBT}/IntrstRate/Fltg"),
    Field("floating_rate_spread", f"{_DEBT}/IntrstRate/Fltg/BsisPtSprd", Type.DECIMAL),
    code4("seniority", f"{_DEBT}/DebtSnrty"),
    # Derivatives
    Field("expiry_date", f"{_DERIV}/XpryDt", Type.DATE),
    Field("price_multiplier", f"{_DERIV}/PricMltplr", Type.DECIMAL),
    isin("underlying_isin", f"{_SINGLE}/ISIN"),
    lei("underlying_lei", f"{_SINGLE}/LEI"),
    isin("underlying_index_isin", f"{_SINGLE}/Indx/ISIN"),
    isin("underlying_index_rate_isin", f"{_SINGLE}/Indx/Nm/RefRate/ISIN"),
    code4("underlying_index_code", f"{_SINGLE}/Indx/Nm/RefRate/Indx"),
    Field("underlying_index_name", f"{_SINGLE}/Indx/Nm/RefRate/Nm", Type.TEXT, 350),
    code4("underlying_index_term_unit", f"{_SINGLE}/Indx/Nm/Term/Unit"),
    Field("underlying_index_term_value", f"{_SINGLE}/Indx/Nm/Term/Val", Type.DECIMAL),
    code4("option_type", f"{_DERIV}/OptnTp"),
    Field("strike_amount", f"{_PRICE}/MntryVal/Amt", Type.DECIMAL),
    currency("strike_currency", f"{_PRICE}/MntryVal/Amt/@Ccy"),
    # True stands on positive amounts too: it is kept, and never applied to the amount.
    Field("strike_sign", f"{_PRICE}/MntryVal/Sgn", Type.BOOLEAN),
    Field("strike_percentage", f"{_PRICE}/Pctg", Type.DECIMAL),
    Field("strike_yield", f"{_PRICE}/Yld", Type.DECIMAL),
    Field("strike_basis_points", f"{_PRICE}/BsisPts", Type.DECIMAL),
    code4("strike_pending", f"{_DERIV}/StrkPric/NoPric/Pdg"),
    currency("strike_pending_currency", f"{_DERIV}/StrkPric/NoPric/Ccy"),
    code4("exercise_style", f"{_DERIV}/OptnExrcStyle"),
    code4("delivery_type", f"{_DERIV}/DlvryTp"),
    # Commodity
    code4("commodity_transaction_type", f"{_COMMODITY}/TxTp"),
    code4("commodity_final_price_type", f"{_COMMODITY}/FnlPricTp"),
    # Interest rates
    *_rate("interest_rate", f"{_INTEREST}/IntrstRate"),
    Field("first_leg_fixed_rate", f"{_INTEREST}/FrstLegIntrstRate/Fxd", Type.DECIMAL),
    *_rate("first_leg_rate", f"{_INTEREST}/FrstLegIntrstRate/Fltg"),
    currency("other_leg_currency", f"{_INTEREST}/OthrNtnlCcy"),
    Field("other_leg_fixed_rate", f"{_INTEREST}/OthrLegIntrstRate/Fxd", Type.DECIMAL),
    *_rate("other_leg_rate", f"{_INTEREST}/OthrLegIntrstRate/Fltg"),
    # Foreign exchange
    code4("fx_type", f"{_FX}/FxTp"),
    currency("fx_other_currency", f"{_FX}/OthrNtnlCcy"),
    # Technical
    Field("inconsistent", f"{_TECH}/IncnsstncyInd", Type.BOOLEAN),
    *dated(
        Type.DATETIME,
        last_updated_at=f"{_TECH}/LastUpd",
        submitted_at=f"{_TECH}/SubmissnDtTm",
    ),
    Field("competent_authority", f"{_TECH}/RlvntCmptntAuthrty", Type.CODE, 2, "[A-Z]{2}"),
    *period("published", f"{_TECH}/PblctnPrd"),
    Field("never_published", f"{_TECH}/NvrPblshd", Type.BOOLEAN),
    mic("relevant_venue", f"{_TECH}/RlvntTradgVn"),
    Field("technical_record_id", "TechRcrdId", Type.TEXT, 35, hashed=False),
)

BY_COLUMN = {field.column: field for field in FIELDS}

# The branches of a commodity product: Pdct/<branch>/{BasePdct,SubPdct,AddtlSubPdct}.
_TREE = {
    "Agrcltrl": "GrnOilSeed Soft Ptt OlvOil Dairy Frstry Sfd LiveStock Grn Othr",
    "Nrgy": "Elctrcty NtrlGas Oil Coal IntrNrgy RnwblNrgy LghtEnd Dstllts Othr",
    "Envttl": "Emssns Wthr CrbnRltd Othr",
    "Frtlzr": "Ammn DmmnmPhspht Ptsh Slphr Urea UreaAndAmmnmNtrt Othr",
    "Frght": "Dry Wet CntnrShip Othr",
    "IndstrlPdct": "Cnstrctn Manfctg",
    "Metl": "NonPrcs Prcs",
    "OthrC10": "Dlvrbl NonDlvrbl",
    "Ppr": "CntnrBrd Nwsprnt Pulp RcvrdPpr Othr",
    "Plprpln": "Plstc Othr",
    "Infltn": "",
    "MultiCmmdtyExtc": "",
    "OffclEcnmcSttstcs": "",
    "Othr": "",
}
COMMODITY_BRANCHES = tuple(
    f"{top}/{below}" if below else top
    for top, belows in _TREE.items()
    for below in (belows.split() or [""])
)
COMMODITY_LEVELS = {
    "commodity_base_product": "BasePdct",
    "commodity_sub_product": "SubPdct",
    "commodity_additional_sub_product": "AddtlSubPdct",
}
COMMODITY = Group(
    "commodity",
    f"{_COMMODITY}/Pdct",
    tuple(
        f"{branch}/{level}" for branch in COMMODITY_BRANCHES for level in COMMODITY_LEVELS.values()
    ),
)
BASKET = Group("basket", f"{_DERIV}/UndrlygInstrm/Bskt", ("ISIN", "LEI"))
BASKET_PATTERNS = {"ISIN": ISIN, "LEI": LEI}
GROUPS = {group.name: group for group in (COMMODITY, BASKET)}


class RecordKind(enum.StrEnum):
    """The kind of a record, by its element in the file."""

    FULL = "full"
    NEW = "new"
    MODIFIED = "modified"
    TERMINATED = "terminated"
    CANCELLED = "cancelled"


def _mapping(kind: str, records: dict[str, str]) -> Mapping:
    leaves = tuple(field.path for field in FIELDS)
    return Mapping.of_kind(kind, records, leaves, (COMMODITY, BASKET))


FULL_FILE = _mapping("FULINS", {RecordKind.FULL: "RefData"})
DELTA_FILE = _mapping(
    "DLTINS",
    {
        RecordKind.NEW: "FinInstrm/NewRcrd",
        RecordKind.MODIFIED: "FinInstrm/ModfdRcrd",
        RecordKind.TERMINATED: "FinInstrm/TermntdRcrd",
        RecordKind.CANCELLED: "FinInstrm/CancRcrd",
    },
)
CANCELLATIONS = _mapping("FULCAN", {RecordKind.CANCELLED: "CxlData"})
