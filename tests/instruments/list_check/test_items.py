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
        (",XSTO", "The field of the ISIN is empty: it takes an ISIN, a FIGI or a ticker."),
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


TRADES = [
    f'T1,"Smith, John",2025-08-30T10:00:00Z,{VOLVO},100,XSTO',
    f"T2,,2025-08-30,{VOLVO}",
    ",,,,,",
    "",
    "T3,,30.8.2025,x,,",
    f'T4,"not closed,2025-08-30,{VOLVO}',
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", ["id,Trader,trade_date,ISIN,Quantity,MIC", '\ufeffid,"Trader",Trade Date,isin,,Venue']
)
def test_a_table_of_trades_is_read_by_the_names_of_its_columns(header: str, delimiter: str) -> None:
    lines = [header, *TRADES]
    lines = [line.replace(",", delimiter) for line in lines]

    items = list(parse_lines(lines))

    assert items[:2] == [Item(2, VOLVO, "XSTO", DAY), Item(3, VOLVO, "", DAY)]
    assert [(item.line, item.code) for item in items[2:]] == [(6, "X"), (7, "")]
    assert [item.problem for item in items[2:]] == [
        "Not a day: '30.8.2025'. Write days as 2025-08-30.",
        "The field of the ISIN is empty: it takes an ISIN, a FIGI or a ticker.",
    ]


def test_a_table_with_isin_first_needs_a_fourth_column() -> None:
    assert list(parse_lines(["isin,where,when", f"{VOLVO},XSTO,2025-08-30"])) == [
        Item(2, VOLVO, "XSTO", DAY)
    ]
    assert list(parse_lines(["isin,price,day,mic", f"{VOLVO},12.50,2025-08-30,XSTO"])) == [
        Item(2, VOLVO, "XSTO", DAY)
    ]
    assert list(parse_lines(["price,isin", f"12.50,{VOLVO}"])) == [Item(2, VOLVO)]


@given(st.lists(st.text(max_size=60), max_size=20))
@example(['0"\n0'])
@example([",0"])
@example(["a,isin", "x" * 150_000 + ",0"])
@example(["a,isin", '0,"0\r1'])
def test_any_text_gives_at_most_one_item_a_line(lines: list[str]) -> None:
    items = list(parse_lines(lines))

    numbers = [item.line for item in items]
    assert numbers == sorted(set(numbers))
    assert all((item.code or item.problem) and len(item.code) <= 50 for item in items)
