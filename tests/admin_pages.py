"""The pages of the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Model


def find_admin_pages() -> dict[type[Model], Any]:
    """Return the admin of each model, by the label of the model. They are imported with the URLs only."""
    admin.autodiscover()
    return dict(sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label))
