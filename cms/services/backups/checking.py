"""What a backup is: a file that passes every check before anything is done with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.exc import DBAPIError

from cms.errors import UnreadableFile
from cms.models import AuditEvent, Base, Question, Release, ReleaseCounter, User
from cms.models.engine import database_words, file_engine

# The first bytes of every SQLite file (https://sqlite.org/fileformat.html).
_MAGIC = b"SQLite format 3\0"
_OURS = {"account", "audit_event", "publication", "question", "release", "release_counter"}


@dataclass(frozen=True, slots=True)
class Migrations:
    """The history of the schema, as this program knows it.

    `known` are the numbers of all migrations, `head` the newest; `upgrade` brings
    the database of an engine to one of them.
    """

    head: str
    known: frozenset[str]
    upgrade: Callable[[Engine, str], None]


@dataclass(frozen=True, slots=True)
class BankFacts:
    """What a bank holds; `changed_at` is when the last thing was done in it."""

    questions: int
    accounts: int
    release: int
    released_at: datetime | None
    changed_at: datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.questions or self.accounts or self.release)


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that passed its checks, open for reading, at the newest migration.

    `made_at` is the migration at which it was made.
    """

    file: Path
    facts: BankFacts
    made_at: str
    connection: Connection


def facts_of(connection: Connection) -> BankFacts:
    """Count what a bank holds. Tables of the oldest migration on have these columns."""
    number = connection.scalar(select(ReleaseCounter.number)) or 0
    return BankFacts(
        questions=connection.scalar(select(func.count(Question.id))) or 0,
        accounts=connection.scalar(select(func.count(User.id))) or 0,
        release=number,
        released_at=connection.scalar(select(Release.at).where(Release.number == number)),
        changed_at=connection.scalar(select(func.max(AuditEvent.at))),
    )


def migration_of(connection: Connection) -> str | None:
    """Return the migration at which a database stands; None where it holds no bank."""
    tables = set(inspect(connection).get_table_names())
    if not tables >= _OURS | {"alembic_version"}:
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def is_bank_itself(engine: Engine, file: Path) -> bool:
    """Whether a file is the bank of an engine, by whatever name."""
    if engine.dialect.name != "sqlite":
        return False
    bank = Path(engine.url.database or "")
    return file.exists() and bank.exists() and file.samefile(bank)


@contextmanager
def checked(file: Path, migrations: Migrations) -> Iterator[Backup]:
    """Open a backup, after every check. One of an earlier version is brought up in a copy.

    :raises UnreadableFile: with what is wrong and what to do
    """
    made_at = check_file(file, migrations)
    if made_at == migrations.head:
        with _opened(file, made_at, file) as backup:
            yield backup
        return
    with tempfile.TemporaryDirectory(prefix="qbank-restore-") as folder:
        copy = Path(folder, "bank.db")
        try:
            _copy(file, copy)
            migrations.upgrade(file_engine(copy), migrations.head)
        except (DBAPIError, OSError) as error:
            raise UnreadableFile(
                str(file),
                f"it is of an earlier version, and cannot be brought up in {folder}"
                f" ({_cause(error)}). Make room there, or set TMPDIR to a folder that has some.",
            ) from error
        with _opened(copy, made_at, file) as backup:
            yield backup


def check_file(file: Path, migrations: Migrations) -> str:
    """Look through the whole file and return the migration at which it was made.

    :raises UnreadableFile: with what is wrong and what to do
    """
    _require_sqlite(file)
    engine = file_engine(file, read_only=True)
    try:
        with engine.connect() as connection:
            made_at = migration_of(connection)
            if made_at is None:
                raise UnreadableFile(str(file), "it is an SQLite file, but it holds no bank.")
            if made_at not in migrations.known:
                raise UnreadableFile(
                    str(file),
                    f"a newer version of this program made it (migration {made_at}; this one knows "
                    f"those up to {migrations.head}). Update the program, then try again.",
                )
            for fault in _faults(connection):
                raise UnreadableFile(str(file), f"it is damaged ({fault}). Take another backup.")
    except DBAPIError as error:
        raise UnreadableFile(
            str(file), f"it is damaged ({_cause(error)}). Take another backup."
        ) from error
    return made_at


def _require_sqlite(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            found = opened.read(len(_MAGIC))
    except FileNotFoundError as error:
        raise UnreadableFile(str(file), "there is no such file.") from error
    except OSError as error:
        raise UnreadableFile(str(file), f"it cannot be read ({error.strerror}).") from error
    if found != _MAGIC:
        raise UnreadableFile(
            str(file),
            "it is no SQLite file, so it is no backup of a bank. "
            "Exports are brought in by `python manage.py import`.",
        )


def _faults(connection: Connection) -> Iterator[str]:
    for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(1)"):
        if line != "ok":
            yield " ".join(str(line).split())
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"a row of '{row[0]}' names one of '{row[2]}' that is not there"


def _copy(file: Path, copy: Path) -> None:
    """Copy an SQLite file with what its log still holds."""
    copy.touch(mode=0o600)
    source, target = file_engine(file, read_only=True), file_engine(copy)
    with source.connect() as reading, target.connect() as writing:
        _driver(reading).backup(_driver(writing))


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def _opened(path: Path, made_at: str, file: Path) -> Iterator[Backup]:
    with file_engine(path, read_only=True).connect() as connection:
        inspector = inspect(connection)
        for table in Base.metadata.sorted_tables:
            there = {column["name"] for column in inspector.get_columns(table.name)}
            for missing in [column.name for column in table.columns if column.name not in there]:
                raise UnreadableFile(
                    str(file),
                    f"its table '{table.name}' has no '{missing}': "
                    "it is no backup that this program made. Take another one.",
                )
        yield Backup(file, facts_of(connection), made_at, connection)


def _cause(error: Exception) -> str:
    """Return a database's or the system's own words."""
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    return database_words(error)
