"""manage.py scope show|set|backfill|prune"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from audit.commands import RecordedCommand
from instruments.listings import scoping
from instruments.listings.load.pruning import Page
from instruments.listings.models.scope import KINDS
from instruments.models import Listing, Register, Scope
from marketdata.common import named_files, output
from marketdata.common.numbers import format_count
from marketdata.common.questions import is_confirmed

_HELP = {
    "categories": "first letters of CFI codes, as E D",
    "authorities": "countries of competent authorities, as SE DE",
    "venues": "MICs, as XSTO",
    "isins": "always in scope; @FILE reads them from a file, one a line",
}


class Command(RecordedCommand):
    help = "Show or set the records of a register that are loaded, and apply a new scope to loaded files."
    # The others record what they do themselves. Of a prune that is killed there is this event alone.
    recorded_actions = frozenset({"backfill", "prune"})

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="show|set|backfill|prune"
        )
        output.add_format(
            actions.add_parser("show", help="show the scope and the backlog of each register")
        )
        setting = actions.add_parser(
            "set",
            help="set the scope of a register; omitted criteria are open, and without any, all is loaded",
        )
        for kind in KINDS:
            setting.add_argument(f"--{kind}", nargs="+", default=[], help=_HELP[kind])
        filling = actions.add_parser(
            "backfill", help="read the files again that were loaded with a narrower scope"
        )
        filling.add_argument(
            "--dry-run",
            action="store_true",
            help="only list the files, and those that are not stored",
        )
        pruning = actions.add_parser(
            "prune", help="delete records that are out of scope, after confirmation"
        )
        pruning.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        for parser_of_action in (setting, filling, pruning):
            parser_of_action.add_argument(
                "--register",
                choices=Register.values,
                default=Register.ESMA.value,
                help="default: ESMA",
            )

    def handle(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _show(self, options: dict[str, Any]) -> None:
        scopes = [Scope.objects.current(register) for register in Register]
        if options["format"] == "json":
            described = [scoping.describe_scope(scope) for scope in scopes]
            output.print_json(self.stdout, described)
            return
        for scope in scopes:
            self.stdout.write(str(scope))
            self._print_backlog(scoping.backlog(Register(scope.register)))

    def _set(self, options: dict[str, Any]) -> None:
        register = Register(options["register"])
        try:
            criteria = {kind: _read(options[kind]) for kind in KINDS}
            scope = scoping.change(register, criteria)
        except named_files.FileUnusable as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            problems = (
                f"--{kind}: {' '.join(messages)}" for kind, messages in error.message_dict.items()
            )
            raise CommandError("; ".join(problems)) from error
        self.stdout.write(str(scope))
        self._print_backlog(scoping.backlog(register))

    def _backfill(self, options: dict[str, Any]) -> None:
        register = Register(options["register"])
        backlog = scoping.backlog(register)
        self._print_backlog(backlog)
        if not backlog.stored:
            self.stdout.write("No stored file has to be read again.")
        if options["dry_run"]:
            for file in backlog.stored:
                self.stdout.write(f"{file.name}: would be read again")
            return
        problems = []
        for loaded in scoping.backfill(register):
            if loaded.error is not None or loaded.run is None:
                problems.append(
                    str(loaded.error or f"{loaded.file.name}: another worker is loading it")
                )
                continue
            run = loaded.run
            applied = run.new + run.changed + run.ended + run.late
            self.stdout.write(
                f"{loaded.file.name}: {format_count(run.read, 'record')}, {applied:,} of them applied, "
                f"{run.outside:,} out of scope"
            )
        if problems:
            raise CommandError("; ".join(problems))

    def _prune(self, options: dict[str, Any]) -> None:
        register = Register(options["register"])
        try:
            listings, versions = self._go_through(scoping.outside(register))
            if not listings:
                scoping.tidy()
                self.stdout.write("Nothing is out of scope.")
                return
            amount = (
                f"{format_count(listings, 'listing')} and"
                f" {format_count(versions, 'superseded record')} of the {register}"
            )
            if not options["yes"]:
                self.stdout.write(f"{Scope.objects.current(register)}")
                if not is_confirmed(f"Delete {amount} that are out of scope? Type yes: "):
                    raise CommandError(
                        "Nothing has been deleted. With --yes the command does not ask."
                    )
            self._go_through(scoping.prune(register))
        except scoping.NothingToPrune as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Deleted {amount}; `scope backfill` loads what a wider scope includes.")

    def _go_through(self, pages: Iterator[Page]) -> tuple[int, int]:
        """Return the number of listings and of versions on all pages; shows a progress bar."""
        listings = versions = 0
        hidden = not output.is_terminal()
        with Progress(console=Console(stderr=True), disable=hidden, transient=True) as bar:
            line = bar.add_task("examined", total=Listing.objects.count())
            for page in pages:
                listings, versions = listings + page.listings, versions + page.versions
                bar.advance(line, page.examined)
        return listings, versions

    def _print_backlog(self, backlog: scoping.Backlog) -> None:
        if backlog.stored:
            self.stdout.write(
                f"Loaded files that do not cover this scope: {len(backlog.stored)}."
                " `scope backfill` reads them again."
            )
        for file in backlog.not_stored:
            self.stderr.write(
                f"{file.name} does not cover this scope and is no longer stored: "
                f"`download {file.name}` fetches it if the register still has it."
            )


def _read(arguments: list[str]) -> list[str]:
    """Return the codes of the arguments and of files named as @FILE, separated by spaces or commas.

    Raises FileUnusable.
    """
    codes: list[str] = []
    for argument in arguments:
        is_file = argument.startswith("@")
        text = named_files.read_text(argument[1:]) if is_file else argument
        added = text.replace(",", " ").split()
        if is_file and not added:  # without a criterion, all would be loaded
            raise named_files.FileUnusable(argument[1:], "it has no code.")
        codes += added
    return codes
