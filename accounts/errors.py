"""Errors that the accounts app raises. The API answers them as marketdata/common/errors.py describes."""

from collections.abc import Sequence

from marketdata.common.errors import InvalidQuery, NotPermitted, WrongState


class UnknownRole(InvalidQuery):
    """A role was named that does not exist."""

    def __init__(self, name: str, *, existing_names: Sequence[str]) -> None:
        super().__init__(
            "roles",
            f"There is no role {name!r}. The existing roles are: {', '.join(existing_names)}.",
        )
        self.name = name


class RoleExists(InvalidQuery):
    """A new role has the name of an existing one."""

    def __init__(self, name: str) -> None:
        super().__init__("name", f"A role named {name!r} already exists.")
        self.name = name


class NotAllowed(NotPermitted):
    """The user who asks may not make this change, though it is possible."""


class ApiKeyLimitReached(WrongState):
    """A user has as many usable API keys as are allowed."""

    def __init__(self, username: str, *, limit: int) -> None:
        super().__init__(
            f"{username} already has {limit} usable API keys, which is the limit. Revoke one first."
        )


class ScopeTooWide(InvalidQuery):
    """An API key was requested with permissions that it cannot have."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "permissions",
            f"An API key of this user cannot have these permissions: {', '.join(names)}.",
        )
        self.names = names


class PermissionsNotHeld(InvalidQuery):
    """A role was given permissions that do not exist, or that the user who asks does not have."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "permissions",
            f"These permissions do not exist, or you do not have them: {', '.join(names)}.",
        )
        self.names = names
