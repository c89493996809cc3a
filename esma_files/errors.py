"""What can be wrong with a file that ESMA (or somebody in its name) has published."""

from marketdata.common.errors import PermanentError


class FileProblem(PermanentError):
    """A file that cannot be loaded; `str()` names the file and what is wrong with it."""

    def __init__(self, file_name: str, problem: str) -> None:
        super().__init__(f"{file_name}: {problem}")
        self.file_name = file_name
        self.problem = problem


class BadFileName(FileProblem):
    """The name is not one of ESMA's, so it says neither what the file holds nor of which day."""


class LostFile(FileProblem):
    """The storage does not have the zip any more; taking it in again puts it there."""


class BadArchive(FileProblem):
    """The zip is damaged, encrypted, or holds something else than plain XML entries."""


class UnsafeArchive(FileProblem):
    """The zip would unpack to more than the limits allow, or an entry's name is a path."""


class NotUtf8(FileProblem):
    """The XML is not UTF-8, or says so of itself."""


class ForbiddenXml(FileProblem):
    """The XML has a document type declaration: entities could be hidden in it."""


class BadXml(FileProblem):
    """The XML is not well-formed, or a record has an element twice that may occur once."""


class TruncatedFile(FileProblem):
    """The file ends before its closing tags: the rest of its records is missing."""


class WrongEnvelope(FileProblem):
    """The message inside is not the one that the file's name promises."""


class EmptyFile(FileProblem):
    """There is nothing in it, or not one record."""


class UnsupportedKind(FileProblem):
    """A file of ESMA's that this project lists but cannot load."""
