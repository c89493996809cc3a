"""Instruments by words of their names and by codes, in the order of ISINs.

On SQLite one full-text index (FTS5) leads to them: a document is an instrument, its words are those of its
names and its codes, and its rowid is the ISIN as a number. So no entry holds an ISIN, no VACUUM changes
it, any words and codes are intersected at once, and matches come in the order of ISINs: a page of millions
of them is found without reading or sorting the others. `listings/load/search_index.py` keeps it. On other
databases names are compared one by one, and codes have indexes of their own.
"""

import re
import string
from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import connections, models
from django.db.models import BooleanField, Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.sql.where import AND, ExtraWhere

from instruments.index_words import find_beginnings, split_words, walk
from instruments.isin import key_of

INDEX = "instruments_name_index"
WORDS = "instruments_name_index_words"  # its words, each once a document, in their order
# Codes begin with a letter of their own that no name has (private use).
MARKS = {
    "category": "\ue000",
    "cfi": "\ue001",
    "currency": "\ue002",
    "issuer": "\ue003",
    "mic": "\ue004",
    "status": "\ue005",
    "register": "\ue006",
}
NAMED = ("full_name", "short_name")  # the columns of `Instrument` that names are in
# The annotation of instruments whose ISINs are among a few keys, which something else than the index found.
FEW = "is_one_of_few"
# If so many instruments meet a condition, it is one in a hundred even in the largest database.
MANY = 100_000
# So few keys are looked up in the index one by one, each in some 70 us; more are compared with its matches.
_LOOKED_UP = 5_000
HARDLY_ANY = 1  # instead of a number that is not worth counting
# The annotation of instruments whose ISINs are in a set of more keys.
_IN_SET = "is_in_set"
# The annotation with the start of the ISIN of instruments of which there are many.
_START = "isin_starts_with"
_MAX_WORDS = 20
_DIGITS = string.digits + string.ascii_uppercase
_MARKED = re.compile(f"[{''.join(MARKS.values())}]")
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


def names_of(row: str, *, suffix: str = "") -> str:
    """Return the SQL of the indexed names of a row of `Instrument`; its columns end with `suffix`."""
    return " || ' ' || ".join(f"{row}.{column}{suffix}" for column in NAMED)


def codes(row: str, *, listed: str = "1", agrees_with_listings: bool = True) -> str:
    """Return the SQL of the indexed codes of a row of `Instrument`; no code is a word of a name.

    `listed` says which of its listings `l` count; `agrees_with_listings` that the row agrees with
    them already, so that most need not be looked up.
    """
    return _printed(_codes(row, listed=listed, agrees_with_listings=agrees_with_listings))


def document(row: str) -> str:
    """Return the SQL of the indexed names and codes of a row of `Instrument`."""
    return _printed([("%s", f"{row}.full_name"), ("%s", f"{row}.short_name"), *_codes(row)])


def _codes(
    row: str, *, listed: str = "1", agrees_with_listings: bool = True
) -> list[tuple[str, str]]:
    registers = " || ".join(
        f"CASE WHEN {row}.{counted} IS NULL THEN '' ELSE ' {MARKS['register']}{register}' END"
        for counted, register in (("eu_listings", "ESMA"), ("uk_listings", "FCA"))
    )
    mark = MARKS["mic"]
    venues = f"""coalesce((SELECT group_concat('{mark}' || l.mic, ' ')
        FROM instruments_listing l WHERE l.isin = {row}.isin AND {listed}), '')"""
    if agrees_with_listings:
        venues = f"CASE {row}.listing_count WHEN 1 THEN '{mark}' || {row}.mic ELSE {venues} END"
    return [
        (f"{MARKS['category']}%.1s", f"{row}.cfi_code"),
        (f"{MARKS['cfi']}%s", f"{row}.cfi_code"),
        (f"{MARKS['currency']}%s", f"{row}.notional_currency"),
        (f"{MARKS['issuer']}%s", f"{row}.issuer_lei"),
        (f"{MARKS['status']}%s", f"{row}.status"),
        ("%s", registers),
        ("%s", venues),
    ]


def _printed(parts: list[tuple[str, str]]) -> str:
    """One call of a function, and constants for marks: a third of the time of putting it together."""
    return (
        f"printf('{' '.join(form for form, _ in parts)}', {', '.join(text for _, text in parts)})"
    )


def named(instruments: "models.QuerySet[M]", text: str) -> "models.QuerySet[M]":
    """Return the instruments whose names have, for each word of a text, a word that begins with it.

    They are in the order of ISINs. A word may be the start of the ISIN instead. The first 20 words count.
    """
    by_index = connections[instruments.db].vendor == "sqlite"
    every = instruments.model._default_manager.using(instruments.db)
    for word in text.encode(errors="replace").decode().split()[:_MAX_WORDS]:
        start = word.upper()
        if _START_OF_ISIN.fullmatch(start) and _beginning(every.all(), start).exists():
            keys = _beginning(instruments.model._default_manager.order_by(), start).values("isin")
            if (number := keys.using(instruments.db)[:MANY].count()) < MANY:
                instruments = among(instruments, keys, number)
            else:
                many = _beginning(instruments, start)
                instruments = many.alias(**{_START: Value(start)})
        elif by_index:
            instruments = _with_word(instruments, word)
        else:
            instruments = _compared(instruments, word)
    return instruments


def coded(
    instruments: "models.QuerySet[M]", kind: str, codes: Iterable[str]
) -> "models.QuerySet[M]":
    """Return the instruments with one of the codes by the index, or all where it is not used.

    So the caller must filter by the codes too. The index is not used on other databases than SQLite, and not
    if another table selects the instruments (as derivatives of one underlying), or if they are few (FEW): a
    code may match millions.
    """
    query = instruments.query
    is_selected = not uses_index(instruments) and len(query.alias_map) > 1
    if is_selected or FEW in query.annotations or connections[instruments.db].vendor != "sqlite":
        return instruments
    terms = [f'"{MARKS[kind]}{code}"' for code in codes if code.isalnum() or not code]
    if _IN_SET in query.annotations and terms and _is_frequent(instruments.db, terms):
        return instruments
    return _matching(instruments, terms)


def read_codes(database: str, kind: str, *, condition: str, limit: int | None = None) -> list[str]:
    """Return up to `limit` codes that instruments have, in their order; "" is that of instruments without.

    `condition` is SQL about `code`. The index is read from code to code, which takes some 40 us each, however
    many instruments have it. For SQLite alone, which has the index.
    """
    mark, end = MARKS[kind], chr(ord(MARKS[kind]) + 1)
    with connections[database].cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE {walk(WORDS)}, codes (code) AS (
                SELECT upper(substr(term, 2)) FROM known WHERE term >= %s AND term < %s
            ) SELECT code FROM codes WHERE {condition} LIMIT %s
            """,
            [mark, end, mark, end, -1 if limit is None else limit],
        )
        return [code for (code,) in cursor.fetchall()]


def after(instruments: "models.QuerySet[M]", isin: str) -> "models.QuerySet[M]":
    """Return the instruments after `isin`, in the order of ISINs; all of them for ""."""
    if not uses_index(instruments):
        return instruments.filter(isin__gt=isin).order_by("isin")
    key = key_of(isin) if isin else 0
    return instruments.filter(RawSQL(f"{INDEX}.rowid > %s", [key], BooleanField()))


def up_to(instruments: "models.QuerySet[M]", isin: str) -> "models.QuerySet[M]":
    """Return the instruments up to `isin` in the order of ISINs, that one included."""
    if not uses_index(instruments):
        return instruments.filter(isin__lte=isin)
    return instruments.filter(RawSQL(f"{INDEX}.rowid <= %s", [key_of(isin)], BooleanField()))


def among(instruments: "models.QuerySet[M]", keys: Any, number: int) -> "models.QuerySet[M]":
    """Return the instruments whose ISIN is among `number` keys, fewer than MANY; the index is not needed.

    `keys` is a queryset of one column, `isin`. Codes and words that are asked for later need not be looked up
    for all that have them (`coded`, `compare_keys`).
    """
    among_them: models.QuerySet[M] = instruments.filter(pk__in=keys)
    if FEW in instruments.query.annotations:
        return among_them
    few: models.QuerySet[M] = among_them.alias(**{FEW: _Keys(keys, number)})
    return few


def within(instruments: "models.QuerySet[M]", keys: Any) -> "models.QuerySet[M]":
    """Return the instruments whose ISIN is among MANY keys or more, which are read into a set.

    Codes that are asked for later are looked up in the index where hardly any instruments have them.
    """
    among_them: models.QuerySet[M] = instruments.filter(pk__in=keys)
    if FEW in instruments.query.annotations:
        return among_them
    in_set: models.QuerySet[M] = among_them.alias(**{_IN_SET: Value(True)})
    return in_set


def _is_frequent(database: str, terms: Iterable[str]) -> bool:
    """Return whether MANY instruments or more have one of these codes."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {INDEX} WHERE {INDEX} MATCH %s LIMIT %s) few"
    with connections[database].cursor() as cursor:
        cursor.execute(sql, [" OR ".join(terms), MANY])
        [(number,)] = cursor.fetchall()
    return bool(number >= MANY)


class _Keys(Value):
    """True, in the annotation FEW, with the query of the keys and their number."""

    def __init__(self, keys: Any, number: int) -> None:
        super().__init__(True)
        self.keys = keys
        self.number = number


def compare_keys(instruments: "models.QuerySet[M]") -> "models.QuerySet[M]":
    """Return the same instruments, found faster if both the index and keys select them.

    A few keys are then looked up in the index, or compared with the matches before a row of instruments is
    read: the plus sign prevents that many are looked up one by one. Of ISINs with the same start, the
    index is read between the first and the last.
    """
    if not uses_index(instruments):
        return instruments
    keys: Any = instruments.query.annotations.get(FEW)
    start: Any = instruments.query.annotations.get(_START)
    if start is not None:
        ends = [key_of(start.value), key_of(f"{start.value:Z<11}9")]
        within = RawSQL(f"{INDEX}.rowid BETWEEN %s AND %s", ends, BooleanField())
        instruments = instruments.filter(within)
    if not isinstance(keys, _Keys):
        return instruments
    sql, parameters = keys.keys.query.get_compiler(instruments.db).as_sql()
    plus = "" if keys.number <= _LOOKED_UP else "+"
    condition = f"{plus}{INDEX}.rowid IN (SELECT {key_in_sql('few.isin')} FROM ({sql}) few)"
    compared: models.QuerySet[M] = instruments.filter(RawSQL(condition, parameters, BooleanField()))
    return compared


class _Matched(ExtraWhere):
    """The query of the index: one for any number of words and codes, since FTS5 takes only a few."""

    def __init__(self, terms: tuple[str, ...]) -> None:
        super().__init__([f"{INDEX} MATCH %s"], [" AND ".join(f"({any_of})" for any_of in terms)])
        self.terms = terms


def uses_index(instruments: "models.QuerySet[M]") -> bool:
    """Return True if the index of names and codes selects these instruments."""
    return INDEX in instruments.query.extra_tables


def is_in_its_order(instruments: "models.QuerySet[M]") -> bool:
    """Return True if the index selects these instruments, and they are in its order."""
    order = instruments.query.order_by
    return uses_index(instruments) and len(order) == 1 and isinstance(order[0], RawSQL)


def is_found_at_a_cost(instruments: "models.QuerySet[M]") -> bool:
    """Return True if finding these instruments costs more than reading them.

    The index of names and codes finds them, or a set of keys; they are in the order of ISINs.
    """
    annotations = {*instruments.query.annotations}
    if is_in_its_order(instruments):
        return annotations <= {_IN_SET}
    return annotations == {_IN_SET} and instruments.query.order_by in ((), ("isin",))


def _matching(instruments: "models.QuerySet[M]", terms: list[str]) -> "models.QuerySet[M]":
    """Return the instruments whose document has one of the terms of FTS5."""
    if not terms:
        return instruments.none()
    if not uses_index(instruments):
        rowid = f"{INDEX}.rowid"
        instruments = (
            instruments.extra(tables=[INDEX])
            .filter(isin=RawSQL(isin_in_sql(rowid), []))
            .order_by(RawSQL(rowid, []))
        )
    instruments = instruments.all()
    where = instruments.query.where
    terms_so_far = [
        term for child in where.children if isinstance(child, _Matched) for term in child.terms
    ]
    where.children = [child for child in where.children if not isinstance(child, _Matched)]
    where.add(_Matched((*terms_so_far, " OR ".join(terms))), AND)
    return instruments


def _beginning(instruments: "models.QuerySet[M]", start: str) -> "models.QuerySet[M]":
    """Return the instruments whose ISIN begins so. A range, because on SQLite LIKE uses no index."""
    return instruments.filter(isin__gte=start, isin__lt=start + "[")  # which comes after Z


def _compared(instruments: "models.QuerySet[M]", word: str) -> "models.QuerySet[M]":
    """Return the instruments with a word in a name, by LIKE. Reads all names; only spaces separate words."""
    condition = Q()
    for name in ("full_name", "short_name"):
        condition |= Q((f"{name}__istartswith", word)) | Q((f"{name}__icontains", f" {word}"))
    return instruments.filter(condition)


def _with_word(instruments: "models.QuerySet[M]", word: str) -> "models.QuerySet[M]":
    parts = split_words(_MARKED.sub(" ", word))
    for part in parts:
        instruments = _matching(instruments, find_beginnings(instruments.db, WORDS, part))
    if not parts:
        return instruments.none()
    if len(parts) == 1 or not word.isascii():
        return instruments
    # FTS5 knows words and not what is between them: "S&P" is more than S and P.
    within = word.strip(string.punctuation)
    return instruments.filter(Q(full_name__icontains=within) | Q(short_name__icontains=within))
