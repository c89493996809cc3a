"""What can be wrong with a list of venues, or with getting it."""

from marketdata.common.errors import PermanentError, RetryableError


class BadVenueList(PermanentError):
    """Not a list of venues, or one whose layout nobody knows; `str()` names the list and why."""


class UnsafeAddress(PermanentError):
    """The list is not fetched from there: another scheme than https, or a host that is not allowed."""


class VenueListRefused(PermanentError):
    """The server answered, and not with a list: not found, too large, moved elsewhere."""


class VenueListUnavailable(RetryableError):
    """The server could not be reached, or was busy; a later try may do."""
