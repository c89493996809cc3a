"""The admin of instruments: read-only views of loaded rows, and scopes, which can be set."""

from instruments.listings.admin import instruments, reconciliation, scope

__all__ = ["instruments", "reconciliation", "scope"]
