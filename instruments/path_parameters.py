"""Documentation of the codes in the paths of the API: of an instrument, an entity or a venue.

The patterns are those that the look-ups accept: codes are read in capital and small letters.
"""

from marketdata.api.openapi import path_parameter

_CONSONANTS = "B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z"

ISIN = path_parameter("isin", "ISIN of the instrument", pattern="^[A-Za-z]{2}[A-Za-z0-9]{9}[0-9]$")
IDENTIFIER = path_parameter(
    "isin", "ISIN of the instrument, or a FIGI or ticker that only it has", pattern="^[^/]+$"
)
FIGI = path_parameter(
    "figi",
    "FIGI, as BBG000BLNNH6",
    pattern=f"^[{_CONSONANTS}]{{2}}[Gg][{_CONSONANTS}0-9]{{8}}[0-9]$",
)
LEI = path_parameter("lei", "LEI of the entity", pattern="^[A-Za-z0-9]{18}[0-9]{2}$")
MIC = path_parameter("mic", "Market identifier code", pattern="^[A-Za-z0-9]{4}$")
CFI = path_parameter(
    "code",
    "A code, the start of one (`E`, `ES`), or a pattern with `*` for any letter",
    pattern="^[A-Za-z*]{1,6}$",
)
