"""Instruments by words of their names, in the order of ISINs.

On SQLite there is a full-text index (FTS5): a document is an instrument, and its rowid is the ISIN as a
number. So an index entry needs no column that holds the ISIN, no VACUUM changes it, and matches come in
the order of ISINs: a page of millions of them is found without reading or sorting the others.
`instruments/loading/names.py` keeps it. On other databases names are compared one by one.
"""

import contextlib
import re
import sqlite3
import string
from collections.abc import Iterable, Sequence
from typing import TypeVar

from django.db import connections, models
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from instruments.isin import key_of

INDEX = "instruments_name_index"
WORDS = "instruments_name_index_words"  # its words, each once a document, in their order
TOKENIZER = "unicode61 remove_diacritics 2"
# The codes of an instrument are words too, marked by a letter that no name has (private use), so that
# words and codes are found in one go. What a code means shows in its length: see `document`.
MARK = "\ue000"
_MAX_WORDS = 20
# Shorter words must be there as they are: too much begins with a letter or two.
_WHOLE = 2
# Words with one beginning that are looked up one by one. FTS5 reads all that begins so before it gives
# the first match, but goes through known words as it needs them.
_BEGINNINGS = 100
_DIGITS = string.digits + string.ascii_uppercase
_START_OF_ISIN = re.compile(r"(?=.*[0-9])[A-Z]{2}[A-Z0-9]{1,10}")

M = TypeVar("M", bound=models.Model)


def key_in_sql(isin: str) -> str:
    """`key_of` an expression in SQL."""
    number = "0"
    for place in range(1, 12):
        number = f"({number}*36+instr('{_DIGITS}',substr({isin},{place},1))-1)"
    return f"({number}*10+substr({isin},12,1))"


def isin_in_sql(key: str) -> str:
    """The way back, in SQL."""
    letters = [f"substr('{_DIGITS}',{key}/{10 * 36**power}%%36+1,1)" for power in range(10, -1, -1)]
    return f"({' || '.join(letters)} || ({key}%%10))"


def document(row: str) -> str:
    """What is indexed of a row of `Instrument`, in SQL: its names, and its codes."""
    codes = [f"substr({row}.cfi_code, 1, {length})" for length in (1, 2)]
    codes += [f"{row}.{column}" for column in ("notional_currency", "status", "issuer_lei")]
    marked = " || ' ' || ".join(f"char({ord(MARK)}) || {code}" for code in codes)
    return f"{row}.full_name || ' ' || {row}.short_name || ' ' || {marked}"


def narrowed(
    instruments: "models.QuerySet[M]", words: str, codes: Iterable[Sequence[str]] = ()
) -> "models.QuerySet[M]":
    """Those that have each word of a text in a name, or the start of one, and one of each of `codes`.

    A word may be the start of the ISIN instead. In the order of ISINs. `codes` only make it faster, where
    the database can use them: they must also be filtered by.
    """
    named = []
    for word in words.encode(errors="replace").decode().split()[:_MAX_WORDS]:
        start = word.upper()
        if _START_OF_ISIN.fullmatch(start) and _beginning(instruments.all(), start).exists():
            instruments = _beginning(instruments, start)
        else:
            named.append(word)
    if connections[instruments.db].vendor == "sqlite":
        return _in_index(instruments, named, codes) if named or codes else instruments
    return _compared(instruments, named)


def is_asked(instruments: "models.QuerySet[M]") -> bool:
    """Whether it is the index that leads to these."""
    return INDEX in instruments.query.extra_tables


def by_listing(instruments: "models.QuerySet[M]", listing: str, mic: str) -> "models.QuerySet[M]":
    """Those with a row in the table `listing` at a venue, by the index of that table, in its order.

    Once each, also where two registers have the listing.
    """
    first = (
        f"{listing}.mic = %s AND NOT EXISTS (SELECT 1 FROM {listing} x WHERE x.isin = {listing}.isin"
        f" AND x.mic = {listing}.mic AND x.register < {listing}.register)"
    )
    return (
        instruments.extra(tables=[listing])
        .filter(RawSQL(first, [mic], BooleanField()), isin=RawSQL(f"{listing}.isin", []))
        .order_by(RawSQL(f"{listing}.isin", []))
    )


def after(instruments: "models.QuerySet[M]", isin: str) -> "models.QuerySet[M]":
    """Those after `isin`, in the order of ISINs; what leads to them begins there."""
    if is_asked(instruments):
        key = key_of(isin) if isin else 0
        return instruments.filter(RawSQL(f"{INDEX}.rowid > %s", [key], BooleanField()))
    for table in instruments.query.extra_tables:
        return instruments.filter(RawSQL(f"{table}.isin > %s", [isin], BooleanField()))
    return instruments.filter(isin__gt=isin).order_by("isin")


def _beginning(instruments: "models.QuerySet[M]", start: str) -> "models.QuerySet[M]":
    """A range and not LIKE: on SQLite only a range uses the index."""
    return instruments.filter(isin__gte=start, isin__lt=start + "[")  # which comes after Z


def _compared(instruments: "models.QuerySet[M]", words: Iterable[str]) -> "models.QuerySet[M]":
    """By LIKE: it reads all names, and takes a space for what separates words."""
    for word in words:
        named = Q()
        for name in ("full_name", "short_name"):
            named |= Q((f"{name}__istartswith", word)) | Q((f"{name}__icontains", f" {word}"))
        instruments = instruments.filter(named)
    return instruments


def _in_index(
    instruments: "models.QuerySet[M]", words: Iterable[str], codes: Iterable[Sequence[str]]
) -> "models.QuerySet[M]":
    asked = [[f'"{MARK}{code}"' for code in any_of] for any_of in codes]
    for word in words:
        parts = _parts(word)
        asked += [_beginnings(instruments.db, part) for part in parts]
        # FTS5 knows words and not what is between them: "S&P" is more than S and P.
        within = word.strip(string.punctuation)
        if len(parts) > 1 and word.isascii():
            instruments = instruments.filter(
                Q(full_name__icontains=within) | Q(short_name__icontains=within)
            )
    if not asked or not all(asked):
        return instruments.none()
    expression = " AND ".join(f"({' OR '.join(any_of)})" for any_of in asked)
    rowid = f"{INDEX}.rowid"
    return (
        instruments.extra(tables=[INDEX])
        .filter(RawSQL(f"{INDEX} MATCH %s", [expression], BooleanField()))
        .filter(isin=RawSQL(isin_in_sql(rowid), []))
        .order_by(RawSQL(rowid, []))
    )


def _parts(word: str) -> list[str]:
    """The words that FTS5 sees in a text, folded as it folds them: asked of FTS5 itself."""
    with contextlib.closing(sqlite3.connect(":memory:")) as own:
        own.execute(f"CREATE VIRTUAL TABLE said USING fts5 (word, tokenize = '{TOKENIZER}')")
        own.execute("CREATE VIRTUAL TABLE parts USING fts5vocab (said, instance)")
        own.execute("INSERT INTO said VALUES (?)", [word.replace(MARK, " ")])
        return [term for (term,) in own.execute('SELECT term FROM parts ORDER BY "offset"')]


def _beginnings(database: str, part: str) -> list[str]:
    """The terms of FTS5 for a word and those that it begins; none where no name has one."""
    if len(part) <= _WHOLE:
        return [f'"{part}"']
    known = f"SELECT term FROM {WORDS} WHERE term >= "
    with connections[database].cursor() as cursor:
        # From word to word: behind a word there is no other before the same with the lowest letter.
        cursor.execute(
            f"""
            WITH RECURSIVE found (term) AS (
                SELECT ({known} %s LIMIT 1)
                UNION ALL
                SELECT ({known} found.term || char(1) LIMIT 1) FROM found
                WHERE found.term IS NOT NULL AND found.term < %s
            ) SELECT term FROM found WHERE term >= %s AND term < %s LIMIT %s
            """,
            [part, end := part + "\U0010ffff", part, end, _BEGINNINGS + 1],
        )
        terms = [term for (term,) in cursor.fetchall()]
    if len(terms) > _BEGINNINGS:
        return [f'"{part}" *']
    return [f'"{term}"' for term in terms]
