"""The roots of every error that the project raises on purpose."""


class MarketDataError(Exception):
    """Something in this project went wrong in a way it foresaw."""


class RetryableError(MarketDataError):
    """The same call may succeed later: a time-out, a 503, a half-published file."""

    # Seconds after which it will, where that is known; then waiting is no attempt in vain.
    wait_seconds: int | None = None


class PermanentError(MarketDataError):
    """The same call will fail again until a person changes something."""


class InvalidQuery(PermanentError):
    """A question to the data has an unusable value; the API answers 400.

    `parameter` is the name of the value as the caller gave it (`isin`, `on`, ...).
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class NotInDatabase(PermanentError):
    """A question about something that no loaded file mentions; the API answers 404."""
