"""Databases that are filled once and restored for each test that needs them (SQLite).

Restoring copies the pages of the snapshot over the test database, and its stored files into the test's
folder. That takes a twentieth of the time of loading the same files again. On SQL Server the test
database is filled anew for each test.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from marketdata.common.unchanged import forget


class Snapshots:
    """The snapshots of one test process, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def provide(self, name: str, fill: Callable[[], None]) -> None:
        """Put the test database into the state that `fill` leaves behind.

        `fill` runs the first time, on the state that the caller has prepared. Call this outside a
        transaction: the test needs pytest-django's `transactional_db`.
        """
        if connection.vendor != "sqlite":
            fill()
            return
        database, files = self._folder / f"{name}.sqlite3", self._folder / name
        if database.exists():
            with closing(sqlite3.connect(database)) as snapshot:
                connection.ensure_connection()
                snapshot.backup(connection.connection)
            forget()
            shutil.copytree(files, settings.MEDIA_ROOT, dirs_exist_ok=True)
            return
        fill()
        Path(settings.MEDIA_ROOT).mkdir(parents=True, exist_ok=True)
        shutil.copytree(settings.MEDIA_ROOT, files)
        with closing(sqlite3.connect(database)) as snapshot:
            connection.connection.backup(snapshot)


@contextmanager
def restored_after_tests(migrated: Path) -> Iterator[None]:
    """Restore the test database from a copy after each test that commits.

    Django would delete the rows of all tables and create permissions and roles again, which takes a
    quarter of a second of processor time for each of these tests.
    """

    def restore(case: TransactionTestCase) -> None:
        with closing(sqlite3.connect(migrated)) as copy:
            connection.ensure_connection()
            copy.backup(connection.connection)
        forget()

    delete_rows = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
    TransactionTestCase._fixture_teardown = restore  # type: ignore[attr-defined]
    yield
    TransactionTestCase._fixture_teardown = delete_rows  # type: ignore[attr-defined]
