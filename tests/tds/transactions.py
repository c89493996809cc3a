"""Transactions of a session: SQLite's begin with the first statement that writes.

So readers never wait, as with read-committed snapshot, and writers take turns.
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from tests.tds import tokens
from tests.tds.tokens import SqlError


class Transactions:
    def __init__(self, link: sqlite3.Connection) -> None:
        self._link = link
        self.count = 0
        self.implicit = False
        self._number = 0
        self.news: list[bytes] = []  # what the client is to be told

    @property
    def _descriptor(self) -> bytes:
        return tokens.bytes_of(struct.pack("<Q", self._number))

    def begin(self) -> None:
        self.count += 1
        if self.count == 1:
            self._number += 1
            self.news.append(tokens.changed(tokens.BEGUN, self._descriptor))

    def begin_if_implicit(self) -> None:
        if self.implicit and not self.count:
            self.begin()

    def commit(self) -> None:
        if not self.count:
            raise SqlError(3902, "The COMMIT TRANSACTION request has no BEGIN TRANSACTION.")
        self.count -= 1
        if not self.count:
            if self._link.in_transaction:
                self._link.execute("COMMIT")
            self.news.append(tokens.changed(tokens.COMMITTED, b"\0", self._descriptor))

    def rollback(self) -> None:
        if not self.count:
            raise SqlError(3903, "The ROLLBACK TRANSACTION request has no BEGIN TRANSACTION.")
        self.count = 0
        if self._link.in_transaction:
            self._link.execute("ROLLBACK")
        self.news.append(tokens.changed(tokens.ROLLED_BACK, b"\0", self._descriptor))

    def save(self, name: str) -> None:
        if not self.count:
            raise SqlError(
                628, "Cannot issue SAVE TRANSACTION when there is no active transaction."
            )
        self._ready()
        self._link.execute(f"SAVEPOINT `{name}`")

    def rollback_to(self, name: str) -> None:
        try:
            self._link.execute(f"ROLLBACK TO `{name}`")
        except sqlite3.OperationalError as error:
            raise SqlError(6401, f"Cannot roll back {name}: no such savepoint.") from error

    def _ready(self) -> None:
        if not self._link.in_transaction:
            self._link.execute("BEGIN IMMEDIATE")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write as a whole or not at all."""
        self.begin_if_implicit()
        self._ready()
        self._link.execute("SAVEPOINT `ts statement`")
        try:
            yield
        except BaseException:
            self._link.execute("ROLLBACK TO `ts statement`")
            self._link.execute("RELEASE `ts statement`")
            if not self.count:
                self._link.execute("ROLLBACK")
            raise
        self._link.execute("RELEASE `ts statement`")
        if not self.count:
            self._link.execute("COMMIT")
