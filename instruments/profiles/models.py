"""Output profiles: named sets of columns, by which lists and exports get the layout of a user's choice."""

from django.db import models
from django.utils import timezone


class OutputProfileQuerySet(models.QuerySet["OutputProfile"]):
    def newest(self) -> "OutputProfileQuerySet":
        """The newest version of each profile."""
        later = self.model._default_manager.filter(
            name=models.OuterRef("name"), version__gt=models.OuterRef("version")
        )
        return self.filter(~models.Exists(later))


class OutputProfile(models.Model):
    """One version of a profile. A change is a new version, so no row is ever edited.

    `parent` is the version whose columns come first; those of this one replace columns of the same name, or
    follow. `omitted` are names of columns of the parent that are left out.
    """

    name = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    rows = models.CharField(max_length=20, help_text="instruments, listings or versions")
    title = models.CharField(max_length=200, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    columns = models.JSONField(
        default=list, blank=True, help_text="name, and field or value, and format"
    )
    omitted = models.JSONField(default=list, blank=True, help_text="names of columns of the parent")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OutputProfileQuerySet.as_manager()

    class Meta:
        ordering = ["name", "-version"]
        default_permissions = ("view", "add")
        permissions = [("manage_outputprofile", "Can change and delete profiles of others")]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="output_profile_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"
