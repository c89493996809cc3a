"""The admin of instruments: read-only views of loaded rows, and scopes, which can be set."""

from instruments.entities import admin as entities
from instruments.figis import admin as figis
from instruments.listings.admin import instruments, reconciliation, scope
from instruments.profiles import admin as profiles
from instruments.webhooks import admin as webhooks

__all__ = ["entities", "figis", "instruments", "profiles", "reconciliation", "scope", "webhooks"]
