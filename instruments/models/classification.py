"""The CFI codes that have occurred: few, so a question about their letters is asked of these."""

import functools
import operator
from collections.abc import Iterable

from django.db import models
from django.db.models import Q
from django.db.models.functions import Substr

from instruments import cfi


class CfiCodeQuerySet(models.QuerySet["CfiCode"]):
    def matching(self, patterns: Iterable[str]) -> "CfiCodeQuerySet":
        """Codes that match any of these patterns of six, `*` for any letter."""
        letters = {f"letter{place}": Substr("code", place, 1) for place in range(1, cfi.LENGTH + 1)}
        wanted = [
            Q(*((f"letter{i}", x) for i, x in enumerate(pattern, start=1) if x != cfi.ANY))
            for pattern in patterns
        ]
        if not wanted:
            return self.none()
        if not all(wanted):  # six stars
            return self
        return self.annotate(**letters).filter(functools.reduce(operator.or_, wanted))


class CfiCode(models.Model):
    """A code that a record has had. A load adds to them and takes none away.

    By way of this table a filter on one letter of the code still uses the instruments' index:
    `cfi_code IN (the few codes with that letter)`.
    """

    code = models.CharField(max_length=6, primary_key=True)

    objects = CfiCodeQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        verbose_name = "CFI code"

    def __str__(self) -> str:
        return self.code
