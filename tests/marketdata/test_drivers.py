"""The drivers of SQL Server on a wire: what they send, and what they say when something fails."""

import datetime as dt
import decimal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import stamina
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from databases.moving import writing
from marketdata.azure_sql import faults
from marketdata.azure_sql.base import DatabaseWrapper
from marketdata.settings import databases
from marketdata.web import time_limits
from tests import tsql
from tests.tds import server
from tests.tds.database import CUT, SLOW, Fault
from tests.tds.tokens import SqlError

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]  # a server of its own
# learn.microsoft.com, "Database engine errors": what the server says, with something put in.
MESSAGES = {
    1204: "The instance of the SQL Server Database Engine cannot obtain a LOCK resource at this time.",
    1205: "Transaction (Process ID 52) was deadlocked on lock resources with another process.",
    1222: "Lock request time out period exceeded.",
    3960: "Snapshot isolation transaction aborted due to update conflict.",
    4060: 'Cannot open database "marketdata" requested by the login. The login failed.',
    4221: "Login to read-secondary failed due to long wait on 'HADR_DATABASE_WAIT'.",
    10928: "Resource ID: 1. The request limit for the database is 60 and has been reached.",
    10929: "Resource ID: 1. The current usage is 60. However, the server is currently too busy to support"
    " requests greater than 60 for this database.",
    40197: "The service has encountered an error processing your request. Error code 4815.",
    40501: "The service is currently busy. Retry the request after 10 seconds.",
    40613: "Database 'x' on server 'y' is not currently available. Please retry later.",
    42108: "Can not connect to the SQL pool since it is paused. Please resume the SQL pool.",
    42109: "The SQL pool is warming up. Please try again.",
    49918: "Cannot process request. Not enough resources to process request.",
    49919: "Cannot process create or update request. Too many create or update operations in progress.",
    49920: "Cannot process request. Too many operations in progress for subscription.",
}
DECLARED = (
    "CREATE TABLE every_type (i bigint, t nvarchar(100) COLLATE Latin1_General_100_BIN2, m nvarchar(max),"
    " d decimal(35,17), a date, z datetimeoffset, b bit, f double precision, v varbinary(max), n int)"
)
ROWS: list[tuple[Any, ...]] = [
    (
        *(1, "C" * 50, "x", decimal.Decimal("-123456789012345678.12345678901234567")),
        *(dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, 4, 5, 678901, dt.UTC), True),
        *(1.5, b"\x00\xff", None),
    ),
    (
        *(2**60, "\u010c \u03a9 \U0001d4b3", "\u017d" * 3000, decimal.Decimal("1E-17")),
        *(None, None, False, None, b"", None),
    ),
    (
        *(None, None, None, None, dt.date(1, 1, 1)),
        *(dt.datetime(2024, 1, 2, 3, 4, 5, 0, dt.UTC), None, -0.1, None, 5),
    ),
]


@pytest.fixture(autouse=True)
def without_pauses() -> Iterator[None]:
    """Retry at once."""
    with stamina.set_testing(True, attempts=6, cap=True):
        yield


@pytest.fixture(scope="module")
def tds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    with server.running(tmp_path_factory.mktemp("tds")) as running:
        yield running


@pytest.fixture
def wire(tds: server.Server) -> Iterator[DatabaseWrapper]:
    """A connection of the project's engine, that is not open yet."""
    database = tds.database
    server_settings = databases.Server(
        host="127.0.0.1",
        port=tds.port,
        database=database.name,
        login={"USER": database.user, "PASSWORD": database.password},
        trust=True,
        retry_seconds=5,
    )
    connection = ConnectionHandler(
        {"default": {}, tsql.ALIAS: databases.azure_sql(server_settings)}
    )[tsql.ALIAS]
    assert isinstance(connection, DatabaseWrapper)
    yield connection
    database.faults.clear()
    database.login_faults.clear()
    connection.close()


def query(wire: DatabaseWrapper, sql: str, parameters: Any = None) -> list[Any]:
    with wire.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [tuple(row) for row in cursor.fetchall()]


def test_many_rows_arrive_letter_by_letter(wire: DatabaseWrapper) -> None:
    """Also where the longest text of a column is in ASCII, by which the driver alone would go."""
    with wire.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS every_type")
        cursor.execute(DECLARED)
        cursor.executemany(f"INSERT INTO every_type VALUES ({', '.join(['%s'] * 10)})", ROWS)

    assert query(wire, "SELECT * FROM every_type") == ROWS


def test_texts_that_are_too_long_for_an_array_arrive_too(wire: DatabaseWrapper) -> None:
    with wire.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS long_text")
        cursor.execute("CREATE TABLE long_text (t nvarchar(10), m nvarchar(max))")
        rows = [("\u010c", "\u017d" * 5000), ("long", "b")]
        cursor.executemany("INSERT INTO long_text VALUES (%s, %s)", rows)

    assert query(wire, "SELECT t, m FROM long_text") == rows


@pytest.mark.parametrize("number", MESSAGES)
def test_a_statement_that_fails_for_what_passes_is_sent_again(
    tds: server.Server, wire: DatabaseWrapper, number: int
) -> None:
    """The driver gives the server's words, and no number."""
    fault = Fault(number, "SELECT 4711", text=MESSAGES[number])
    tds.database.faults = [fault]

    assert query(wire, "SELECT 4711") == [(4711,)]
    assert fault.times == 0


@pytest.mark.slow
def test_a_slow_statement_ends_with_the_time_limit_of_the_request(
    tds: server.Server, wire: DatabaseWrapper
) -> None:
    tds.database.faults = [Fault(SLOW, "SELECT 4713", times=9, seconds=3)]

    with time_limits.limit(1), pytest.raises(time_limits.TimeLimitExceeded):
        query(wire, "SELECT 4713")
    assert tds.database.faults[0].times == 8  # it was not sent again
    assert query(wire, "SELECT 4713") == [(4713,)]


@pytest.mark.parametrize("number", MESSAGES)
def test_a_login_that_is_refused_for_what_passes_is_tried_again(
    tds: server.Server, wire: DatabaseWrapper, number: int
) -> None:
    tds.database.login_faults = [SqlError(number, MESSAGES[number], 14)]

    assert query(wire, "SELECT 1") == [(1,)]
    assert not tds.database.login_faults


def test_a_connection_that_is_cut_is_opened_again_for_reading(
    tds: server.Server, wire: DatabaseWrapper
) -> None:
    assert query(wire, "SELECT 1") == [(1,)]
    tds.database.faults = [Fault(CUT, "SELECT 4712")]

    assert query(wire, "SELECT 4712") == [(4712,)]


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("type_", ["nvarchar(200)", "nvarchar(max)"])
def test_an_answer_that_breaks_off_is_something_that_passes(
    tds: server.Server, wire: DatabaseWrapper, type_: str, many: bool
) -> None:
    """The driver raises a RuntimeError for some of them."""
    with wire.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS broken")
        cursor.execute(f"CREATE TABLE broken (t {type_})")
        cursor.executemany("INSERT INTO broken VALUES (%s)", [("x" * 150,)] * 500)
    tds.database.faults = [Fault(CUT, "SELECT t FROM broken", halfway=True)]

    with wire.cursor() as cursor:
        cursor.execute("SELECT t FROM broken")
        time.sleep(0.5)  # a driver that waits for rows keeps Python's lock, and the server out
        with pytest.raises(faults.TransientFault):
            list(iter(lambda: cursor.fetchmany(1000) if many else cursor.fetchone(), None))


def test_what_may_have_been_written_is_not_written_again(
    tds: server.Server, wire: DatabaseWrapper
) -> None:
    with wire.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS once")
        cursor.execute("CREATE TABLE once (a int)")
    tds.database.faults = [Fault(CUT, "INSERT INTO once", afterwards=True)]

    with pytest.raises(faults.TransientFault), wire.cursor() as cursor:
        cursor.execute("INSERT INTO once VALUES (1)")

    wire.close()
    assert query(wire, "SELECT COUNT(*) FROM once") == [(1,)]


@pytest.mark.parametrize(
    "value",
    [
        *(
            "\U0001d4b3\U0001d4b3",
            "\u017d" * 5000,
            "x",
            b"\x00\xff",
            2**40,
            decimal.Decimal("-0.25"),
        ),
        *(dt.datetime(2024, 1, 2, 3, 4, 5, 678901, dt.timezone(dt.timedelta(hours=2))), 1.5),
    ],
)
def test_what_a_statement_that_groups_is_given_arrives_whole(
    wire: DatabaseWrapper, value: Any
) -> None:
    """mssql-django makes variables of its parameters, which the server cuts and rounds."""
    sql = "SELECT said.x FROM (SELECT %s AS x) AS said GROUP BY said.x"

    assert query(wire, sql, [value]) == [(value,)]


def test_no_key_is_given_twice_after_rows_were_moved(wire: DatabaseWrapper) -> None:
    """Also by a table that never had a row, for which RESEED means something else."""
    wire.ensure_connection()
    with tsql.known(wire):
        with wire.cursor() as cursor:
            columns = "id int IDENTITY (1, 1) NOT NULL PRIMARY KEY, name nvarchar(150) NOT NULL"
            cursor.execute(f"CREATE TABLE auth_group ({columns})")
        groups = Group.objects.using(tsql.ALIAS)
        assert writing.last_given(Group, tsql.ALIAS) is None

        writing.go_on_after(Group, tsql.ALIAS, 7)
        groups.bulk_create([Group(name="first")])
        assert groups.get().pk == 8

        writing.go_on_after(Group, tsql.ALIAS, 20)
        groups.bulk_create([Group(name="second")])
        assert groups.get(name="second").pk == 21
        assert writing.last_given(Group, tsql.ALIAS) == 21


def test_a_value_that_is_cut_is_refused(wire: DatabaseWrapper) -> None:
    with wire.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS short")
        cursor.execute("CREATE TABLE short (a nvarchar(2))")

    with pytest.raises(Exception, match="would be truncated"), wire.cursor() as cursor:
        cursor.execute("INSERT INTO short VALUES (%s)", ["abc"])


def test_a_wrong_certificate_keeps_everything_out(
    tds: server.Server, wire: DatabaseWrapper
) -> None:
    before = tds.database.sessions
    options = wire.settings_dict["OPTIONS"]
    options["extra_params"] = "Encrypt=yes;TrustServerCertificate=no"

    with pytest.raises(OperationalError, match="certificate verify failed"):
        wire.ensure_connection()

    assert tds.database.sessions == before
