"""Numbers in texts."""

import pytest

from marketdata.common.numbers import format_count


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("file",), "0 files"),
        (1, ("file",), "1 file"),
        (2_000, ("file",), "2,000 files"),
        (1, ("record was", "records were"), "1 record was"),
        (2, ("record was", "records were"), "2 records were"),
    ],
)
def test_a_number_has_the_noun_that_fits(number: int, words: tuple[str, ...], text: str) -> None:
    assert format_count(number, *words) == text
