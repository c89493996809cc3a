"""The few expressions that differ between the databases. SQLite's; each has a name here."""


def day_before(expression: str) -> str:
    """The day before a date."""
    return f"date({expression}, '-1 day')"
