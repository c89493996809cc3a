"""Errors that the audit app raises."""

from marketdata.common.errors import PermanentError


class AppendOnly(PermanentError):
    """An event of the audit trail was to be changed or deleted."""

    def __init__(self) -> None:
        super().__init__("The audit trail is append-only: events cannot be changed or deleted.")
