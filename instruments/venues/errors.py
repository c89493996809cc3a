"""What can be wrong with a list of venues."""

from marketdata.common.errors import PermanentError


class BadVenueList(PermanentError):
    """Not a list of venues, or one whose layout nobody knows; `str()` names the list and why."""
