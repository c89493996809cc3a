"""Venues of the exchange codes in OpenFIGI's answers.

OpenFIGI publishes no table of its exchange codes (Bloomberg's) and MICs. This one has the codes of single
exchanges whose MIC is not in doubt. Codes of countries, which composites have (US, GR, SW, SM, CI), and of
networks of several venues are left out: a FIGI without a venue is better than one with a wrong venue.
"""

from collections.abc import Collection, Mapping

# Operating MICs (ISO 10383), or the MIC of a segment where only that is meant, by exchange code.
MICS = {
    "AV": "XWBO",
    "BB": "XBRU",
    "DC": "XCSE",
    "ET": "XTAL",
    "FH": "XHEL",
    "FP": "XPAR",
    "GA": "XATH",
    "GB": "XBER",
    "GD": "XDUS",
    "GF": "XFRA",
    "GH": "XHAM",
    "GI": "XHAN",
    "GM": "XMUN",
    "GS": "XSTU",
    "GY": "XETR",
    "HK": "XHKG",
    "ID": "XDUB",
    "IM": "XMIL",
    "LG": "XRIS",
    "LH": "XLIT",
    "LN": "XLON",
    "LX": "XLUX",
    "NA": "XAMS",
    "NO": "XOSL",
    "PL": "XLIS",
    "SE": "XSWX",
    "SS": "XSTO",
    "UA": "XASE",
    "UN": "XNYS",
    "UP": "ARCX",
    "UW": "XNAS",
}


def find_venue(
    exchange_code: str, listed_mics: Collection[str], operating_mics: Mapping[str, str]
) -> str:
    """Return the MIC among those with a listing that an exchange code means; "" where that is not certain.

    `operating_mics` has the operating MIC of each segment. A listing on the operating MIC itself comes
    before those on its segments; of several segments none is chosen.
    """
    mic = MICS.get(exchange_code, "")
    if not mic or mic in listed_mics:
        return mic
    segments = [listed for listed in listed_mics if operating_mics.get(listed) == mic]
    return segments[0] if len(segments) == 1 else ""
