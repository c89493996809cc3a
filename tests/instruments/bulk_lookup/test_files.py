"""CSV files of identifiers, compared with the answers of the API."""

import csv
import gc
import io
import itertools
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from instruments.bulk_lookup.answers import MAX_ITEMS
from instruments.bulk_lookup.files import OUTPUT_COLUMNS, answer_lines, read_lines
from instruments.models import Instrument

pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def run(tmp_path: Path, text: str, *options: str) -> str:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8", newline="")
    out = io.StringIO(newline="")
    call_command("lookup", str(path), *options, stdout=out)
    return out.getvalue()


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_each_line_has_the_answer_of_the_api(client: Client, tmp_path: Path) -> None:
    listed = list(Instrument.objects.order_by("isin")[:5])
    lei = Instrument.objects.exclude(issuer_lei="").order_by("isin")[0].issuer_lei
    items: list[dict[str, Any]] = [{"idType": "ID_ISIN", "idValue": row.pk} for row in listed]
    items[1]["idValue"] = items[1]["idValue"].lower()
    items[2]["micCode"] = listed[2].mic.lower()
    items[3]["micCode"] = "XXXX"
    items[4]["as_of"] = "2001-01-01"
    items += [
        {"idType": "id_lei", "idValue": lei},
        {"idType": "ID_ISIN", "idValue": "SE0000115447"},
        {"idType": "TICKER", "idValue": "none"},
    ]
    names = ("idValue", "IDTYPE", "micCode", "as_of")
    keys = ("idValue", "idType", "micCode", "as_of")
    lines = [",".join(names), *(",".join(item.get(key, "") for key in keys) for item in items)]
    text = "\ufeff" + "\r\n".join(lines) + "\r\n\r\n"
    answers = client.post("/api/v1/lookup/", items, content_type="application/json").json()

    objects = [json.loads(row) for row in run(tmp_path, text, "--format", "ndjson").splitlines()]
    assert [row["line"] for row in objects] == list(range(2, 10))
    shown = [{k: row[k] for k in ("data", "warning", "error") if k in row} for row in objects]
    assert shown == answers
    assert {name for answer in answers for name in answer} == {"data", "warning", "error"}

    rows = read(run(tmp_path, text))
    expected = [
        (str(line), " ".join(row["isin"] for row in answer.get("data", ())), next(iter(answer)))
        for line, answer in enumerate(answers, start=2)
    ]
    assert [(row["line"], row["isins"], row["outcome"]) for row in rows] == expected
    assert rows[0]["full_name"] == listed[0].full_name


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ID_CUSIP,037833100", "'ID_CUSIP' is not a valid choice. Choose one of: ID_ISIN"),
        ("ID_ISIN,", "idValue has 0 characters"),
        (f"TICKER,{'a' * 101}", "idValue has 101 characters"),
        ("ID_ISIN,SE0000115446,STO", "micCode: 'STO' is not four letters or digits."),
        (
            "ID_ISIN,SE0000115446,,1/2/2026",
            "as_of: '1/2/2026' is not a valid day, such as 2025-08-30.",
        ),
        ("ID_ISIN,SE0000115446,,,1", "5 fields; the header has 4."),
    ],
)
def test_an_invalid_line_does_not_affect_the_others(
    tmp_path: Path, line: str, message: str
) -> None:
    isin = Instrument.objects.order_by("isin")[0].pk
    text = f"idType,idValue,micCode,as_of\n{line}\n,{isin}\n"
    invalid, valid = read(run(tmp_path, text))
    assert invalid["outcome"] == "error"
    assert message in invalid["message"]
    assert (valid["line"], valid["isins"]) == ("3", isin)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "It must name each column once, idValue among them"),
        ("idType\n", "It must name each column once, idValue among them"),
        ("idValue,idvalue\n", "It must name each column once"),
        ("idVal\n", "Unknown column 'idVal'. Did you mean 'idValue'?"),
        ("isin\n", "Unknown column 'isin'"),
    ],
)
def test_an_invalid_header_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CommandError, match=r"list\.csv") as caught:
        run(tmp_path, text)
    assert message in str(caught.value)


def test_a_file_without_lines_has_a_header_alone(tmp_path: Path) -> None:
    assert run(tmp_path, "idValue\n") == ",".join(OUTPUT_COLUMNS) + "\r\n"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    isin = Instrument.objects.order_by("isin")[0].pk
    text = f"idValue\n{isin}\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    out = io.StringIO(newline="")
    call_command("lookup", "-", stdout=out)
    assert [row["isins"] for row in read(out.getvalue())] == [isin]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.csv"):
        call_command("lookup", str(tmp_path / "none.csv"))


@pytest.mark.slow
def test_the_memory_does_not_grow_with_the_length_of_a_file() -> None:
    def get_peak(number: int) -> int:
        """Return the greatest number of bytes while so many lines are answered."""
        texts = itertools.chain(["idValue\n"], (f"XS{line:010}\n" for line in range(number)))
        gc.collect()
        tracemalloc.start()
        count = sum(1 for line, answer in answer_lines(read_lines(texts)) if "data" not in answer)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == number
        return peak

    get_peak(1)  # imports, and what is kept for all requests
    # Two chunks are in memory at a time: the one that is answered, and the one before.
    assert get_peak(5 * MAX_ITEMS) < 1.5 * get_peak(2 * MAX_ITEMS)
