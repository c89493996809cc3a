"""Write an entry of a zip to the standard output: a script that `unpacking.py` runs in a process of its own.

Its arguments are the number of an open file, and the place of the entry in the zip's directory. It ends with
an error and a message for a zip that is damaged. It imports nothing of the project, so that it starts at once
and stays small.
"""

import sys
import zipfile

_CHUNK = 1 << 16


def main() -> None:
    descriptor, place = map(int, sys.argv[1:])
    try:
        # A file of its own, whose position nobody else moves.
        with (
            zipfile.ZipFile(f"/dev/fd/{descriptor}") as archive,
            archive.open(archive.infolist()[place]) as entry,
        ):
            while chunk := entry.read(_CHUNK):
                sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        sys.stdout = None  # the reader has ended: nothing is flushed at exit
    except Exception as error:  # noqa: BLE001  # `unpacking.py` raises it again
        sys.exit(str(error) or type(error).__name__)


if __name__ == "__main__":
    main()
