"""Errors of lists of venues."""

from marketdata.common.errors import PermanentError


class BadVenueList(PermanentError):
    """A file is not an ISO 10383 list of venues, or has an unknown layout; names the file and the reason."""
