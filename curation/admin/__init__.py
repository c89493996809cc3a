"""The admin of curation: corrections, the problems from which they are proposed, and imports."""

from curation.admin import corrections, imports, notes, problems

__all__ = ["corrections", "imports", "notes", "problems"]
