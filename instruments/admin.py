"""What only a load writes, to look at; and scopes, to set."""

from instruments.listings.admin import instruments, reconciliation, scope

__all__ = ["instruments", "reconciliation", "scope"]
