"""GLEIF's files come to the same tables through the T-SQL of their merges."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from instruments.models import (
    Correction,
    EntityBic,
    EntityName,
    EntityRelationship,
    EntitySuccessor,
    LegalEntity,
    MappedIssuer,
    MappedLei,
    ReportingException,
)
from tests import bic_lei, golden_copy, isin_lei
from tests.golden_copy import message, name, record
from tests.instruments.entities.test_level_2 import (
    ULTIMATE,
    A,
    B,
    C,
    exceptions,
    relationship,
    relationships,
)
from tests.instruments.staging.test_t_sql_merges import through_t_sql

ISIN, OTHER = "SE0000108656", "US4592001014"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def load_everything(folder: Path) -> tuple[list[Any], list[list[Any]]]:
    """Load files of all subjects into empty tables; return counts by outcome, and all rows."""
    call_command("flush", interactive=False, verbosity=0)
    Correction.objects.create(
        subject="entity",
        lei=A,
        field="legal_name",
        expected="Changed",
        value="Right",
        state="approved",
    )
    successor = (
        f"<lei:SuccessorEntity><lei:SuccessorLEI>{B}</lei:SuccessorLEI></lei:SuccessorEntity>"
    )
    changed = record(A, "Changed", updated="2024-01-01T00:00:00Z", entity=successor)
    period = ("2010-01-01", "2019-06-30")
    later = relationships(relationship(C, A, ULTIMATE, period=period))
    files = (
        (golden_copy.FULL, golden_copy.EXCERPT.read_bytes()),
        (name("20230607", "last-day"), message(changed, content="DELTA")),
        (name("20230606", "last-day"), message(record(A, "Late"), content="DELTA")),
        (name(subject="rr"), relationships(relationship(B, A), relationship(C, A, ULTIMATE))),
        (name("20230607", subject="rr"), later),
        (name(subject="repex"), exceptions((A, "NON_PUBLIC"), (B, "NON_PUBLIC"))),
        (name("20230607", subject="repex"), exceptions((A, "NO_LEI"))),
    )
    mapped = ({ISIN: A, OTHER: A}, {ISIN: B})
    runs = golden_copy.load(
        *(golden_copy.put(folder, stem, xml) for stem, xml in files),
        *(
            isin_lei.put(folder, isin_lei.table(pairs.items()), day=f"2026081{day}")
            for day, pairs in enumerate(mapped)
        ),
        bic_lei.put(folder, [(A, "AAAASES1"), (B, "BBBBSES1XXX")], "20260728"),
        bic_lei.put(folder, [(A, "AAAASES1"), (A, "BBBBSES1XXX")]),
    )
    counts = [(run.new, run.changed, run.ended, run.late, run.unchanged) for run in runs]
    models: tuple[Any, ...] = (
        LegalEntity,
        EntityName,
        EntitySuccessor,
        EntityRelationship,
        ReportingException,
        MappedLei,
        MappedIssuer,
        EntityBic,
    )
    rows = [list(model._default_manager.order_by("pk").values()) for model in models]
    rows.append(list(Correction.objects.values_list("state", "replaced")))
    return counts, rows


@pytest.mark.slow
def test_the_merges_of_entities_come_to_the_same_through_t_sql(
    tmp_path: Path, sql_server: list[str]
) -> None:
    plain_counts, plain_rows = load_everything(tmp_path)

    with through_t_sql() as statements:
        counts, rows = load_everything(tmp_path)

    assert len(statements) > 20
    assert counts == plain_counts
    assert counts[1:5] == [(0, 1, 0, 0, 0), (0, 0, 0, 1, 0), (2, 0, 0, 0, 0), (0, 1, 1, 0, 0)]
    assert counts[-2:] == [(2, 0, 0, 0, 0), (1, 0, 1, 0, 1)]
    assert counts[-5:-2] == [(0, 1, 1, 0, 0), (2, 0, 0, 0, 0), (0, 1, 1, 0, 0)]
    assert rows == plain_rows
    assert rows[-1] == [("to_review", None)]  # the excerpt has another name than it expects
    assert all(rows)
    sql_server.clear()  # what was executed is SQLite's
