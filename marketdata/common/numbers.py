"""Numbers in texts."""


def format_count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 file", "2,000 files".

    Give the `plural` where it is not the noun with an s, as "records were" is that of "record was".
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
