"""Reporting exceptions in words: the codes of RepEx 2.1 for which no parent is reported, and why."""

PARENTS_IN_WORDS = {
    "DIRECT_ACCOUNTING_CONSOLIDATION_PARENT": "No direct parent is reported",
    "ULTIMATE_ACCOUNTING_CONSOLIDATION_PARENT": "No ultimate parent is reported",
}
REASONS_IN_WORDS = {
    "NO_LEI": "the parent has no LEI",
    "NATURAL_PERSONS": "the entity is controlled by natural persons",
    "NON_CONSOLIDATING": "the parents do not have to consolidate it in their accounts",
    "NO_KNOWN_PERSON": "no person is known that controls it, as with widely held shares",
    "NON_PUBLIC": "the parent is not public information",
    "BINDING_LEGAL_COMMITMENTS": "legal commitments prevent the publication",
    "LEGAL_OBSTACLES": "laws prevent the publication",
    "CONSENT_NOT_OBTAINED": "the parent has not agreed to the publication",
    "DETRIMENT_NOT_EXCLUDED": "the publication might harm the entity or its parent",
    "DISCLOSURE_DETRIMENTAL": "the publication would harm the entity or its parent",
}
