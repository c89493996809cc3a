"""What can be wrong with a file that ESMA (or somebody in its name) has published."""

from marketdata.common.errors import PermanentError, RetryableError


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


class Unavailable(RetryableError):
    """A server did not answer, or answered that it cannot now; `retry_after` is its wish in seconds."""

    def __init__(self, problem: str, *, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class Refused(PermanentError):
    """A server answered that it will not: a 403, a 404."""

    def __init__(self, problem: str, *, status: int) -> None:
        super().__init__(problem)
        self.status = status


class ForbiddenAddress(PermanentError):
    """An address that is not on the list of hosts, or that is none of a file."""


class UnknownAnswer(PermanentError):
    """A register answered in a form that this project does not know."""


class RegisterChanged(RetryableError):
    """The register changed while its pages were read: some entries may have been missed."""


class WrongBytes(RetryableError):
    """What came is not what the register announced: its MD5 or its length differs."""

    def __init__(self, file_name: str, *, expected: str, actual: str) -> None:
        super().__init__(f"{file_name}: expected {expected}, got {actual}")
        self.file_name = file_name
        self.expected = expected
        self.actual = actual


class TooLarge(FileProblem):
    """More bytes than DOWNLOAD_MAX_BYTES allows."""


class NotAFile(FileProblem):
    """The server sent a page or a message instead of the zip."""


class BudgetExceeded(RetryableError):
    """There is no room left in STORAGE_BUDGET_BYTES; cleaning up may make some."""


class DatabaseRefused(RetryableError):
    """The database could not take a file; what was committed of it stays."""
