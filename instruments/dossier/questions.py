"""The dossier of an instrument: all that is known of one ISIN, each part with its sources and their age.

It is small enough for a ticket: long lists are cut, with the number of what is left out, until the JSON of
the dossier has at most MAX_BYTES.
"""

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from instruments.classification import cfi
from instruments.corrected_records import correct
from instruments.entities.parents import read_parents
from instruments.entities.questions import read_successors_of_ended
from instruments.figis.questions import NEVER_ASKED, InstrumentFigis, get_figis
from instruments.listings import corrections, descriptions, underlyings
from instruments.listings.lookup import get_instrument
from instruments.listings.overview import read_newest_days
from instruments.listings.reportability import get_reportability
from instruments.listings.status import today
from instruments.models import (
    EntityRequest,
    FigiRequest,
    Instrument,
    LegalEntity,
    Register,
)
from instruments.transparency.applicable import RESPECTS, Applicable
from instruments.transparency.questions import get_transparency
from instruments.volume_cap.questions import InstrumentVolumeCap, get_volume_cap
from marketdata.common.plain import to_plain

MAX_BYTES = 24_000
# Greatest numbers of rows in a list, tried in this order until the dossier is small enough.
_ROWS = (20, 12, 8, 5, 3, 1, 0)
_FIRDS = {Register.ESMA: "esma_firds", Register.FCA: "fca_firds"}
_FITRS = {Register.ESMA: "esma_fitrs", Register.FCA: "fca_fitrs"}
_IDENTITY = (
    *("full_name", "short_name", "cfi_code", "category", "notional_currency"),
    *("status", "effective_status", "reference_listing", "most_relevant_market", "rule"),
)
_LISTING = (
    *("mic", "venue_name", "register", "status", "effective_status"),
    *("first_trade_at", "terminated_at", "issuer_requested", "source_file", "published_on"),
)
_ENTITY = (
    *("legal_name", "jurisdiction", "legal_form", "headquarters_country", "headquarters_city"),
    *("category", "entity_status", "registration_status", "last_updated_at"),
)
_FIGI = ("figi", "composite_figi", "share_class_figi", "ticker", "exchange_code", "security_type")


@dataclasses.dataclass(frozen=True)
class Source:
    """A file or service that a part was read from, and the day on which it was published or answered."""

    name: str
    published_on: dt.date

    def describe(self, day: dt.date) -> dict[str, Any]:
        return {
            "name": self.name,
            "published_on": self.published_on.isoformat(),
            "age_days": (day - self.published_on).days,
        }


@dataclasses.dataclass
class Dossier:
    """The parts of a dossier with lists of full length, and the sources of each part.

    `nothing_from` has the sources that were asked and have nothing, each with the reason in a sentence.
    """

    isin: str
    day: dt.date
    parts: dict[str, Any]
    sources: dict[str, list[Source]]
    nothing_from: list[dict[str, str]]

    def describe(self) -> dict[str, Any]:
        """Return the dossier as plain values, with lists cut so that its JSON has at most MAX_BYTES."""
        for rows in _ROWS:
            answer = self._describe(rows)
            if len(json.dumps(answer, ensure_ascii=False).encode()) <= MAX_BYTES:
                break
        return answer

    def _describe(self, rows: int) -> dict[str, Any]:
        return {
            "isin": self.isin,
            "on": self.day.isoformat(),
            **{name: self._describe_part(name, part, rows) for name, part in self.parts.items()},
            "nothing_from": self.nothing_from,
        }

    def _describe_part(self, name: str, part: dict[str, Any], rows: int) -> dict[str, Any]:
        values = {key: _cut(value, rows) for key, value in part.items()}
        sources = dict.fromkeys(self.sources.get(name, []))
        newest_first = sorted(sources, key=lambda source: source.published_on, reverse=True)
        return {
            **values,
            "sources": [source.describe(self.day) for source in newest_first[: max(rows, 1)]],
        }


def _cut(value: Any, rows: int) -> Any:
    """Return a list as its first rows and the number of those that are left out; other values unchanged."""
    if not isinstance(value, list):
        return value
    return {"total": len(value), "left_out": max(0, len(value) - rows), "rows": value[:rows]}


def get_dossier(text: str, *, on: dt.date | None = None) -> Dossier:
    """Return the dossier of an instrument for a day (default: today), with at most 26 queries.

    Reportability, transparency, volume cap and effective statuses are those on the day; the rest is from the
    newest records. `text` is an ISIN, or a FIGI or ticker that only one instrument has. Raises InvalidQuery,
    NotInDatabase.
    """
    day = on or today()
    instrument, applied = corrections.get_served(get_instrument(text))
    dossier = Dossier(instrument.isin, day, {}, {}, [])
    loaded = read_newest_days()
    described = descriptions.describe_instrument(instrument, as_of=day, applied=applied)
    _add_reference_data(dossier, instrument, described, loaded)
    _add_reportability(dossier, described)
    _add_transparency(dossier, loaded)
    _add_volume_cap(dossier, get_volume_cap(instrument.isin, on=day), loaded)
    _add_figis(dossier, get_figis(instrument.isin))
    return dossier


def _note_nothing(dossier: Dossier, source: str, loaded: dict[str, dt.date], content: str) -> None:
    newest = loaded.get(source)
    reason = (
        f"The files until {newest} have no {content}."
        if newest
        else "No file of this dataset is loaded."
    )
    dossier.nothing_from.append({"source": source, "reason": reason})


def _read_sources(rows: Iterable[dict[str, Any]]) -> list[Source]:
    return [Source(row["source_file"], dt.date.fromisoformat(row["published_on"])) for row in rows]


def _add_reference_data(
    dossier: Dossier,
    instrument: Instrument,
    described: dict[str, Any],
    loaded: dict[str, dt.date],
) -> None:
    reference = _read_sources([described])
    dossier.parts["identity"] = {name: described[name] for name in _IDENTITY}
    dossier.parts["corrections"] = {"corrections": described["corrections"]}
    dossier.parts["classification"] = _get_classification(described)
    dossier.parts["terms"] = _get_terms(instrument, described["terms"])
    for name in ("identity", "classification", "terms"):
        dossier.sources[name] = reference
    _add_listings(dossier, described["listings"], loaded)
    _add_issuer(dossier, described, reference, loaded)


def _get_classification(described: dict[str, Any]) -> dict[str, Any]:
    """Return the code and what it means, without the attributes that are not applicable or undefined (X)."""
    decoded = described["classification"] or {"category": None, "group": None, "attributes": []}
    return {
        "code": described["cfi_code"] or None,
        "category": decoded["category"] and decoded["category"]["name"],
        "group": decoded["group"] and decoded["group"]["name"],
        "attributes": [
            {"name": attribute["name"], "meaning": cfi.short(attribute["meaning"] or "unknown")}
            for attribute in decoded["attributes"]
            if attribute["letter"] != "X"
        ],
    }


def _get_terms(instrument: Instrument, terms: dict[str, Any]) -> dict[str, Any]:
    named = underlyings.read_underlyings(instrument.listings)
    return {
        "terms": {
            name: value
            for name, value in terms.items()
            if value not in (None, {}, []) and name not in ("category", "as_of", "underlying")
        },
        "underlyings": [
            {name: value for name, value in row.items() if name != "venues"}
            for row in map(descriptions.describe_underlying, named)
        ],
    }


def _add_listings(
    dossier: Dossier, described: list[dict[str, Any]], loaded: dict[str, dt.date]
) -> None:
    """Add the listings, active ones first; note the registers that have none."""
    listings = sorted(described, key=lambda row: (row["effective_status"] != "active", row["mic"]))
    dossier.parts["listings"] = {
        "listings": [{name: row[name] for name in _LISTING} for row in listings]
    }
    dossier.sources["listings"] = _read_sources(listings)
    registers = {row["register"] for row in listings}
    for register, dataset in _FIRDS.items():
        if register not in registers:
            _note_nothing(dossier, dataset, loaded, "listing of it")


def _add_issuer(
    dossier: Dossier,
    described: dict[str, Any],
    reference: list[Source],
    loaded: dict[str, dt.date],
) -> None:
    """Add the published LEI, and the record of its legal entity."""
    issuer, by_gleif = described["issuer"], described["issuer_by_gleif"]
    lei = issuer["published_lei"] if issuer else ""
    entity = LegalEntity.objects.filter(lei=lei).select_related("source_file").first()
    sources = reference
    if entity is not None:
        correct([entity])
        sources = [*reference, Source(entity.source_name, entity.published_on)]
    elif lei:
        _note_nothing(dossier, "gleif_lei2", loaded, f"record of the LEI {lei}")
        _note_nothing_from_gleif_api(dossier, lei)
    group, group_records = read_parents(lei, dossier.day)
    if lei and not group:
        for dataset, content in (("gleif_rr", "parent"), ("gleif_repex", "reporting exception")):
            _note_nothing(dossier, dataset, loaded, f"{content} of the LEI {lei}")
    dossier.parts["issuer"] = {
        "issuer": issuer and {**issuer, "operated_venues": issuer["operated_venues"][:20]},
        "by_gleif": by_gleif,
        "entity": entity and {name: to_plain(getattr(entity, name)) for name in _ENTITY},
        "successors": [
            {"lei": successor.lei, "legal_name": successor.name}
            for successor in read_successors_of_ended(entity)
        ],
        "group": group,
    }
    if by_gleif is None:
        _note_nothing(dossier, "gleif_isin_lei", loaded, "LEI of this ISIN")
    dossier.sources["issuer"] = [
        *sources,
        *_read_sources([by_gleif] if by_gleif else []),
        *(Source(record.source_name, record.published_on) for record in group_records),
    ]


def _note_nothing_from_gleif_api(dossier: Dossier, lei: str) -> None:
    """Note the state of the question for the record of an LEI that no file and no answer has."""
    subject = EntityRequest.Subject.RECORD
    request = EntityRequest.objects.filter(lei=lei, subject=subject).first()
    asked_on = request.asked_at.date() if request and request.asked_at else None
    if request is None:
        reason = f"It was never asked for the LEI {lei}."
    elif request.state == EntityRequest.State.UNKNOWN:
        reason = f"It did not know the LEI {lei} on {asked_on}."
    elif request.problem:
        reason = f"Its last answer for the LEI {lei} could not be used: {request.problem}."
    else:
        reason = f"It is to be asked for the LEI {lei}."
    dossier.nothing_from.append({"source": "gleif_api", "reason": reason})


def _add_reportability(dossier: Dossier, described: dict[str, Any]) -> None:
    answer = descriptions.describe_reportability(get_reportability(dossier.isin, on=dossier.day))
    dossier.parts["reportability"] = {
        **{name: answer[name] for name in ("on", "reportable", "reason", "rule")},
        "venues": [
            {name: row[name] for name in ("mic", "register", "reason")} for row in answer["venues"]
        ],
    }
    dossier.sources["reportability"] = _read_sources([*answer["venues"], *answer["other_venues"]])


def _add_transparency(dossier: Dossier, loaded: dict[str, dt.date]) -> None:
    esma = get_transparency(dossier.isin, on=dossier.day)
    answers = [esma]
    if Register.FCA in esma.other_registers:
        answers.append(get_transparency(dossier.isin, on=dossier.day, register=Register.FCA))
    rows: list[dict[str, Any]] = []
    sources: list[Source] = []
    for answer in answers:
        if not answer.results:
            continue
        for respect, applicable in answer.applies.items():
            rows.append(_describe_respect(answer.register, respect, applicable))
            files = [dated.result.source_file for dated in applicable.in_force]
            sources += [Source(file.name, file.published_on) for file in files]
    dossier.parts["transparency"] = {"in_force": rows}
    dossier.sources["transparency"] = sources
    for register, dataset in _FITRS.items():
        if not any(answer.register == register and answer.results for answer in answers):
            _note_nothing(dossier, dataset, loaded, "transparency result for it")


def _describe_respect(register: Register, respect: str, applicable: Applicable) -> dict[str, Any]:
    """Return the results that apply in one respect, with their published figures."""

    def describe(dated: Any) -> dict[str, Any]:
        result, period = dated.result, dated.period
        columns = ("classification", "methodology", "sub_class", *RESPECTS[respect])
        figures = {name: to_plain(getattr(result, name)) for name in columns}
        return {
            **{name: value for name, value in figures.items() if value is not None},
            "applies_from": to_plain(period.first),
            "applies_to": to_plain(period.last),
            "source_file": result.source_file.name,
        }

    return {
        "register": str(register),
        "respect": respect,
        "reason": applicable.why,
        "results": list(map(describe, applicable.in_force[:3])),
    }


def _add_volume_cap(
    dossier: Dossier, answer: InstrumentVolumeCap, loaded: dict[str, dt.date]
) -> None:
    newest = answer.results[0] if answer.results else None
    suspension = answer.suspension
    dossier.parts["volume_cap"] = {
        "result": newest
        and {
            "reporting_period": [
                to_plain(newest.reported_period_from),
                to_plain(newest.reported_period_to),
            ],
            "percentage": to_plain(newest.percentage),
            "total_volume": to_plain(newest.total_volume),
            "total_volume_currency": newest.total_volume_currency,
        },
        "venues": [
            {"mic": venue.mic, "percentage": to_plain(venue.percentage)}
            for venue in (newest.venues.all() if newest else [])
        ],
        "suspension": suspension
        and {
            "suspended_from": to_plain(suspension.suspended_from),
            "suspended_to": to_plain(suspension.suspended_to),
        },
    }
    sources = []
    if newest:
        sources.append(Source(newest.source_file.name, newest.source_file.published_on))
    else:
        _note_nothing(dossier, "esma_dvcap", loaded, "volume cap result for it")
    if suspension:
        sources.append(Source(suspension.source_name, suspension.published_on))
    dossier.sources["volume_cap"] = sources


def _add_figis(dossier: Dossier, answer: InstrumentFigis) -> None:
    def describe(row: Any) -> dict[str, Any]:
        return {
            "mic": row.mic or None,
            **{name: getattr(row.figi, name) or None for name in _FIGI},
        }

    current = [row for row in answer.sorted_by_use() if row.figi.is_current]
    dossier.parts["figis"] = {"state": answer.state, "figis": list(map(describe, current))}
    asked_on = answer.asked_at.date() if answer.asked_at else None
    if current and asked_on:
        dossier.sources["figis"] = [Source("openfigi", asked_on)]
        return
    reasons = {
        NEVER_ASKED: "It was never asked for this ISIN.",
        FigiRequest.State.PENDING: "It is to be asked for this ISIN.",
        FigiRequest.State.NO_MATCH: f"It had no FIGI on {asked_on}.",
        FigiRequest.State.INVALID: f"It did not accept the ISIN on {asked_on}.",
    }
    reason = reasons.get(answer.state, f"Its last answer could not be used: {answer.problem}.")
    dossier.nothing_from.append({"source": "openfigi", "reason": reason})
