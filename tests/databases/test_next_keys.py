"""The key that SQL Server gives after a transfer: higher than any that was ever given in the source."""

import pytest

from databases.moving import writing
from esma_files.models import Run
from tests import tsql


class Holding(tsql.Server):
    """Has a table whose highest key is this."""

    def __init__(self, highest: int | None) -> None:
        super().__init__()
        self._highest = highest

    def fetchone(self) -> tuple[int | None]:  # type: ignore[override]
        return (self._highest,)


@pytest.mark.parametrize(
    ("highest", "last", "seed"),
    [
        (7, 7, 7),
        (7, 12, 12),
        (12, 7, 12),
        (None, 12, 13),  # a table without rows gives the number itself
        (None, 0, 1),
    ],
)
def test_the_next_key_is_a_new_one(db: None, highest: int | None, last: int, seed: int) -> None:
    server = Holding(highest)
    with tsql.connected() as (connection, _):
        connection.connection = server
        writing.go_on_after(Run, tsql.ALIAS, last)

    assert server.statements[-1][0] == (
        f"DBCC CHECKIDENT ('[esma_files_run]', RESEED, {seed}) WITH NO_INFOMSGS"
    )
