"""A batch of T-SQL, cut into its statements: by words and brackets, for what a driver sends."""

import dataclasses
import functools
from collections.abc import Iterator

import sqlglot

from tests.tds.tokens import SqlError

_BEGINS = {
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "WITH",
    "DECLARE",
    "IF",
    "WHILE",
    "EXEC",
    "EXECUTE",
}
_BEGINS |= {
    "CREATE",
    "ALTER",
    "DROP",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVE",
    "PRINT",
    "DBCC",
    "TRUNCATE",
}
_JOINS_ON = {"UNION", "ALL", "EXCEPT", "INTERSECT", "("}


@dataclasses.dataclass(frozen=True)
class Plain:
    sql: str


@dataclasses.dataclass(frozen=True)
class Conditional:
    condition: str
    body: tuple["Part", ...]
    repeats: bool


Part = Plain | Conditional


@functools.lru_cache(maxsize=10_000)
def parts_of(sql: str) -> tuple[Part, ...]:
    """The parts of a batch. Raises SqlError."""
    return tuple(Batch(sql).parts())


class Batch:
    """The parts of a batch. Raises SqlError."""

    def __init__(self, sql: str) -> None:
        try:
            self._tokens = sqlglot.tokenize(sql, dialect="tsql")
        except sqlglot.errors.SqlglotError as error:
            raise SqlError(105, f"Unclosed quotation mark: {error}", 15) from error
        self._sql, self._at = sql, 0

    def parts(self, *, nested: bool = False) -> Iterator[Part]:
        if self._creates_trigger():
            yield Plain(self._sql)
            return
        while self._at < len(self._tokens):
            word = self._word()
            if word == ";":
                self._at += 1
            elif word == "END" and nested:
                self._at += 1
                return
            elif word in ("IF", "WHILE"):
                yield self._conditional(repeats=word == "WHILE")
            else:
                yield Plain(self._statement())

    def _creates_trigger(self) -> bool:
        """Return whether the batch is a CREATE TRIGGER, which is a batch of its own with its body."""
        words = [self._word(ahead) for ahead in range(4)]
        return self._at == 0 and words[0] == "CREATE" and "TRIGGER" in words

    def _word(self, ahead: int = 0) -> str:
        at = self._at + ahead
        if at >= len(self._tokens):
            return ""
        token = self._tokens[at]
        if token.token_type.name in ("IDENTIFIER", "STRING", "NATIONAL_STRING"):
            return ""
        return str(token.text).upper()

    def _conditional(self, *, repeats: bool) -> Conditional:
        self._at += 1
        start, depth = self._at, 0
        while (self._word() and (depth or self._word() not in _BEGINS)) or self._at == start:
            depth += {"(": 1, ")": -1}.get(self._word(), 0)
            self._at += 1
        while self._at < len(self._tokens) and self._word() not in _BEGINS:
            self._at += 1
        condition = self._text(start, self._at)
        if self._word() == "BEGIN" and self._word(1) not in ("TRAN", "TRANSACTION"):
            self._at += 1
            return Conditional(condition, tuple(self.parts(nested=True)), repeats)
        return Conditional(condition, (Plain(self._statement()),), repeats)

    def _text(self, start: int, end: int) -> str:
        return self._sql[self._tokens[start].start : self._tokens[end - 1].end + 1]

    def _statement(self) -> str:
        start, depth, cases = self._at, 0, 0
        first, selects, previous = self._word(), 0, ""
        if first == "SET":
            return self._setting(start)
        while self._at < len(self._tokens):
            word = self._word()
            if depth == 0 and cases == 0 and self._at > start:
                if word in {";", "END"}:
                    break
                if word in _BEGINS and not self._continues(
                    first, word, selects, previous, self._word(1)
                ):
                    break
                if word == "SET" and first not in ("UPDATE", "ALTER"):
                    break
            depth += {"(": 1, ")": -1}.get(word, 0)
            cases += {"CASE": 1, "END": -1}.get(word, 0)
            selects += word == "SELECT" and depth == 0
            previous = word
            self._at += 1
        return self._text(start, self._at)

    @staticmethod
    def _continues(first: str, word: str, selects: int, previous: str, following: str) -> bool:
        if word == "SELECT":
            return previous in _JOINS_ON or (first in ("INSERT", "WITH") and not selects)
        if word in ("INSERT", "UPDATE", "DELETE"):
            return first in ("WITH", "CREATE", "GRANT")
        if word == "IF":
            return first in ("DROP", "ALTER")  # IF EXISTS
        if word == "ROLLBACK":
            return previous == "WITH"  # ALTER DATABASE ... WITH ROLLBACK IMMEDIATE
        if word == "WITH":
            return first not in ("DECLARE", "EXEC", "EXECUTE", "SET")
        return first == "ALTER" and following in ("COLUMN", "CONSTRAINT")

    def _setting(self, start: int) -> str:
        """SET NOCOUNT ON, SET @x = 1, SET IDENTITY_INSERT [t] ON."""
        if self._tokens[start + 1].text.startswith("@") or self._word(1) == "@":
            self._at += 1
            while self._word() != ";" and self._at < len(self._tokens):
                if self._word() in _BEGINS and self._word() != "SELECT":
                    break
                self._at += 1
            return self._text(start, self._at)
        lasts = {"ON", "OFF", "COMMITTED", "SNAPSHOT", "SERIALIZABLE", "UNCOMMITTED"}
        self._at += 1
        while self._at < len(self._tokens):
            word = self._word()
            if word == ";" or word in _BEGINS or (word == "SET" and self._at > start + 1):
                break
            self._at += 1
            if word in lasts:
                break
        return self._text(start, self._at)
