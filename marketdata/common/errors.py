"""The roots of every error that the project raises on purpose."""


class MarketDataError(Exception):
    """Something in this project went wrong in a way it foresaw."""


class RetryableError(MarketDataError):
    """The same call may succeed later: a time-out, a 503, a half-published file."""


class PermanentError(MarketDataError):
    """The same call will fail again until a person changes something."""
