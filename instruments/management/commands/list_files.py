"""manage.py list_files send|list|answers|delete"""

import contextlib
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from esma_files import queue
from esma_files.descriptions import describe_runs
from instruments.list_files import keeping
from instruments.management.whole_files import write_whole_file
from instruments.models import ListFile, Register
from marketdata.common import command_options, named_files, output
from marketdata.common.errors import MarketDataError, NotInDatabase
from marketdata.common.numbers import format_count

_COLUMNS = ("number", "name", "question", "lines", "state", "done", "is_answered", "expires_at")
_CHUNK_BYTES = 1 << 18


class Command(BaseCommand):
    help = (
        "Have a worker answer files of up to a million lines, as the API and the page /check/files/ do. The"
        " commands check_list and lookup answer at once, and files of any length."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        send = actions.add_parser("send", help="store a file, and queue the run that answers it")
        send.add_argument("path", type=Path, metavar="FILE")
        send.add_argument("--question", choices=ListFile.Question.values, default="reportability")
        for name, text in (
            ("on", "day for lines that name none (reportability; default: today)"),
            ("known_on", "use only what had been published by this day (reportability)"),
        ):
            send.add_argument(f"--{name}", type=command_options.day, help=text)
        send.add_argument("--register", type=str.upper, choices=Register.values)
        listing = actions.add_parser("list", help="the files with the progress of their runs")
        answers = actions.add_parser("answers", help="write the answers for a file")
        answers.add_argument("number", type=int)
        answers.add_argument("path", type=Path, metavar="FILE")
        delete = actions.add_parser("delete", help="delete a file with its answers")
        delete.add_argument("number", type=int)
        for action in (send, listing, answers, delete):
            action.add_argument(
                "--owner", default="", help="user name; default: files of commands, of no user"
            )
        output.add_format(listing)

    def handle(self, *, action: str, **options: Any) -> None:
        owner = options["owner"]
        if owner and not get_user_model().objects.filter(username=owner).exists():
            raise CommandError(f"There is no user {owner}.")
        try:
            getattr(self, f"_{action}")(owner, options)
        except MarketDataError as error:
            raise CommandError(str(error)) from error

    def _send(self, owner: str, options: dict[str, Any]) -> None:
        path: Path = options["path"]
        names = ("on", "known_on", "register")
        parameters = {name: str(options[name]) for name in names if options[name]}
        with named_files.open_bytes(path) as file:
            list_file = keeping.create(
                owner,
                iter(lambda: file.read(_CHUNK_BYTES), b""),
                question=options["question"],
                name=path.name,
                parameters=parameters,
            )
        self.stdout.write(
            f"List {list_file.pk}: "
            f"{format_count(list_file.lines, 'line waits', 'lines wait')} for a worker."
        )
        if not queue.has_worker():
            self.stderr.write(self.style.WARNING(queue.NO_WORKER))

    def _list(self, owner: str, options: dict[str, Any]) -> None:
        lists = list(keeping.select(owner))
        runs = describe_runs(map(keeping.get_run, lists))
        rows = [
            {**keeping.describe(list_file), "state": run["state"], "done": run["done"], "run": run}
            for list_file, run in zip(lists, runs, strict=True)
        ]
        output.print_rows(
            self.stdout,
            rows,
            options["format"],
            columns=_COLUMNS,
            numbers=["number", "lines", "done"],
            if_empty=f"There are no files {_describe_owner(owner)}.",
        )

    def _answers(self, owner: str, options: dict[str, Any]) -> None:
        list_file = _get_list(options["number"], owner)
        with contextlib.closing(keeping.open_answers(list_file)) as answers:
            write_whole_file(options["path"], answers)
        keeping.record_download(list_file)

    def _delete(self, owner: str, options: dict[str, Any]) -> None:
        keeping.delete(_get_list(options["number"], owner))
        self.stdout.write(f"List {options['number']} is deleted.")


def _get_list(number: int, owner: str) -> ListFile:
    try:
        return keeping.get_list(number, owner)
    except NotInDatabase as error:
        raise CommandError(f"There is no list {number} {_describe_owner(owner)}.") from error


def _describe_owner(owner: str) -> str:
    return f"of {owner}" if owner else "of commands; --owner NAME is for those of a user"
