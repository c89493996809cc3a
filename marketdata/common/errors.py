"""The roots of every error that the project raises on purpose."""


class MarketDataError(Exception):
    """Something in this project went wrong in a way it foresaw."""


class RetryableError(MarketDataError):
    """The same call may succeed later: a time-out, a 503, a half-published file."""

    # Seconds after which it will, where that is known; then waiting is no attempt in vain.
    wait_seconds: int | None = None


class PermanentError(MarketDataError):
    """The same call will fail again until a person changes something."""
