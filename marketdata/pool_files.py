"""Where Celery's pool of processes has its temporary files."""

import tempfile
from multiprocessing import process
from typing import Any

from celery import bootsteps


class PoolFilesInNoFolder(bootsteps.Step):
    """A step of Celery's worker: its pool puts its files into the folder of temporary files itself.

    The pool shares memory with its processes by files that it deletes as soon as they are open. It would
    create a folder for them, which stays behind each time that a worker is killed.
    """

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        process.current_process()._config["tempdir"] = tempfile.gettempdir()  # type: ignore[attr-defined]
