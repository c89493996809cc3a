"""A dossier as headings, facts and tables: the form that Markdown and the page share."""

import dataclasses
from typing import Any

from esma_files.datasets import Dataset
from instruments.listings.facts import flatten, term_rows
from marketdata.common.labels import capitalize
from marketdata.common.numbers import format_count

TITLES = {
    "identity": "Identity",
    "corrections": "Corrections of published values",
    "classification": "Classification (ISO 10962)",
    "terms": "Terms",
    "listings": "Listings",
    "issuer": "Issuer",
    "reportability": "Reportability (MiFIR, Article 26)",
    "transparency": "Transparency in force",
    "volume_cap": "Volume cap",
    "figis": "FIGIs",
}
_SERVICES = {"gleif_api": "GLEIF API", "openfigi": "OpenFIGI"}


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of texts below the names of columns, and the number of rows that are left out."""

    columns: list[str]
    rows: list[list[str]]
    left_out: int


@dataclasses.dataclass(frozen=True)
class Section:
    """One part of a dossier. `facts` are (label, text)."""

    title: str
    facts: list[tuple[str, str]]
    tables: list[Table]
    sources: list[str]


def lay_out(answer: dict[str, Any]) -> list[Section]:
    """Return the sections of the plain values of a dossier; parts without content are left out."""
    sections = [
        _lay_out_part(title, answer[name]) for name, title in TITLES.items() if name in answer
    ]
    nothing = [(_name_source(row["source"]), row["reason"]) for row in answer["nothing_from"]]
    with_content = [section for section in sections if section.facts or section.tables]
    return [*with_content, Section("Sources that have nothing", nothing, [], [])]


def _lay_out_part(title: str, part: dict[str, Any]) -> Section:
    facts: dict[str, Any] = {}
    terms: list[tuple[str, str]] = []
    tables = []
    for name, value in part.items():
        if name == "sources":
            continue
        if name == "terms":
            terms = term_rows(value)
            continue
        if isinstance(value, dict) and value.keys() == {"total", "left_out", "rows"}:
            if value["rows"]:
                tables.append(_lay_out_table(value))
            elif value["total"]:
                facts[name] = f"{value['total']:,}, left out"
        elif isinstance(value, dict) and name in ("issuer", "entity", "result"):
            facts.update(value)
        elif name == "state":
            facts[name] = value.replace("_", " ")
        else:
            facts[name] = value
    return Section(
        title,
        [*terms, *((capitalize(label), str(text)) for label, text in flatten(facts))],
        tables,
        [_describe_source(source) for source in part["sources"]],
    )


def _name_source(code: str) -> str:
    """Return the name of a dataset or a service."""
    return str(Dataset(code).label) if code in Dataset.values else _SERVICES[code]


def _describe_source(source: dict[str, Any]) -> str:
    """Return a source with its age on the day of the dossier, after which it may have been published."""
    days = source["age_days"]
    distance = format_count(abs(days), "day")
    age = f"{distance} old" if days >= 0 else f"{distance} after the day of the dossier"
    return f"{source['name']}, {source['published_on']} ({age})"


def _lay_out_table(value: dict[str, Any]) -> Table:
    rows = [dict(_flatten_row(row)) for row in value["rows"]]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(
        [capitalize(column) for column in columns],
        [[row.get(column, "") for column in columns] for row in rows],
        value["left_out"],
    )


def _flatten_row(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (label, text) of a row; nested results are one text."""
    pairs = []
    for label, value in flatten({k: v for k, v in row.items() if k != "results"}):
        pairs.append((label, str(value)))
    if results := row.get("results"):
        texts = [", ".join(f"{label} {value}" for label, value in flatten(r)) for r in results]
        pairs.append(("results", "; ".join(texts)))
    return pairs
