"""Entities by words of their names: the legal one, former, trading and transliterated ones.

On SQLite a full-text index (FTS5) leads to them: a document is an entity, and its rowid the entity's key. It
keeps no copy of the text, so the words to delete are read from the tables before they change
(`instruments.entities.load`). Matches come in the order of its keys, which is that of loading: so a page of
millions is found without reading or sorting the others. On other databases names are compared one by one.
"""

import re
from typing import Any, TypeVar

from django.db import connections, models
from django.db.models import BooleanField, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL
from django.db.models.sql.where import AND, ExtraWhere

from instruments.correctable import CorrectionSubject
from instruments.fields import LEI
from instruments.index_words import find_beginnings, split_words
from instruments.served_values import is_served

INDEX = "instruments_entity_index"
WORDS = "instruments_entity_index_words"  # its words, each once a document, in their order
_CORRECTIONS = "instruments_correction"
_MAX_WORDS = 20
_WORD = re.compile(r"\w+")

M = TypeVar("M", bound=models.Model)


def is_lei(text: str) -> bool:
    """Return whether a text has the form of an LEI."""
    return re.fullmatch(LEI, text) is not None


def document(entity: str, names: str, *, has_corrections: bool = True) -> str:
    """Return the SQL of the indexed names of a row of entities; `names` is the table of the other names.

    The legal name is the corrected one, where there is one; `has_corrections` is False if there is none at
    all.
    """
    other_names = f"(SELECT group_concat(n.name, ' ') FROM {names} n WHERE n.lei = {entity}.lei)"
    legal_name = f"{entity}.legal_name"
    if has_corrections:
        corrected = (
            f"(SELECT max(c.value) FROM {_CORRECTIONS} c WHERE c.lei = {entity}.lei"
            " AND c.field = 'legal_name' AND c.replaced IS NOT NULL)"
        )
        legal_name = f"coalesce({corrected}, {legal_name})"
    return f"{legal_name} || ' ' || coalesce({other_names}, '')"


def named(entities: "models.QuerySet[M]", text: str) -> "models.QuerySet[M]":
    """Return the entities whose names have, for each word of a text, a word that begins with it.

    The first 20 words count. A text without a word matches nothing. On SQLite they are in the order of keys.
    """
    words = _WORD.findall(text.encode(errors="replace").decode())[:_MAX_WORDS]
    if not words:
        return entities.none()
    if connections[entities.db].vendor == "sqlite":
        terms = [
            find_beginnings(entities.db, WORDS, part)
            for word in words
            for part in split_words(word)
        ]
        if not (terms and all(terms)):
            return entities.none()
        expression = " AND ".join(f"({' OR '.join(any_of)})" for any_of in terms)
        matching = (
            entities.extra(tables=[INDEX])
            .filter(pk=RawSQL(f"{INDEX}.rowid", []))
            .order_by(RawSQL(f"{INDEX}.rowid", []))
        )
        matching.query.where.add(ExtraWhere([f"{INDEX} MATCH %s"], [expression]), AND)
        return matching
    for word in words:
        entities = _compared(entities, word)
    return entities


def uses_index(entities: "models.QuerySet[M]") -> bool:
    """Return True if the index selects these entities, in the order of their keys."""
    return INDEX in entities.query.extra_tables


def after_key(entities: "models.QuerySet[M]", key: int) -> "models.QuerySet[M]":
    """Return the entities after a key, where the index selects them."""
    return entities.filter(RawSQL(f"{INDEX}.rowid > %s", [key], BooleanField()))


def up_to_key(entities: "models.QuerySet[M]", key: int) -> "models.QuerySet[M]":
    """Return the entities up to a key, where the index selects them."""
    return entities.filter(RawSQL(f"{INDEX}.rowid <= %s", [key], BooleanField()))


def _compared(entities: "models.QuerySet[M]", word: str) -> "models.QuerySet[M]":
    """Match a word by LIKE, which reads all names; only a space separates words."""
    name_model: Any = entities.model._meta.get_field("names").related_model
    subject, column = CorrectionSubject.ENTITY, "legal_name"
    own = is_served(subject, column, istartswith=word)
    own |= is_served(subject, column, icontains=f" {word}")
    other = Q(name__istartswith=word) | Q(name__icontains=f" {word}")
    named_otherwise = name_model._default_manager.filter(other, entity=OuterRef("lei")).order_by()
    return entities.filter(own | Exists(named_otherwise))
