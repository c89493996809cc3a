"""The admin of curation: corrections, the problems from which they are proposed, and imports."""

from curation.admin import corrections, imports, instruments, notes, problems

__all__ = ["corrections", "imports", "instruments", "notes", "problems"]
