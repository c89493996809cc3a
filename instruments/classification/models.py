"""The CFI codes in use: a few hundred, so filters on single letters look them up here."""

import functools
import operator
from collections.abc import Iterable

from django.db import models
from django.db.models import Q
from django.db.models.functions import Substr

from instruments.classification import cfi

_GROUP = 2  # letters: category and group


class CfiCodeQuerySet(models.QuerySet["CfiCode"]):
    def matching(self, patterns: Iterable[str]) -> "CfiCodeQuerySet":
        """Codes that match any of these patterns of six letters, `*` for any letter."""
        groups: dict[str, list[str]] = {}
        for pattern in patterns:
            groups.setdefault(pattern[_GROUP:], []).append(pattern[:_GROUP])
        # Grouped by the four letters after the group: a meaning can occur in many groups, and a
        # statement of SQL Server takes at most 2,100 parameters.
        conditions = [_letters(after, _GROUP) & _group(before) for after, before in groups.items()]
        if not conditions:
            return self.none()
        if not all(conditions):  # six stars
            return self
        letters = {f"letter{place}": Substr("code", place, 1) for place in range(1, cfi.LENGTH + 1)}
        annotated = self.annotate(group=Substr("code", 1, _GROUP), **letters)
        return annotated.filter(functools.reduce(operator.or_, conditions))


def _letters(pattern: str, before: int) -> Q:
    """Return the condition on a part of a pattern that begins after `before` letters."""
    places = enumerate(pattern, start=before + 1)
    return Q(*((f"letter{place}", letter) for place, letter in places if letter != cfi.ANY))


def _group(patterns: list[str]) -> Q:
    """Return the condition on category and group: any of these patterns of two."""
    whole = [pattern for pattern in patterns if cfi.ANY not in pattern]
    parts = [_letters(pattern, 0) for pattern in patterns if cfi.ANY in pattern]
    if not all(parts):  # two stars
        return Q()
    return functools.reduce(operator.or_, [*parts, *([Q(group__in=whole)] if whole else [])])


class CfiCode(models.Model):
    """A CFI code that some record has had. A load adds codes and deletes none.

    With this table a filter on one letter still uses the instruments' index:
    `cfi_code IN (the few codes with that letter)`.
    """

    code = models.CharField(max_length=6, primary_key=True)

    objects = CfiCodeQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        verbose_name = "CFI code"

    def __str__(self) -> str:
        return self.code
