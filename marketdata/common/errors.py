"""The base classes of all errors that the project raises on purpose."""


class MarketDataError(Exception):
    """An expected failure, as opposed to a programming error."""


class RetryableError(MarketDataError):
    """The same call may succeed later: after a time-out, a 503, or a file that is only half published."""

    # Seconds after which the call can succeed, if known. Waiting that long does not count as an attempt.
    wait_seconds: int | None = None


class PermanentError(MarketDataError):
    """The same call fails again until a person changes something."""


# Four errors of questions and requests. Domain modules raise them, or subclasses of them; the API answers
# them as problem documents with the status that is named here (marketdata/api/problems.py).


class InvalidQuery(PermanentError):
    """400: a value in a question to the data is not valid.

    `parameter` is the name of the value as the caller gave it (`isin`, `on`, ...).
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class NotPermitted(PermanentError):
    """403: the caller may not do this."""


class NotInDatabase(PermanentError):
    """404: a question about a code, name or key that is not in the database."""


class WrongState(PermanentError):
    """409: the object is not in a state in which this can be done."""


# Three errors of requests to other servers, raised by marketdata/common/http.py and marketdata/services.


class Unavailable(RetryableError):
    """A server did not answer, or has a temporary problem; `retry_after` is the pause in seconds that it asks
    for.
    """

    def __init__(self, problem: str, *, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class Refused(PermanentError):
    """A server refused a request, as with 403 or 404."""

    def __init__(self, problem: str, *, status: int) -> None:
        super().__init__(problem)
        self.status = status


class ForbiddenAddress(PermanentError):
    """An address whose host is not on the list."""
