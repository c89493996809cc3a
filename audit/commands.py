"""Commands that change data, and are recorded in the audit trail."""

from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand

from audit import trail

# Options of every command, and those that change how it shows what it does.
_NOT_RECORDED = {
    *("verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color"),
    *("skip_checks", "stdout", "stderr", "format", "action"),
}
_MOST_VALUES, _LONGEST = 20, 200


class RecordedCommand(BaseCommand):
    """A command of which the audit trail has an event for each call, whether it succeeds or not.

    The event is `command.NAME` or, of a command with actions, `command.NAME_ACTION`, with the options that
    were given. None of them may be secret. `recorded_actions` are the actions that change data.
    """

    recorded_actions: ClassVar[frozenset[str]] = frozenset()

    def execute(self, *args: Any, **options: Any) -> str | None:
        name, action = type(self).__module__.rpartition(".")[2], options.get("action")
        if action is None or action in self.recorded_actions:
            trail.record(
                f"command.{name}_{action}" if action else f"command.{name}",
                new={
                    option: _describe(value)
                    for option, value in options.items()
                    if option not in _NOT_RECORDED and _is_given(value)
                },
            )
        return super().execute(*args, **options)


def _is_given(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [])


def _describe(value: Any) -> Any:
    """Return a value of an option in JSON types, of bounded length."""
    if isinstance(value, (list, tuple)):
        values = [_describe(item) for item in value[:_MOST_VALUES]]
        return (
            [*values, f"and {len(value) - _MOST_VALUES} more"] if value[_MOST_VALUES:] else values
        )
    if isinstance(value, (bool, int)):
        return value
    return str(value)[:_LONGEST] if not isinstance(value, Path) else str(value)[-_LONGEST:]
