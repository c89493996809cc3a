"""Files of identifiers that a run answers line by line."""

from django.db import models
from django.utils import timezone

from esma_files.models import Run


class ListFile(models.Model):
    """A list of up to a million lines, and the file of its answers. Both are stored compressed.

    `lines` is 0 until the list is stored. `parameters` has what is asked of all lines: `on`, `known_on`,
    `register` and `spreadsheet`, as texts.
    """

    class Question(models.TextChoices):
        REPORTABILITY = "reportability", "Reportability"
        LOOKUP = "lookup", "Look-up"

    MAX_OF_USER = 10
    MAX_OPEN_OF_USER = 2

    owner = models.CharField(max_length=150, blank=True, help_text="empty: requested by a command")
    question = models.CharField(max_length=20, choices=Question)
    name = models.CharField(max_length=100, help_text="name of the file, as given")
    parameters = models.JSONField(default=dict)
    lines = models.PositiveIntegerField(help_text="lines of the list, its header included")
    location = models.CharField(max_length=10, help_text="storage of both files")
    content = models.CharField(max_length=100, help_text="name of the list in the storage")
    answers = models.CharField(
        max_length=100, blank=True, help_text="name of its answers; empty until they are complete"
    )
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("lookup_instrument", "Can look up files of instruments")]

    def __str__(self) -> str:
        return f"list {self.pk}"
