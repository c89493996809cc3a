"""Corrections of misspelt words of a search, by the words of the names that are loaded."""

import difflib
import re

from django.db import connection

from instruments.index_words import walk
from instruments.listings.search import MARKS, WORDS

# Words with the same beginning that are compared with a misspelt one, each found by one look-up in the index.
_MOST_COMPARED = 2_000
# Letters at the beginning that a misspelt word is expected to have right: first more, which fewer words have.
_BEGINNINGS = (3, 2)
_LEAST_LETTERS = 4  # shorter words resemble too many others
_MOST_WORDS = 5
_LEAST_SIMILARITY = 0.75
_WORD = re.compile(r"\w+")
_BEHIND = chr(0x10FFFF)


def correct(text: str) -> str | None:
    """Return a search with its misspelt words corrected; None if there is nothing to correct.

    A word is misspelt if no name has a word that begins with it. The full-text index of SQLite is needed: the
    answer of other databases is None.
    """
    if connection.vendor != "sqlite":
        return None
    words = _WORD.findall(text.casefold())
    if not words or len(words) > _MOST_WORDS:
        return None
    corrected = [_correct_word(word) for word in words]
    return None if corrected == words else " ".join(corrected)


def _correct_word(word: str) -> str:
    """Return the known word that resembles a word most, or the word itself if it is known or none does."""
    if len(word) < _LEAST_LETTERS or word.isdecimal() or _read_words(word, 1):
        return word
    for letters in _BEGINNINGS:
        known = _read_words(word[:letters], _MOST_COMPARED)
        if close := difflib.get_close_matches(word, known, n=1, cutoff=_LEAST_SIMILARITY):
            return close[0]
    return word


def _read_words(beginning: str, limit: int) -> list[str]:
    """Return the words of names that begin so, each once, in their order; `limit` at most."""
    if any(mark in beginning for mark in MARKS.values()):
        return []
    end = beginning + _BEHIND
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE {walk(WORDS)}
            SELECT term FROM known WHERE term >= %s AND term < %s LIMIT %s
            """,
            [beginning, end, beginning, end, limit],
        )
        return [term for (term,) in cursor.fetchall()]
