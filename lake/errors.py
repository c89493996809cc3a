"""Errors of the lake."""

import sys

from marketdata.common.errors import NotInDatabase, PermanentError, RetryableError


class LakeNotInstalled(PermanentError):
    def __init__(self) -> None:
        super().__init__(
            "The package deltalake, which writes the lake, is not installed. Run:"
            f" {sys.executable} -m pip install -r requirements-lake.txt -c constraints.txt"
        )


class LakeUnavailable(RetryableError):
    """The folder or Blob Storage could not be read or written."""

    def __init__(self, table: str, problem: str) -> None:
        super().__init__(f"The table {table} of the lake could not be read or written: {problem}")


class LakeBusy(RetryableError):
    """Another process has published the table meanwhile."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"Another process has published the table {table} at the same time, so nothing was written."
            " Run `manage.py lake publish` again."
        )


class NoSuchTable(NotInDatabase):
    def __init__(self, name: str, names: list[str]) -> None:
        super().__init__(f"The lake has no table {name!r}. Its tables are: {', '.join(names)}.")


class NotPublished(NotInDatabase):
    def __init__(self, table: str, data_version: int | None = None) -> None:
        at = "" if data_version is None else f" at data version {data_version} or before"
        publish = "" if data_version is not None else " `manage.py lake publish` does so."
        super().__init__(f"The table {table} has not been published{at}.{publish}")
