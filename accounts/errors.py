from collections.abc import Sequence

from marketdata.common.errors import PermanentError


class UnknownRole(PermanentError):
    """There is no role of this name."""

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        super().__init__(f"There is no role {name!r}; there are {', '.join(known)}.")
        self.name = name


class NotAllowed(PermanentError):
    """What was asked for is possible, and not for who asked."""


class ScopeTooWide(PermanentError):
    """A key was to hold permissions that it cannot hold."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"A key of yours cannot hold {', '.join(names)}.")
        self.names = names


class PermissionsNotHeld(PermanentError):
    """A role was to hold permissions that there are not, or that its maker lacks."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"There is no such permission, or you lack it: {', '.join(names)}.")
        self.names = names


class RoleExists(PermanentError):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is a role {name} already.")
        self.name = name
