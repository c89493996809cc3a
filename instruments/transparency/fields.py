"""The fields of a FITRS record (RTS 1 and RTS 2; ISO 20022 auth.044 and auth.045).

As `instruments/listings/fields.py` for FIRDS. A record of auth.045.001.03 is about an ISIN or about a
sub-class of instruments, and the elements of the two share columns: a record has one of them only.
auth.045.001.02 knows ISINs only, and names two elements otherwise.
"""

import enum

from esma_files.parsing.mapping import Group, Mapping
from instruments.fields import (
    ISIN,
    MIC,
    Field,
    Type,
    code4,
    currency,
    period,
)

_BY_ISIN, _BY_CLASS = "Id/ISINAndSubClss", "Id/AsstClssAndSubClss"
_STATISTICS = "Sttstcs"
THRESHOLDS = {
    "pre_trade_lis": "PreTradLrgInScaleThrshld",
    "post_trade_lis": "PstTradLrgInScaleThrshld",
    "pre_trade_ssti": "PreTradInstrmSzSpcfcThrshld",
    "post_trade_ssti": "PstTradInstrmSzSpcfcThrshld",
}


def _isin(path: str) -> Field:
    return Field("isin", path, Type.CODE, 12, ISIN, hashed=False)


def _amount(column: str, path: str) -> list[Field]:
    return [Field(column, path, Type.DECIMAL), currency(f"{column}_currency", f"{path}/@Ccy")]


def _number(column: str, leaf: str) -> Field:
    return Field(column, f"{_STATISTICS}/{leaf}", Type.DECIMAL)


_COMMON = (
    Field("technical_record_id", "TechRcrdId", Type.TEXT, 35, hashed=False),
    Field("full_name", "FullNm", Type.TEXT, 350),
    Field("trading_venue", "TradgVn", Type.CODE, 4, MIC),
    *period("reported", "RptgPrd"),
    Field("liquid", "Lqdty", Type.BOOLEAN),
    _number("total_transactions", "TtlNbOfTxsExctd"),
    _number("total_volume", "TtlVolOfTxsExctd"),
)
_PLAIN_ID = (_isin("Id"), code4("classification", "FinInstrmClssfctn"))
EQUITY_FIELDS: tuple[Field, ...] = (
    *_PLAIN_ID,
    *_COMMON,
    *period("applied", "ApplPrd"),
    code4("methodology", "Mthdlgy"),
    *_amount("average_daily_turnover", f"{_STATISTICS}/AvrgDalyTrnvr"),
    *_amount("average_transaction_value", f"{_STATISTICS}/AvrgTxVal"),
    _number("large_in_scale", "LrgInScale"),
    _number("standard_market_size", "StdMktSz"),
    _number("average_daily_transactions", "AvrgDalyNbOfTxs"),
    _number("trading_days", "TtlNbOfTradgDays"),
    Field("relevant_market", "RlvntMkt/Id", Type.CODE, 4, MIC),
    Field("relevant_market_daily_transactions", "RlvntMkt/AvrgDalyNbOfTxs", Type.DECIMAL),
)
_THRESHOLD_FIELDS = tuple(
    field
    for column, path in THRESHOLDS.items()
    for field in (
        *_amount(column, f"{path}/Amt"),
        Field(f"{column}_number", f"{path}/Nb", Type.DECIMAL),
    )
)
_SHARED = (*_COMMON, *_THRESHOLD_FIELDS)
OLD_NON_EQUITY_FIELDS: tuple[Field, ...] = (*_PLAIN_ID, *_SHARED)
NON_EQUITY_FIELDS: tuple[Field, ...] = (
    _isin(f"{_BY_ISIN}/ISIN"),
    code4("classification", f"{_BY_ISIN}/FinInstrmClssfctn"),
    Field("asset_class", f"{_BY_CLASS}/AsstClss", Type.CODE, 4, "[A-Z0-9]{4}", hashed=False),
    code4("classification", f"{_BY_CLASS}/FinInstrmClssfctn"),
    *_SHARED,
)
# A sub-class: its description, and its criteria, name and value over and over; kept as JSON.
SUB_CLASS, CRITERIA = "sub_class", "criteria"
SUB_CLASS_GROUPS = tuple(
    Group(name, f"{path}/DerivSubClss", ("Desc", "SgmttnCrit/CritNm", "SgmttnCrit/CritVal"))
    for name, path in (("of_isin", _BY_ISIN), ("of_class", _BY_CLASS))
)
# Which result of an ISIN or a sub-class a record is: see docs/decisions/0022.
KEY = (
    "methodology",
    "trading_venue",
    *(field.column for field in _COMMON if field.column.startswith("reported_")),
)


class ResultKind(enum.StrEnum):
    """The message that a record is from."""

    EQUITY = "equity"
    NON_EQUITY = "non_equity"
    OLD_NON_EQUITY = "non_equity_02"


FIELDS_OF = {
    ResultKind.EQUITY: EQUITY_FIELDS,
    ResultKind.NON_EQUITY: NON_EQUITY_FIELDS,
    ResultKind.OLD_NON_EQUITY: OLD_NON_EQUITY_FIELDS,
}


def _leaves(fields: tuple[Field, ...]) -> tuple[str, ...]:
    return tuple(field.path for field in fields)


_NON_EQUITY_RECORD = "NonEqtyTrnsprncyData"
EQUITY_FILE = Mapping.of_kind(
    "FULECR", {ResultKind.EQUITY: "EqtyTrnsprncyData"}, _leaves(EQUITY_FIELDS)
)
OLD_NON_EQUITY_FILE = Mapping.of_kind(
    "FULNCR", {ResultKind.OLD_NON_EQUITY: _NON_EQUITY_RECORD}, _leaves(OLD_NON_EQUITY_FIELDS)
)
NON_EQUITY_FILE = Mapping.of_kind(
    "FULNCR",
    {ResultKind.NON_EQUITY: _NON_EQUITY_RECORD},
    _leaves(NON_EQUITY_FIELDS),
    SUB_CLASS_GROUPS,
    versions=(("auth.045.001.02", OLD_NON_EQUITY_FILE),),
)
