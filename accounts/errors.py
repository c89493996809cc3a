"""Errors that the accounts app raises."""

from collections.abc import Sequence

from marketdata.common.errors import PermanentError


class UnknownRole(PermanentError):
    """A role was named that does not exist."""

    def __init__(self, name: str, *, existing_names: Sequence[str]) -> None:
        super().__init__(
            f"There is no role {name!r}. The existing roles are: {', '.join(existing_names)}."
        )
        self.name = name


class RoleExists(PermanentError):
    """A new role has the name of an existing one."""

    def __init__(self, name: str) -> None:
        super().__init__(f"A role named {name!r} already exists.")
        self.name = name


class NotAllowed(PermanentError):
    """The user who asks may not make this change, though it is possible."""


class ScopeTooWide(PermanentError):
    """An API key was requested with permissions that it cannot have."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"An API key of this user cannot have these permissions: {', '.join(names)}."
        )
        self.names = names


class PermissionsNotHeld(PermanentError):
    """A role was given permissions that do not exist, or that the user who asks does not have."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"These permissions do not exist, or you do not have them: {', '.join(names)}."
        )
        self.names = names
