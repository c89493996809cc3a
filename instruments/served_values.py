"""Served values of entities and venues in queries: the corrected value, or else the published one.

Lists of whole rows are corrected in memory instead: see `instruments.corrected_records`.
"""

from typing import Any

from django.apps import apps
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from instruments.correctable import CorrectionSubject
from marketdata.common.filters import CodeFilter
from marketdata.common.unchanged import remember

_MODELS = {"LegalEntity": CorrectionSubject.ENTITY, "Venue": CorrectionSubject.VENUE}


def select_applied(subject: CorrectionSubject, column: str) -> QuerySet[Any]:
    """Return the corrections of a column whose values are served."""
    corrections: QuerySet[Any] = apps.get_model("instruments", "Correction")._default_manager.all()
    return corrections.filter(subject=subject.value, field=column).exclude(replaced=None).order_by()


def serve(subject: CorrectionSubject, column: str) -> Coalesce:
    """Return the expression of a required column, as a name, with its corrections, in rows of the subject."""
    applied = select_applied(subject, column).filter(**{subject.key: OuterRef(subject.key)})
    return Coalesce(Subquery(applied.values("value")[:1]), F(column))


def serve_venue(column: str = "name") -> Coalesce:
    """Return the expression of a column of venues, as their name."""
    return serve(CorrectionSubject.VENUE, column)


def serve_name(*, with_corrections: bool = True) -> Any:
    """Return the expression of the legal name of an entity, or of the published one."""
    return serve(CorrectionSubject.ENTITY, "legal_name") if with_corrections else F("legal_name")


def _read_corrected() -> set[tuple[str, str]]:
    """Return the columns that have a correction whose value is served, each with its subject."""
    corrections: QuerySet[Any] = apps.get_model("instruments", "Correction")._default_manager.all()
    rows = corrections.exclude(replaced=None).order_by().values_list("subject", "field").distinct()
    return set(rows)


def is_served(subject: CorrectionSubject, column: str, **condition: Any) -> Q:
    """Return the condition that the served value meets a lookup, as `iexact="ab"`."""
    [(lookup, value)] = condition.items()
    applied = select_applied(subject, column)
    published = Q(**{f"{column}__{lookup}": value})
    if (subject.value, column) not in remember("corrected columns", _read_corrected):
        return published
    matching = applied.filter(**{f"value__{lookup}": value})
    in_force = Q(**{f"{subject.key}__in": matching.values(subject.key)})
    return published & ~Q(**{f"{subject.key}__in": applied.values(subject.key)}) | in_force


class ServedCodeFilter(CodeFilter):
    """A code of entities or venues, compared in upper case with the served values."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        subject = _MODELS[queryset.model.__name__]
        return queryset.filter(is_served(subject, str(self.field_name), exact=value.upper()))
