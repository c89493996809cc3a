from marketdata.common.errors import PermanentError


class AppendOnly(PermanentError):
    """Somebody tried to change what happened."""

    def __init__(self) -> None:
        super().__init__("The audit trail is only added to: its events do not change or go.")
