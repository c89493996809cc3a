"""Previews of corrections: the values that change, and where."""

from typing import Any

from instruments.correctable import IN_INSTRUMENT, CorrectionSubject, to_text
from instruments.corrected_records import read_rows
from instruments.models import Correction, Instrument, Listing
from marketdata.common.plain import to_plain

SHOWN_LISTINGS = 10


def preview(correction: Correction) -> dict[str, Any]:
    """Return the listings that a correction concerns with their published values, and what shows its value.

    `listings` are at most 10, `more` is the number of the others. `in_lists` is True if the reference listing
    is one of them, so that lists, search, filters and exports use the value. For an entity or a venue,
    `record` is in place of listings. A correction need not be saved.
    """
    if correction.subject != CorrectionSubject.INSTRUMENT:
        return {**_preview_record(correction), "listings": [], "more": 0, "in_lists": True}
    listings = Listing.objects.of(correction.isin).filter(register=correction.register)
    concerned = [listing for listing in listings if correction.concerns(listing)]
    reference = Instrument.objects.filter(pk=correction.isin).values_list("mic", "register").first()
    is_reference = any((listing.mic, listing.register) == reference for listing in concerned)
    return {
        "value": to_plain(correction.right_value),
        "record": None,
        "listings": [
            {
                "mic": listing.mic,
                "published": to_plain(getattr(listing, correction.field)),
                "changes": to_text(getattr(listing, correction.field)) != correction.value,
            }
            for listing in concerned[:SHOWN_LISTINGS]
        ],
        "more": max(len(concerned) - SHOWN_LISTINGS, 0),
        "in_lists": correction.field in IN_INSTRUMENT and is_reference,
    }


def _preview_record(correction: Correction) -> dict[str, Any]:
    code = correction.code
    row = read_rows(CorrectionSubject(correction.subject), [code]).get(code)
    published = getattr(row, correction.field, None)
    return {
        "value": to_plain(correction.right_value),
        "record": row
        and {
            "code": code,
            "published": to_plain(published),
            "changes": to_text(published) != correction.value,
        },
    }
