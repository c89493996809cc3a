"""The fields of a volume cap result (MiFIR, Article 5; ISO 20022 auth.053).

As `listings/fields.py` for FIRDS. Written against ISO's message, without a file of ESMA's at hand:
docs/decisions/0023.
"""

from esma_files.parsing.mapping import Group, Mapping
from instruments.fields import ISIN, MIC, Field, Type, currency, period

PERIOD = "RptgPrd"
PERIOD_FIELDS = tuple(period("reported", PERIOD))
FIELDS: tuple[Field, ...] = (
    Field("technical_record_id", "TechRcrdId", Type.TEXT, 35, hashed=False),
    Field("isin", "Id", Type.CODE, 12, ISIN, required=True, hashed=False),
    *PERIOD_FIELDS,
    Field("last_updated_on", "LastUpdDt", Type.DATE),
    Field("total_volume", "TtlTradgVol", Type.DECIMAL),
    currency("total_volume_currency", "TtlTradgVol/@Ccy"),
    Field("percentage", "TradgUdrWvrPctg", Type.DECIMAL),
    Field("disclaimer", "Dsclmr", Type.TEXT, 350),
)
# One element a venue; the paths are below it.
VENUE_FIELDS: tuple[Field, ...] = (
    Field("mic", "TradgVn", Type.CODE, 4, MIC),
    Field("percentage", "TradgUdrWvrPctg", Type.DECIMAL),
    Field("disclaimer", "Dsclmr", Type.TEXT, 350),
)
VENUES = Group(
    "venue", "TradgUdrWvrBrkdwn", tuple(field.path for field in VENUE_FIELDS), repeats=True
)
# Which result of an ISIN a record is.
KEY = tuple(field.column for field in PERIOD_FIELDS)
FILE = Mapping.of_kind(
    "DVCRES",
    {"result": "VolCapRslt"},
    tuple(field.path for field in FIELDS),
    (VENUES,),
)
