#!/usr/bin/env python
"""Django's command line for this project."""

import errno
import os
import select
import signal
import sys

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from marketdata.common.command_line import CommandLine
from marketdata.common.database_advice import advise

# Errors of a place that may not be written.
_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_closed_by_reader(output: int) -> bool:
    """Return whether the reader of a pipe has ended, as in `manage.py changes | head -1`."""
    poll = select.poll()
    poll.register(output, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketdata.settings")
    try:
        CommandLine(sys.argv).execute()
    except ImproperlyConfigured as error:
        sys.exit(f"The configuration is not valid. {error}")
    except DatabaseError as error:
        # A migration that needs what it lacks has a fault, which the traceback shows.
        is_shown_whole = "--traceback" in sys.argv or sys.argv[1].startswith("migrate")
        if is_shown_whole or (advice := advise(error)) is None:
            raise
        sys.exit(advice)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # as shells report it
    except BrokenPipeError:
        if not is_closed_by_reader(sys.stdout.fileno()):
            raise  # of another pipe, or a connection
        # Python must not write again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if "--traceback" in sys.argv or error.errno not in _REFUSALS:
            raise
        sys.exit(f"{error}. Let this user write there, or choose another place (docs/settings.md).")
