"""Names of fields in the words of pages."""

import re

_ABBREVIATIONS = re.compile(r"\b(cfi|figi|fx|id|isin|lei|lou|md5|mic|url)\b")


def capitalize(label: str) -> str:
    """Return a label with its first letter and abbreviations in capitals: `cfi code` gives `CFI code`."""
    label = _ABBREVIATIONS.sub(lambda match: match[0].upper(), label)
    return label[:1].upper() + label[1:]


def label_field(name: str) -> str:
    """Return the words for a field of the API: `cfi_code` gives `CFI code`."""
    return capitalize(name.replace("_", " "))
