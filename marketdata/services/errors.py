"""Errors of outside services. None of their texts has a key, a header or the body of an answer."""

from marketdata.common.errors import Refused, RetryableError, Unavailable


class RateLimited(Unavailable):
    """The service answered 429; the budget shared by all workers is paused until it takes requests again."""


class UnreadableAnswer(Unavailable):
    """The answer is not the JSON that is expected: cut off, broken, too large, or in another form."""


class KeyRejected(Refused):
    """The service does not accept the configured key, or asks for one (401, 403)."""


class RequestTooLarge(Refused):
    """The request has more in it than the service takes at once (413)."""


class BudgetSpent(RetryableError):
    """No request may be sent now, and the wait is longer than a worker should wait."""

    def __init__(self, service: str, *, wait_seconds: float) -> None:
        super().__init__(f"{service}: no request may be sent for {wait_seconds:.0f} seconds")
        self.wait_seconds = max(1, round(wait_seconds))
