"""The admin of curation: corrections, and the problems from which they are proposed."""

from curation.admin import corrections, problems

__all__ = ["corrections", "problems"]
