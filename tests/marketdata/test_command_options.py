"""Options that commands share."""

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("instruments", "get", "SE0000115446"), "--as-of"),
        (("transparency", "get", "SE0000115446"), "--on"),
        (("volume_cap", "get", "SE0000115446"), "--on"),
        (("entities", "hierarchy", "213800FERQ5LE3H7WJ58"), "--on"),
        (("check_list", "list.csv"), "--on"),
        (("sync_entities",), "--since"),
        (("sync_register",), "--until"),
    ],
)
def test_a_day_in_another_form_is_refused_in_words(command: tuple[str, ...], option: str) -> None:
    with pytest.raises(
        CommandError, match=rf"{option}: '2016-6' is not a valid day, such as 2025-08-30"
    ):
        call_command(*command, option, "2016-6")


@pytest.mark.parametrize(
    "command",
    [
        ("corrections", "list"),
        ("problems", "list", "no_entity"),
        ("files", "list"),
        ("rejects", "list"),
        ("runs", "list"),
        ("entities", "list"),
        ("reconciliation", "list"),
    ],
)
@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_list_without_rows_is_refused(command: tuple[str, ...], limit: str) -> None:
    with pytest.raises(CommandError, match="--limit"):
        call_command(*command, f"--limit={limit}")
