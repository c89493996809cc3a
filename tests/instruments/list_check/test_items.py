"""Lines of a list to check, as people paste them."""

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instruments.list_check.items import Item
from instruments.list_check.lines import Lines

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
    assert list(Lines([text])) == [expected]


def test_times_of_a_table_may_have_a_space_for_the_t() -> None:
    table = [
        "isin,mic,trade date time",
        f"{VOLVO},XSTO,2025-08-30 10:00:00",
        f"{VOLVO},XSTO,2025-08-30 24:61",
    ]

    first, second = Lines(table)

    assert first == Item(2, VOLVO, "XSTO", DAY)
    assert second.problem == "Not a day: '2025-08-30 24:61'. Write days as 2025-08-30."


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
    [item] = Lines([text])

    assert item.problem is not None
    assert problem in item.problem


def test_headers_and_empty_lines_are_skipped_and_lines_keep_their_numbers() -> None:
    lines = ["", "ISIN,MIC,Day", "", f"{VOLVO},XSTO", ",,", "isin"]

    items = list(Lines(lines))

    assert [(item.line, item.code) for item in items] == [(4, VOLVO), (6, "ISIN")]


@pytest.mark.parametrize("header", ["isin", "price,isin", "isin,mic,day"])
def test_a_header_is_on_the_first_line_alone(header: str) -> None:
    lines = Lines([VOLVO, header, f"{VOLVO},XSTO,2025-08-30"])

    first, second, third = lines
    assert (first.code, third) == (VOLVO, Item(3, VOLVO, "XSTO", DAY))
    assert (second.line, second.code) == (2, header.partition(",")[0].upper())
    assert lines.columns == ""


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

    items = list(Lines(lines))

    assert items[:2] == [Item(2, VOLVO, "XSTO", DAY), Item(3, VOLVO, "", DAY)]
    assert [(item.line, item.code) for item in items[2:]] == [(6, "X"), (7, "")]
    assert [item.problem for item in items[2:]] == [
        "Not a day: '30.8.2025'. Write days as 2025-08-30.",
        "The field of the ISIN is empty: it takes an ISIN, a FIGI or a ticker.",
    ]


@pytest.mark.parametrize(
    ("header", "line", "expected"),
    [
        ("isin,mic,day", f"{VOLVO},XSTO,2025-08-30", Item(2, VOLVO, "XSTO", DAY)),
        ("isin,day,mic", f"{VOLVO},2025-08-30,XSTO", Item(2, VOLVO, "XSTO", DAY)),
        ("isin,mic,day", VOLVO, Item(2, VOLVO)),
        ("isin,price,day,mic", f"{VOLVO},12.50,2025-08-30,XSTO", Item(2, VOLVO, "XSTO", DAY)),
        ("isin,quantity", f"{VOLVO},1000", Item(2, VOLVO)),
        ("price,isin", f"12.50,{VOLVO}", Item(2, VOLVO)),
        ("ID_ISIN;TradeDate", f"{VOLVO};2025-08-30", Item(2, VOLVO, "", DAY)),
        (
            "Trading venue,Trading date time,Instrument identification code",
            f"XSTO,2025-08-30T10:00:00Z,{VOLVO}",
            Item(2, VOLVO, "XSTO", DAY),
        ),
        (
            "isin,date,trade_date,Trading venue,mic",
            f"{VOLVO},2025-09-01,2025-08-30,Nasdaq,XSTO",
            Item(2, VOLVO, "XSTO", DAY),
        ),
        ("isin", f"{VOLVO},XSTO,2025-08-30", Item(2, VOLVO, "XSTO", DAY)),
        ("isin mic day", f"{VOLVO} XSTO 2025-08-30", Item(2, VOLVO, "XSTO", DAY)),
    ],
)
def test_columns_of_a_table_are_known_by_their_names(
    header: str, line: str, expected: Item
) -> None:
    assert list(Lines([header, line])) == [expected]


def test_a_line_with_more_fields_than_the_header_is_invalid() -> None:
    lines = ["price,isin,day", f"12,50,{VOLVO},2025-08-30", f"12,{VOLVO},2025-08-30,,"]

    shifted, padded = Lines(lines)

    assert shifted.problem == "4 fields; the header has 3. Quote fields with ','."
    assert padded == Item(3, VOLVO, "", DAY)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "id,ISIN,Venue,Execution Date,price",
            "Read by the header: ISIN from “ISIN”, MIC from “Venue”, day from “Execution Date”."
            " Left out: id, price.",
        ),
        (
            "isin;when",
            "Read by the header: ISIN from “isin”. No column has days. No column has venues."
            " Left out: when.",
        ),
        (
            "isin,mic,venue,day",
            "Read by the header: ISIN from “isin”, MIC from “mic”, day from “day”."
            " Left out: venue.",
        ),
        ("isin", ""),
        (VOLVO, ""),
    ],
)
def test_a_table_says_which_of_its_columns_were_read(header: str, expected: str) -> None:
    lines = Lines([header])
    list(lines)

    assert lines.columns == expected


@given(st.lists(st.text(max_size=60), max_size=20))
@example(['0"\n0'])
@example([",0"])
@example(["a,isin", "x" * 150_000 + ",0"])
@example(["a,isin", '0,"0\r1'])
def test_any_text_gives_at_most_one_item_a_line(lines: list[str]) -> None:
    items = list(Lines(lines))

    numbers = [item.line for item in items]
    assert numbers == sorted(set(numbers))
    assert all((item.code or item.problem) and len(item.code) <= 50 for item in items)
