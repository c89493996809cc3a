"""The T-SQL of loading does what SQLite's SQL does.

No server runs it here. sqlglot, which knows T-SQL, puts it back into SQLite's words, and these are
executed instead of the ones that they came from: a rule of instruments/staging/dialect.py that changes
what a statement means changes what is loaded.
"""

import contextlib
import functools
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import sqlglot
from django.core.management import call_command
from django.db.backends import utils

from instruments import pipeline
from instruments.models import (
    CfiCode,
    Instrument,
    ListedVenue,
    Listing,
    ListingVersion,
    Reconciliation,
    SubclassTransparency,
    TransparencyResult,
    Underlying,
    VolumeCap,
    VolumeCapVenue,
    WithdrawnRecord,
)
from instruments.staging.dialect import translate_to_t_sql
from tests import dvcres, firds, fitrs
from tests.conftest import DATA, FIRDS
from tests.instruments.listings.merging import (
    DSB,
    VOLVO,
    Write,
    cancelled,
    counts,
    day,
    delta,
    full,
    load,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
TABLES = (
    *(
        Listing,
        ListingVersion,
        WithdrawnRecord,
        Instrument,
        Underlying,
        ListedVenue,
        CfiCode,
        Reconciliation,
    ),
    *(TransparencyResult, SubclassTransparency, VolumeCap, VolumeCapVenue),
)
_OF_LOADING = re.compile(r"\b(temp|stage)\.\w|\bTEMP TABLE\b")
# STRING_SPLIT has no counterpart; the index of names is SQLite's own.
_LEFT_AS_IT_IS = re.compile(r"json_each|instruments_(name|entity)_index|\bindexed_codes\b")


@functools.cache
def there_and_back(sql: str) -> str:
    """A statement of loading in T-SQL, and as sqlglot understands that, for SQLite."""
    server = translate_to_t_sql(sql, stage="stage_1").replace("%s", "?")
    [found] = sqlglot.transpile(server, read="tsql", write="sqlite")
    found = re.sub(r" COLLATE \w+|(?<= TEXT)\((?:\d+|MAX)\)", "", found)
    found = re.sub(r"\bstage_1_(\w+)", r"stage.\1", found)
    found = re.sub(r"\bCREATE INDEX (\w+)", r"CREATE INDEX temp.\1", found)
    return found.replace("?", "%s")


@contextlib.contextmanager
def through_t_sql() -> Iterator[set[str]]:
    """Execute what T-SQL says, wherever loading executes something; what was executed."""
    executed = utils.CursorWrapper.execute
    statements: set[str] = set()

    def execute(self: Any, sql: str, params: Any = None) -> Any:
        if _OF_LOADING.search(sql) and not _LEFT_AS_IT_IS.search(sql):
            sql = there_and_back(sql)
            statements.add(sql)
        return executed(self, sql, params)

    with mock.patch.object(utils.CursorWrapper, "execute", execute):
        yield statements


def all_tables() -> dict[str, list[dict[str, Any]]]:
    timed = ("completed_at", "change_id")
    found = {}
    for model in TABLES:
        rows = model._default_manager.order_by("pk").values()
        found[model.__name__] = [
            {name: value for name, value in row.items() if name not in timed} for row in rows
        ]
    return found


def everything(make_zip: Write) -> list[dict[str, int]]:
    """Real files of every family, and made ones for what these lack; the outcomes of the records."""
    call_command("flush", interactive=False, verbosity=0)
    real = [*sorted(FIRDS.glob("FULINS_*.zip")), FIRDS / "DLTINS_20210117_01of01.zip"]
    found = []
    for loaded in pipeline.load(
        pipeline.register_files([*real, *sorted((DATA / "fitrs").glob("*.zip"))])
    ):
        assert loaded.error is None
        assert loaded.run is not None
        found.append(counts(loaded.run))
    first = firds.record("RefData", VOLVO, "XSTO", name="Old", period=day(1))
    days = [
        (full(2), first, firds.record("RefData", VOLVO, "XCSE", period=day(1))),
        (delta(5), firds.record("ModfdRcrd", VOLVO, "XSTO", name="New", period=day(5))),
        (delta(7), firds.record("TermntdRcrd", VOLVO, "XCSE", period=day(1), until=day(6))),
        (delta(4), firds.record("ModfdRcrd", VOLVO, "XSTO", name="Late", period=day(4))),
        (cancelled(9), firds.cancellation(VOLVO, "XSTO", "CxlData")),
        (full(16), firds.record("RefData", DSB, "XSTO", period=day(10))),
        (delta(18), firds.record("NewRcrd", VOLVO, "XSTO", name="Again", period=day(18))),
        (full(23), firds.record("RefData", VOLVO, "XSTO", name="Again", period=day(18))),
    ]
    found += [counts(load(make_zip, name, *records)) for name, *records in days]
    for name, *records in (
        (delta(5), firds.record("NewRcrd", DSB, "XCSE", period=day(5))),
        (full(16), firds.record("RefData", DSB, "XPAR", period=day(10))),
    ):
        xml = firds.message(name, *records, created="2025-03-30T03:00:00Z")
        path = make_zip(name, xml, folder=f"again_{name}")
        [loaded] = pipeline.load(pipeline.register_files([path]))
        assert loaded.run is not None
        assert "replaces an older revision" in loaded.run.report[0]
        found.append(counts(loaded.run))
    limit = fitrs.threshold("PreTradLrgInScaleThrshld", "5000000")
    for name, record in (
        ("FULNCR_20250830_NYAR_1of1", fitrs.of_class("EQDV", "EQD06", more=limit)),
        ("FULNCR_20250906_NYAR_1of1", fitrs.of_class("EQDV", "EQD06")),
    ):
        found.append(counts(fitrs.load(make_zip(name, fitrs.message(name, record)))))
    again = fitrs.message(
        name, fitrs.of_class("EQDV", "EQD07", more=limit), created="2025-09-30T03:00:00Z"
    )
    found.append(counts(fitrs.load(make_zip(name, again, folder="again"))))
    for month, venues in ((9, ["XSTO", "BATE"]), (10, ["XSTO"])):
        name = f"DVCRES_2025{month:02}10"
        results = dvcres.result(VOLVO, *(dvcres.venue(mic, "1.5") for mic in venues))
        found.append(counts(fitrs.load(make_zip(name, dvcres.message(name, results)))))
    return found


@pytest.mark.slow
def test_files_come_to_the_same_through_t_sql(make_zip: Write, sql_server: list[str]) -> None:
    plain, tables = everything(make_zip), all_tables()

    with through_t_sql() as statements:
        through = everything(make_zip)

    assert len(statements) > 40
    assert any(sql.startswith("CREATE TEMPORARY TABLE timeline") for sql in statements)
    assert through == plain
    assert all_tables() == tables
    assert [name for name, rows in tables.items() if not rows] == []
    sql_server.clear()  # what was executed is SQLite's
