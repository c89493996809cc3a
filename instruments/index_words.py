"""The words of the full-text indexes of SQLite (FTS5), by which searches go through millions of matches."""

import contextlib
import sqlite3

from django.db import connections

_TOKENIZER = "unicode61 remove_diacritics 2"
# Shorter words must be there as they are: too much begins with a letter or two.
_WHOLE = 2
# Words with one beginning that are looked up one by one. FTS5 reads all that begins so before it gives
# the first match, but goes through known words as it needs them.
_BEGINNINGS = 300


def split_words(word: str) -> list[str]:
    """Return the words that FTS5 reads in a text, folded; found by indexing the text in memory."""
    with contextlib.closing(sqlite3.connect(":memory:")) as own:
        own.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (word, tokenize = '{_TOKENIZER}')")
        own.execute("CREATE VIRTUAL TABLE parts USING fts5vocab (texts, instance)")
        own.execute("INSERT INTO texts VALUES (?)", [word])
        return [term for (term,) in own.execute('SELECT term FROM parts ORDER BY "offset"')]


def walk(words: str, following: str = "known.term || char(1)") -> str:
    """Return the SQL of a common table expression `known (term)`: words of an index, in their order.

    Parameters: the word to begin with, those of `following`, and the word to end before. One word from there
    on may be among them, and NULL at the end.

    The table `words` has a row for each place of a word, so each time the first word from `following` on is
    asked for: behind a word there is no other before the same with the lowest letter.
    """
    first_from = f"SELECT term FROM {words} WHERE term >="
    return f"""known (term) AS (
        SELECT ({first_from} %s LIMIT 1)
        UNION ALL
        SELECT ({first_from} {following} LIMIT 1) FROM known
        WHERE known.term IS NOT NULL AND known.term < %s
    )"""


def find_beginnings(database: str, words: str, part: str) -> list[str]:
    """Return the terms of FTS5 for a word and for the words of an index that begin with it; [] without any.

    `words` is the table of the words of an index, and `part` a word of `split_words`. Words that differ in
    their last digits only (DAX12400) are one term, by the first digit: there are thousands of them.
    """
    if len(part) <= _WHOLE:
        return [f'"{part}"']
    stem = "rtrim(known.term, '0123456789')"
    whole = f"(known.term = %s OR {stem} = known.term)"
    begun = f"substr(known.term, 1, max(length({stem}), {len(part)}) + 1)"
    following = f"CASE WHEN {whole} THEN known.term || char(1) ELSE {begun} || char(1114111) END"
    end = part + chr(0x10FFFF)
    with connections[database].cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE {walk(words, following)}
            SELECT CASE WHEN {whole} THEN '"' || term || '"' ELSE '"' || {begun} || '" *' END
            FROM known WHERE term >= %s AND term < %s LIMIT %s
            """,
            [part, part, end, part, part, end, _BEGINNINGS + 1],
        )
        terms = [term for (term,) in cursor.fetchall()]
    return [f'"{part}" *'] if len(terms) > _BEGINNINGS else terms
