"""Scopes: the records of a register that are loaded, by category, authority, venue and ISIN."""

import functools
import re
from collections.abc import Collection, Iterable
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from instruments.classification import cfi
from instruments.isin import problem_of
from instruments.listings.models.record import Register, Status

# The greatest number of codes of each kind. All become parameters of one statement, beside a page of 500
# listings, of which `condition` names at most 500 of the ISINs: SQL Server takes 2,100.
MAX_CODES = {"categories": 26, "authorities": 300, "venues": 700, "isins": 1_500}


def _problem_of_category(code: str) -> str | None:
    return None if code in cfi.category_names() else "is no category of ISO 10962"


def _problem_of_authority(code: str) -> str | None:
    return None if re.fullmatch("[A-Z]{2}", code) else "a country has two letters"


def _problem_of_venue(code: str) -> str | None:
    return None if re.fullmatch("[A-Z0-9]{4}", code) else "a MIC has four letters or digits"


# The kinds of criteria, and what is wrong with one of them.
CHECKS = {
    "categories": _problem_of_category,
    "authorities": _problem_of_authority,
    "venues": _problem_of_venue,
    "isins": problem_of,
}
KINDS = tuple(CHECKS)
# The columns of a record that criteria are about.
COLUMNS = {"categories": "cfi_code", "authorities": "competent_authority", "venues": "mic"}


def codes(kind: str, texts: Iterable[str]) -> list[str]:
    """Return codes in upper case, each once, in order. Raises ValidationError, which names the kind."""
    unique = sorted({code.strip().upper() for code in texts if code.strip()})
    problems = [f"{code}: {problem}" for code in unique if (problem := CHECKS[kind](code))]
    if len(unique) > MAX_CODES[kind]:
        problems = [f"{len(unique):,} are more than {MAX_CODES[kind]:,}"]
    if problems:
        raise ValidationError({kind: [f"{problem}." for problem in problems]})
    return unique


class ScopeQuerySet(models.QuerySet["Scope"]):
    def current(self, register: str) -> "Scope":
        """The scope of a register: the last one that was set, or everything (not saved)."""
        return self.filter(register=register).order_by("-pk").first() or Scope(register=register)

    def numbered(self, number: int) -> "Scope":
        """The scope that a file was loaded with; 0 is everything."""
        return self.get(pk=number) if number else Scope()


class Scope(models.Model):
    """The records of a register that are loaded, from the moment it is set; a change is a new row.

    A record is in scope if it has one of the ISINs, or meets each kind of the other criteria that is not
    empty: one of the categories (the first letter of the CFI code), of the competent authorities, of
    the venues. Everything where all are empty; the ISINs alone where only they are given.
    """

    register = models.CharField(max_length=5, choices=Register)
    categories = models.JSONField(default=list, blank=True, help_text="CFI letters, as E")
    authorities = models.JSONField(default=list, blank=True, help_text="countries, as SE")
    venues = models.JSONField(default=list, blank=True, help_text="MICs, as XSTO")
    isins = models.JSONField(
        default=list, blank=True, help_text="in scope whatever the other criteria are"
    )
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.CharField(max_length=150, blank=True)

    objects = ScopeQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        criteria = [
            f"{kind} {', '.join(getattr(self, kind)[:10])}" for kind in KINDS if self._has(kind)
        ]
        return f"{self.register}: {'; '.join(criteria) or 'everything'}"

    @property
    def number(self) -> int:
        """The number of the scope that a file was loaded with; 0 is everything."""
        return self.pk or 0

    @property
    def is_everything(self) -> bool:
        return not any(self._has(kind) for kind in KINDS)

    @property
    def criteria(self) -> dict[str, list[str]]:
        """The kinds that are not empty, ISINs left out: all of them must be met."""
        return {kind: getattr(self, kind) for kind in KINDS[:-1] if self._has(kind)}

    def covers(self, other: "Scope") -> bool:
        """Return True if a file loaded with this scope has everything in `other`; False if unsure."""
        if self.is_everything or other.is_everything:
            return self.is_everything
        if not set(other.isins) <= set(self.isins):
            return False
        if not other.criteria:
            return True
        return bool(self.criteria) and all(
            kind in other.criteria and set(other.criteria[kind]) <= set(values)
            for kind, values in self.criteria.items()
        )

    def reads_category(self, category: str) -> bool:
        """Return True if a full file of this category can hold records in scope."""
        return bool(self.isins) or not self.categories or category in self.categories

    def condition(self, among: Collection[str] | None = None) -> Q:
        """Return the condition for records in scope, on columns of listings and versions.

        With `among`, only records of these ISINs are asked for, so the condition names no others.
        As in instruments/listings/load/scope.py, a criterion on a field that a record does not publish does
        not exclude the record, unless it is a cancellation.
        """
        if self.is_everything:
            return Q()
        meets_criteria = Q()
        for kind, values in self.criteria.items():
            column = COLUMNS[kind]
            condition = Q(**{f"{column}__in": values})
            if kind == "categories":
                condition = functools.reduce(
                    or_, (Q(cfi_code__startswith=category) for category in values)
                )
            meets_criteria &= condition | (Q(**{column: None}) & ~Q(status=Status.CANCELLED))
        listed = Q(isin__in=[isin for isin in self.isins if among is None or isin in among])
        if not self.criteria:
            return listed
        return meets_criteria | listed if self.isins else meets_criteria

    def values(self) -> dict[str, Any]:
        """Its criteria by kind."""
        return {kind: getattr(self, kind) for kind in KINDS}

    def _has(self, kind: str) -> bool:
        return bool(getattr(self, kind))
