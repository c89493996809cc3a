"""Lines of a list to check, as people paste them."""

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instruments.list_check.items import Item, parse_lines

VOLVO = "SE0000115446"
DAY = dt.date(2025, 8, 30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (VOLVO, Item(1, VOLVO)),
        (f"  {VOLVO.lower()}  ", Item(1, VOLVO)),
        (f"{VOLVO},xsto", Item(1, VOLVO, "XSTO")),
        (f"{VOLVO};XSTO;2025-08-30", Item(1, VOLVO, "XSTO", DAY)),
        (f"{VOLVO}\tXSTO\t2025-08-30T10:00:00Z", Item(1, VOLVO, "XSTO", DAY)),
        (f"{VOLVO},XSTO,2025-08-29T23:30:00-05:00", Item(1, VOLVO, "XSTO", DAY)),
        (f"{VOLVO},XSTO,2025-08-31T00:30:00.123+02:00", Item(1, VOLVO, "XSTO", DAY)),
        (f"{VOLVO},XSTO,2025-08-30T23:59", Item(1, VOLVO, "XSTO", DAY)),
        (f"{VOLVO} XSTO 2025-08-30", Item(1, VOLVO, "XSTO", DAY)),
        (f"{VOLVO} 2025-08-30", Item(1, VOLVO, "", DAY)),
        (f'"{VOLVO}","XSTO","2025-08-30"', Item(1, VOLVO, "XSTO", DAY)),
        (f"\ufeff{VOLVO}", Item(1, VOLVO)),
        (f"{VOLVO},,", Item(1, VOLVO)),
        (f"{VOLVO};;2025-08-30", Item(1, VOLVO, "", DAY)),
        (f"{VOLVO}; ; 2025-08-30", Item(1, VOLVO, "", DAY)),
    ],
)
def test_a_line_is_read_in_every_usual_form(text: str, expected: Item) -> None:
    assert list(parse_lines([text])) == [expected]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{VOLVO},XST!", "Not a MIC: 'XST!' is not four letters or digits."),
        (f"{VOLVO},XSTO,30.8.2025", "Not a day: '30.8.2025'. Write days as 2025-08-30."),
        (",XSTO", "The first field is empty: it has the ISIN, a FIGI or a ticker."),
        (f"{VOLVO},20250830", "Not a day: '20250830'."),
        (f"{VOLVO},2025-08-30x", "Not a day: '2025-08-30x'."),
        (f"{VOLVO},2025-02-30", "Not a day: '2025-02-30'."),
        (f"{VOLVO},2025-08-30T25:00:00Z", "Not a day: '2025-08-30T25:00:00Z'."),
        (f"{VOLVO},0001-01-01T00:00:00+02:00", "Not a day: '0001-01-01T00:00:00+02:00'."),
        (f"{VOLVO},XSTO,2025-08-30,more", "4 fields; a line has an ISIN, a MIC and a day"),
        (f'"{VOLVO}' + "x" * 200_000, "Not an ISIN: an ISIN has 12 characters, this has 200012."),
    ],
)
def test_an_invalid_line_says_why(text: str, problem: str) -> None:
    [item] = parse_lines([text])

    assert item.problem is not None
    assert problem in item.problem


def test_headers_and_empty_lines_are_skipped_and_lines_keep_their_numbers() -> None:
    lines = ["", "ISIN,MIC,Day", "", f"{VOLVO},XSTO", ",,", "isin"]

    items = list(parse_lines(lines))

    assert [(item.line, item.code) for item in items] == [(4, VOLVO), (6, "ISIN")]


@given(st.lists(st.text(max_size=60), max_size=20))
@example(['0"\n0'])
@example([",0"])
def test_any_text_gives_at_most_one_item_a_line(lines: list[str]) -> None:
    items = list(parse_lines(lines))

    numbers = [item.line for item in items]
    assert numbers == sorted(set(numbers))
    assert all((item.code or item.problem) and len(item.code) <= 50 for item in items)
