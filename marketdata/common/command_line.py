"""The command line of manage.py.

It names the option that an unknown one is probably meant to be, and starts all commands but Django's own
without the system checks, which import all pages and take a quarter of the start: `make check` runs them.
"""

import argparse
import difflib
from collections.abc import Iterator

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand

_SIMILAR = 0.6


class CommandLine(ManagementUtility):
    """Django's command line, with the differences above."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        if not type(command).__module__.startswith("django."):
            command.requires_system_checks = []
        if self.argv[1:2] == [subcommand]:  # and not `manage.py help COMMAND`
            self._check_options(command)
        return command

    def _check_options(self, command: BaseCommand) -> None:
        """End with a message if an option is unknown.

        The command then parses its arguments again, which takes two milliseconds: Django lets it take no
        other parser.
        """
        # Else the parser raises its errors instead of printing them.
        command._called_from_command_line = True  # type: ignore[attr-defined]
        parser = command.create_parser(self.argv[0], self.argv[1])
        _, unknown = parser.parse_known_args(self.argv[2:])
        if not unknown:
            return
        known = list(_list_options(parser, self.argv[2:]))
        hints = [_suggest(text.partition("=")[0], known) for text in unknown]
        message = f"unrecognized arguments: {' '.join(unknown)}"
        parser.error(". ".join([message, *filter(None, hints)]))


def _list_options(parser: argparse.ArgumentParser, arguments: list[str]) -> Iterator[str]:
    """Yield the options of a parser, and of the actions below it that the arguments name."""
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for name in dict.fromkeys(arguments):
                if name in action.choices:
                    yield from _list_options(action.choices[name], arguments)


def _suggest(option: str, known: list[str]) -> str:
    """Return the question whether a similar option was meant; "" for what is no option, or like none."""
    if not option.startswith("-"):
        return ""
    similar = difflib.get_close_matches(option, known, n=1, cutoff=_SIMILAR)
    return f"Did you mean {similar[0]}?" if similar else ""
