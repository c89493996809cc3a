"""The database behind the server: a file of SQLite, who may log in, locks, and faults to be had."""

import dataclasses
import re
import threading
import time
from pathlib import Path
from typing import Any

from tests.tds.tokens import SqlError

CUT = 0  # the number of a fault that is no error: the connection is gone
SLOW = -1  # a fault by which a statement is carried out late


@dataclasses.dataclass
class Fault:
    """The next `times` statements that match are refused, or the connection is cut instead."""

    number: int
    matches: str
    times: int = 1
    text: str = ""
    afterwards: bool = False  # a cut: after the statement has been carried out
    halfway: bool = False  # a cut: when half of the answer has been sent
    seconds: float = 0  # the delay of a slow statement


@dataclasses.dataclass
class Database:
    path: Path
    name: str = "marketdata"
    user: str = "service"
    password: str = "a Passw0rd; with = and }"
    token: str = ""  # of Entra, which is taken instead
    azure: bool = True
    login_faults: list[SqlError] = dataclasses.field(default_factory=list)
    faults: list[Fault] = dataclasses.field(default_factory=list)
    statements: list[str] = dataclasses.field(default_factory=list)  # all, in order
    sessions: int = 0  # that there have been
    made: dict[Any, Any] = dataclasses.field(default_factory=dict)  # of statements, by their words

    def __post_init__(self) -> None:
        self._changing = threading.Condition()
        self._locks: dict[str, Any] = {}
        self._names = {self.name, "master"}

    def has(self, name: str) -> bool:
        return name.lower() in self._names

    def path_of(self, name: str) -> Path:
        """The file of one of the databases that there are."""
        return self.path if name == self.name else self.path.with_name(f"{name}.sqlite3")

    def create(self, name: str) -> None:
        if self.has(name):
            raise SqlError(1801, f"Database '{name}' already exists. Choose another name.")
        self._names.add(name.lower())

    def drop(self, name: str) -> None:
        if not self.has(name):
            raise SqlError(3701, f"Cannot drop the database '{name}': it does not exist.", 11)
        self._names.discard(name.lower())
        for path in self.path.parent.glob(f"{self.path_of(name.lower()).name}*"):
            path.unlink()

    def due(self, sql: str, *, afterwards: bool = False, halfway: bool = False) -> Fault | None:
        """The fault that a statement is to meet."""
        with self._changing:
            for fault in self.faults:
                same = (fault.afterwards, fault.halfway) == (afterwards, halfway)
                if fault.times and same and re.search(fault.matches, sql):
                    fault.times -= 1
                    return fault
        return None

    def lock(self, resource: str, session: Any, milliseconds: int) -> int:
        """sp_getapplock: 0 given at once, 1 after waiting, -1 not in time."""
        until, waited = time.monotonic() + milliseconds / 1000, 0
        with self._changing:
            while self._locks.get(resource, session) is not session:
                waited = 1
                if not self._changing.wait(until - time.monotonic()):
                    return -1
            self._locks[resource] = session
        return waited

    def unlock(self, resource: str, session: Any) -> bool:
        with self._changing:
            held = self._locks.get(resource) is session
            if held:
                del self._locks[resource]
                self._changing.notify_all()
        return held

    def unlock_all(self, session: Any) -> None:
        with self._changing:
            for resource in [name for name, its in self._locks.items() if its is session]:
                del self._locks[resource]
            self._changing.notify_all()
