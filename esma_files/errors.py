"""Errors of files, registers and the storage."""

from marketdata.common.errors import PermanentError, RetryableError, WrongState


class FileProblem(PermanentError):
    """A file that cannot be loaded; the text names the file and the problem."""

    def __init__(self, file_name: str, problem: str) -> None:
        super().__init__(f"{file_name}: {problem}")
        self.file_name = file_name
        self.problem = problem


class BadFileName(FileProblem):
    """The name is not one of a published file, so the kind and the day of the file are not known."""


class LostFile(FileProblem, WrongState):
    """The storage does not have the file any more; storing it again puts it back."""


class BadArchive(FileProblem):
    """The zip is damaged, encrypted, or holds entries of another kind than XML, or CSV for some datasets."""


class UnsafeArchive(FileProblem):
    """The zip would unpack to more than the limits allow, or the name of an entry is a path."""


class NotUtf8(FileProblem):
    """The XML or CSV is not UTF-8, or declares another encoding."""


class ForbiddenXml(FileProblem):
    """The XML has a document type declaration, which could define entities."""


class BadXml(FileProblem):
    """The XML is not well-formed, or holds two messages."""


class BadCsv(FileProblem):
    """The CSV has other columns than its kind of file has, or a line with more or fewer values."""


class RepeatedElement(BadXml):
    """A record has an element twice that it may have once. The reader can set such elements aside."""


class TruncatedFile(FileProblem):
    """The file ends before its closing tags: some records are missing."""


class WrongEnvelope(FileProblem):
    """The message inside is not the one that the name of the file promises, or is of another dataset."""


class EmptyFile(FileProblem):
    """The file, its zip or its XML is empty, or a full file has no record."""


class UnsupportedKind(FileProblem):
    """A kind of file that is listed, and that cannot be loaded."""


class UnknownAnswer(PermanentError):
    """A register answered in an unknown form."""


class UnpackingEnded(RetryableError):
    """The process that unpacks a zip was killed."""


class RegisterChanged(RetryableError):
    """The register changed while its pages were read: some entries may have been missed."""


class WrongBytes(RetryableError):
    """The received bytes differ from those announced by the register, in MD5 or length."""

    def __init__(self, file_name: str, *, expected: str, actual: str) -> None:
        super().__init__(f"{file_name}: expected {expected}, got {actual}")
        self.file_name = file_name
        self.expected = expected
        self.actual = actual


class TooLarge(FileProblem):
    """More bytes than DOWNLOAD_MAX_BYTES allows."""


class NotAFile(FileProblem):
    """The server sent a page or a message instead of a zip."""


class LoadedOtherwise(PermanentError):
    """A file that was loaded as an excerpt is to be loaded as a whole, or the other way round."""

    def __init__(self, file_name: str, *, is_excerpt: bool) -> None:
        was = "an excerpt" if is_excerpt else "a whole file"
        super().__init__(f"{file_name} was loaded as {was}, which cannot be changed.")
        self.file_name, self.is_excerpt = file_name, is_excerpt


class BudgetExceeded(RetryableError):
    """STORAGE_BUDGET_BYTES is used up; a clean-up may free some of it."""


class StorageRefused(RetryableError):
    """A folder for files is full, or may not be written."""


class DatabaseRefused(RetryableError):
    """The database refused a statement of a load; what was committed before stays."""
