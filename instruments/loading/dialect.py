"""The few expressions that differ between the databases. SQLite's; each has a name here."""


def day_before(expression: str) -> str:
    """The day before a date."""
    return f"date({expression}, '-1 day')"


def each_word(table: str, column: str, alias: str) -> str:
    """Joins each row of `table` with the words of a column of codes with spaces between, as
    `alias`.value.
    """
    return f"""JOIN json_each('["' || replace({table}.{column}, ' ', '","') || '"]') AS {alias}"""
