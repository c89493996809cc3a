"""manage.py scope show|set|backfill|prune"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from instruments.listings import scoping
from instruments.listings.api.scope import ScopeSerializer
from instruments.listings.load.pruning import Page
from instruments.listings.models.scope import KINDS
from instruments.models import Listing, Register, Scope
from marketdata.common import output

_HELP = {
    "categories": "first letters of CFI codes, as E D",
    "authorities": "countries of the competent authorities, as SE DE",
    "venues": "MICs, as XSTO",
    "isins": "always in scope; @FILE reads them from a file, one a line",
}


class Command(BaseCommand):
    help = "What of a register is loaded: show it, set it, and read anew what was loaded before."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="show|set|backfill|prune"
        )
        output.add_format(actions.add_parser("show", help="each register's scope and backlog"))
        setting = actions.add_parser(
            "set",
            help="the scope of a register; what is not named is open, and without anything all",
        )
        for kind in KINDS:
            setting.add_argument(f"--{kind}", nargs="+", default=[], help=_HELP[kind])
        filling = actions.add_parser(
            "backfill", help="read the files anew that were loaded with another scope"
        )
        filling.add_argument(
            "--dry-run", action="store_true", help="only say which, and which are not stored"
        )
        pruning = actions.add_parser("prune", help="delete what is out of scope; asks first")
        pruning.add_argument("--yes", action="store_true", help="do not ask")
        for each in (setting, filling, pruning):
            each.add_argument(
                "--register", choices=Register.values, default=Register.ESMA.value, help="(ESMA)"
            )

    def handle(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _show(self, options: dict[str, Any]) -> None:
        found = [Scope.objects.current(register) for register in Register]
        if options["format"] == "json":
            output.print_json(self.stdout, ScopeSerializer(found, many=True).data)
            return
        for scope in found:
            self.stdout.write(str(scope))
            self._say_backlog(scoping.backlog(Register(scope.register)))

    def _set(self, options: dict[str, Any]) -> None:
        register = Register(options["register"])
        try:
            criteria = {kind: _read(options[kind]) for kind in KINDS}
            scope = scoping.change(register, criteria)
        except ValidationError as error:
            problems = (
                f"--{kind}: {' '.join(messages)}" for kind, messages in error.message_dict.items()
            )
            raise CommandError("; ".join(problems)) from error
        self.stdout.write(str(scope))
        self._say_backlog(scoping.backlog(register))

    def _backfill(self, options: dict[str, Any]) -> None:
        register = Register(options["register"])
        found = scoping.backlog(register)
        self._say_backlog(found)
        if options["dry_run"]:
            for file in found.stored:
                self.stdout.write(f"{file.name}: would be read anew")
            return
        problems = []
        for loaded in scoping.backfill(register):
            if loaded.error is not None or loaded.run is None:
                problems.append(str(loaded.error or f"{loaded.file.name}: another worker has it"))
                continue
            run = loaded.run
            brought = run.new + run.changed + run.ended + run.late
            self.stdout.write(
                f"{loaded.file.name}: {run.read:,} records, {brought:,} brought something, "
                f"{run.outside:,} out of scope"
            )
        if problems:
            raise CommandError("; ".join(problems))

    def _prune(self, options: dict[str, Any]) -> None:
        register = Register(options["register"])
        try:
            listings, versions = self._through(scoping.outside(register), "looked at")
            if not listings:
                self.stdout.write("Nothing is out of scope.")
                return
            amount = f"{listings:,} listings and {versions:,} superseded records of the {register}"
            if not options["yes"]:
                self.stdout.write(f"{Scope.objects.current(register)}")
                answer = input(f"Delete {amount} that are out of scope? Type yes: ")
                if answer.strip().lower() != "yes":
                    raise CommandError("Nothing has been deleted.")
            self._through(scoping.prune(register), "looked at")
        except scoping.NothingToPrune as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Deleted {amount}; `scope backfill` loads what a wider scope includes.")

    def _through(self, pages: Iterator[Page], what: str) -> tuple[int, int]:
        listings = versions = 0
        hidden = not output.is_terminal()
        with Progress(console=Console(stderr=True), disable=hidden, transient=True) as bar:
            line = bar.add_task(what, total=Listing.objects.count())
            for page in pages:
                listings, versions = listings + page.listings, versions + page.versions
                bar.advance(line, page.examined)
        return listings, versions

    def _say_backlog(self, found: scoping.Backlog) -> None:
        if found.stored:
            self.stdout.write(
                f"{len(found.stored)} loaded files lack something of it: `scope backfill` reads them anew."
            )
        for file in found.gone:
            self.stderr.write(
                f"{file.name} lacks something of it and is not stored any more: "
                f"`download {file.name}` fetches it, if the register still has it."
            )


def _read(arguments: list[str]) -> list[str]:
    """Return the codes of the arguments and of files named as @FILE, separated by spaces or commas."""
    found: list[str] = []
    for argument in arguments:
        text = _text_of(Path(argument[1:])) if argument.startswith("@") else argument
        found += text.replace(",", " ").split()
    return found


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
