"""Errors of backups and transfers; each message says what to do."""

from pathlib import Path

from marketdata.common.errors import PermanentError, RetryableError


class NotSqlite(PermanentError):
    """Only a SQLite file can be copied by this project; a server has backups of its own."""


class NoDatabase(PermanentError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"There is no database at {path}.")


class NoRoom(RetryableError):
    def __init__(self, folder: Path, *, needed: int, free: int) -> None:
        super().__init__(
            f"The disk of {folder} has {free:,} bytes free, and this takes up to {needed:,}:"
            " make room there (manage.py backup prune deletes old backups), or choose a place on another"
            " disk (BACKUP_DIR for backups, SQLITE_DB_PATH for the database)."
        )


class DamagedDatabase(PermanentError):
    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} is damaged: {problem}. Correct that; or stop the service, move it aside"
            " with its -wal and -shm files, and bring back a backup (manage.py backup restore)."
        )


class SqliteFailed(RetryableError):
    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: SQLite reports: {problem.rstrip('.')}. The database is unchanged."
        )


class BackupsBusy(RetryableError):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"Another backup, restore or prune is running in {folder}; try again.")


class UnknownBackup(PermanentError):
    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(f"There is no backup {name!r} in {folder}; see manage.py backup list.")


class DamagedBackup(PermanentError):
    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} is damaged: {problem}. Use another one: manage.py backup list.")


class OtherMigrations(PermanentError):
    """The database was migrated by a release with other migrations: a later one, or release 0.1.0."""

    def __init__(self, unknown: list[str]) -> None:
        shown = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if unknown[3:] else "")
        super().__init__(
            f"The database has migrations that this release lacks ({shown}), and was not changed. If a later"
            " release migrated it, use that release, or restore a backup that this one made. A database of"
            " release 0.1.0 cannot be migrated: load its stored files into a new database, as"
            " docs/moving.md describes."
        )


class OtherSchema(PermanentError):
    """The backup was made by a release with other migrations."""

    def __init__(self, name: str, *, release: str, lacks: list[str], has: list[str]) -> None:
        parts = [f"{name} is of another schema (made by release {release})"]
        parts += [f"it lacks {', '.join(lacks)}"] if lacks else []
        parts += [f"it has {', '.join(has)}, which this release does not know"] if has else []
        super().__init__(
            "; ".join(parts) + f". Restore it with release {release}, then upgrade and migrate."
        )


class DatabaseInUse(RetryableError):
    def __init__(self, path: Path, processes: list[str]) -> None:
        who = ": " + ", ".join(processes) if processes else ""
        super().__init__(
            f"Other processes have {path} open{who}. Stop the web server, the workers and every"
            " load, then try again."
        )


class UnknownDatabase(PermanentError):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"There is no database {name!r}. Known are {', '.join(known)} (docs/settings.md), and"
            " any file as sqlite:///path."
        )


class SameDatabase(PermanentError):
    def __init__(self, name: str) -> None:
        super().__init__(f"--from and --to are the same database: {name}.")


class SchemasDiffer(PermanentError):
    """A database has not had the migrations of this release, or has had others."""

    def __init__(self, which: str, *, lacks: list[str], unknown: list[str]) -> None:
        parts = [f"it lacks {', '.join(lacks)}: run migrate on it first"] if lacks else []
        if unknown:
            parts.append(f"it has {', '.join(unknown)}: use the release that knows them")
        super().__init__(f"The {which} is of another schema; " + "; ".join(parts) + ".")


class TargetInUse(PermanentError):
    """The target holds rows that no transfer of this source has put there."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. Nothing was written: give --to an empty database.")


class SourceChanged(PermanentError):
    def __init__(self, table: str, *, copied: int, now: int) -> None:
        super().__init__(
            f"{table}: {copied:,} rows were copied, and the source has {now:,} now, so it was"
            " written meanwhile. Stop what writes to it, and run transfer with --restart."
        )


class Unreadable(PermanentError):
    """A stored value is not valid for its column."""

    def __init__(self, *, table: str, key: object, column: str, problem: str) -> None:
        super().__init__(f"{table}, key {key}, {column}: {problem}")
        self.table, self.key, self.column = table, key, column


class RowRefused(PermanentError):
    """The target refuses a row; nothing after it has been copied."""

    def __init__(self, *, table: str, key: object, problem: str) -> None:
        super().__init__(
            f"{table}, key {key}: the target refuses this row: {problem}. The pages before"
            " it are copied; correct the row in the source, and run transfer again."
        )
        self.table, self.key = table, key


class MigrationsBusy(RetryableError):
    """Another process holds the lock for migrations."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Another process has been migrating this database for more than {seconds:g} s."
            " Wait until it has finished, then try again."
        )
