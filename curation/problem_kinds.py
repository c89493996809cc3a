"""The kinds of problems of published data, declared once for admin, API, pages and commands."""

import dataclasses
from typing import Literal

Code = Literal[
    "no_entity",
    "issuer_operator",
    "issuer_differs",
    "cfi_invalid",
    "cfi_edition",
    "venue_unknown",
    "names_differ",
    "terminated_listed",
    "expired_active",
    "transparency_conflict",
]


@dataclasses.dataclass(frozen=True)
class ProblemKind:
    """One kind. `why` says what is wrong, `to_do` what a curator does about it.

    `field` is the column that a correction replaces; "" where no correction is possible.
    """

    code: Code
    title: str
    why: str
    to_do: str
    field: str = ""


_KINDS = (
    ProblemKind(
        "no_entity",
        "No legal entity of the issuer",
        "The instrument is active, and its published issuer has no record in the golden copy of GLEIF that is"
        " loaded, or no LEI of an issuer is published. Questions about the issuer's group miss it.",
        "Look the LEI up at GLEIF. If another one is right (GLEIF's ISIN-LEI file suggests one where it has"
        " the ISIN), propose it. If the LEI is right, load a newer golden copy.",
        "issuer_lei",
    ),
    ProblemKind(
        "issuer_operator",
        "The issuer is the operator of a venue",
        "The instrument is no listed option or future, and the published issuer is an LEI that the list of"
        " venues (ISO 10383) has for an operator. Venues sometimes report their own LEI by mistake.",
        "Propose the LEI of the issuer. Leave it if the operator itself has issued the instrument, as its"
        " own share.",
        "issuer_lei",
    ),
    ProblemKind(
        "issuer_differs",
        "GLEIF has another issuer",
        "GLEIF's ISIN-LEI file, which has what national numbering agencies report, names another issuer than"
        " the register. The register may have an arranger, a parent or a predecessor.",
        "Compare both entities. If GLEIF's is right, propose it with the prospectus as evidence.",
        "issuer_lei",
    ),
    ProblemKind(
        "cfi_invalid",
        "Invalid CFI code",
        "A letter of the CFI code has no meaning in any edition of ISO 10962, so that filters by attribute"
        " and the terms of its category can miss the instrument.",
        "Find the code at the numbering agency (ANNA), and propose it.",
        "cfi_code",
    ),
    ProblemKind(
        "cfi_edition",
        "CFI code of another edition",
        "The CFI code has a letter that only another edition of ISO 10962 than that of 2019 has.",
        "Nothing, if the instrument was classified by that edition. Otherwise propose the code of 2019.",
        "cfi_code",
    ),
    ProblemKind(
        "venue_unknown",
        "Unknown venue",
        "Listings have a MIC that the loaded list of venues (ISO 10383) lacks, so that country, operator and"
        " name of the venue are not known.",
        "Have a newer list loaded (`manage.py load_venues --official`). If the MIC is not published there,"
        " import it as an addition.",
    ),
    ProblemKind(
        "names_differ",
        "Names differ between venues",
        "Active listings of one instrument in one register have different names, and not only in case, spaces"
        " or punctuation. The suggested name is that of most listings.",
        "Propose the right name for the venues that misspell it.",
        "full_name",
    ),
    ProblemKind(
        "terminated_listed",
        "Terminated, but in the full set",
        "The newest full set still has the listing, though its termination was before the day of the set."
        " The register keeps it active.",
        "Dates cannot be corrected, because status and reportability follow from them; answers already use"
        " the published day. Ask the venue to report the termination again, and keep a note.",
    ),
    ProblemKind(
        "expired_active",
        "Expired, but active",
        "The register publishes the instrument as active, though each of its listings has expired, matured or"
        " been terminated by its own dates.",
        "Dates cannot be corrected, because status and reportability follow from them; the effective status"
        " is already right. Ask the venue to report the end, and keep a note.",
    ),
    ProblemKind(
        "transparency_conflict",
        "Contradictory transparency",
        "Published transparency results apply on the same day and contradict each other, so that no liquidity"
        " or thresholds are shown as those in force.",
        "Compare the files on the page of the transparency results. Results cannot be corrected: ask the"
        " authority which one is right, and keep a note.",
    ),
)
KINDS: dict[str, ProblemKind] = {kind.code: kind for kind in _KINDS}
CHOICES = [(kind.code, kind.title) for kind in _KINDS]
