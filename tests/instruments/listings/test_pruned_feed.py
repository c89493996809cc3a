"""Pruning leaves nothing behind of what it deletes: no underlyings, and no cursor that knows of it.

And no statement of it has more parameters than SQL Server takes: the fixture `portable` counts them.
"""

import io

import pytest
from django.core.management import call_command
from stdnum.isin import calc_check_digit

from databases import named
from esma_files.models import EsmaFile
from instruments.listings import changes, scoping
from instruments.listings.load import pruning
from instruments.listings.models.scope import MAX_CODES
from instruments.models import Listing, Register, Scope, Underlying
from marketdata.common.errors import InvalidQuery
from tests import firds, tsql
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)

ON_VOLVO = (
    f"<DerivInstrmAttrbts><UndrlygInstrm><Sngl><ISIN>{VOLVO}</ISIN></Sngl></UndrlygInstrm>"
    "</DerivInstrmAttrbts>"
)


def test_underlyings_go_with_their_instrument_and_clients_begin_anew(make_zip: Write) -> None:
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", period=day(1)),
        firds.record("RefData", DSB, "XCSE", period=day(1), extra=ON_VOLVO),
    )
    cursor = str(changes.get_last_cursor())
    assert changes.parse_cursor(cursor) == changes.get_last_cursor()
    assert Underlying.objects.count() == 1

    scoping.change(Register.ESMA, {"venues": ["XSTO"]})
    call_command("scope", "prune", "--yes", stdout=io.StringIO())

    assert Listing.objects.get().isin == VOLVO
    check_counts()
    assert not Underlying.objects.exists()
    with pytest.raises(InvalidQuery, match="another database"):
        changes.parse_cursor(cursor)


@pytest.mark.slow
def test_a_long_scope_and_many_files_fit_into_statements(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    known, file = Listing.objects.get(), EsmaFile.objects.get()
    bodies = [f"SE{number:09}" for number in range(MAX_CODES["isins"])]
    isins = [body + calc_check_digit(body) for body in bodies]
    given = {"source_file": file, "source_position": 2, "fingerprint": 1, "change": known.change}
    fields = {"status": "active", "valid_from": day(1), "cfi_code": "ESVUFR", **given}
    Listing.objects.bulk_create(Listing(isin=isin, mic="XSTO", **fields) for isin in isins)
    loaded = {"published_on": day(1), "part": 1, "parts": 1, "sequence": 1, "size": 1}
    EsmaFile.objects.bulk_create(
        EsmaFile(name=f"{n}.zip", kind="DLTINS", loaded_at=file.loaded_at, **loaded)
        for n in range(2_100)
    )
    scoping.change(Register.ESMA, {"isins": isins})

    done = list(scoping.prune(Register.ESMA))

    assert sum(page.examined for page in done) == MAX_CODES["isins"] + 1
    assert [page.listings for page in done if page.listings] == [1]
    assert Listing.objects.count() == MAX_CODES["isins"]
    assert set(EsmaFile.objects.values_list("scope_number", flat=True)) == {
        None,
        Scope.objects.current(Register.ESMA).number,
    }


def test_pruning_uses_the_sql_of_the_server(db: None) -> None:
    with tsql.connected() as (_, server), named.as_default(tsql.ALIAS):
        pruning._delete(Register.ESMA, [(1, VOLVO, "XSTO")], [])

    statements = [sql for sql, _ in server.statements]
    assert any("INTO #changed_instrument " in sql for sql in statements)
    assert [problem for sql in statements for problem in tsql.problems(sql)] == []
