"""Making a backup: one SQLite file, whole and checked before it has its name."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from cms.errors import InvalidInput, UnreadableFile, WrongState
from cms.models.engine import database_words, file_engine
from cms.services.backups import rows
from cms.services.backups.checking import (
    BankFacts,
    Migrations,
    check_file,
    facts_of,
    is_bank_itself,
    migration_of,
)

# What SQLite writes beside a file while it works on it.
_BESIDE = ("", "-journal", "-wal", "-shm")
_NO_ROOM = ("database or disk is full", "disk i/o error")


@dataclass(frozen=True, slots=True)
class Written:
    """What a backup holds, and its bytes."""

    facts: BankFacts
    size: int


def back_up(
    engine: Engine, file: Path, migrations: Migrations, *, replace: bool = False
) -> Written:
    """Write a copy of the bank as it is at one moment; whoever writes meanwhile does not wait.

    The file has its name once it is whole, checked and on the disk. It is for its
    owner's eyes alone, as it holds the hashes of passwords. What was deleted from the
    bank is not in it, not even between its rows.

    :raises InvalidInput: when there can be no such file
    :raises WrongState: when the bank itself cannot be copied
    """
    _require_place(engine, file, replace=replace)
    with _unfinished(file) as copy:
        if engine.dialect.name == "sqlite":
            _copy_sqlite(engine, copy)
        else:
            _copy_postgresql(engine, copy, migrations)
        try:
            check_file(copy, migrations)
        except UnreadableFile as error:
            raise WrongState(
                f"The copy does not pass its check, so the bank itself is at fault: "
                f"{error.problem} Nothing was written."
            ) from error
        with file_engine(copy, read_only=True).connect() as connection:
            facts = facts_of(connection)
        _keep(copy)
        size = copy.stat().st_size
        # Somebody else's file may have come meanwhile.
        _require_place(engine, file, replace=replace)
        copy.replace(file)
        _keep(file.parent)
    return Written(facts, size)


# --- the file --------------------------------------------------------------------------


def _require_place(engine: Engine, file: Path, *, replace: bool) -> None:
    """Refuse what cannot be, or must not become, a backup.

    :raises InvalidInput: with what to do
    """
    if is_bank_itself(engine, file):
        raise InvalidInput(f"{file} is the bank itself. Name another file.", field="file")
    if file.is_dir():
        raise InvalidInput(f"{file} is a folder. Name a file in it.", field="file")
    if file.exists() and not replace:
        raise InvalidInput(
            f"{file} is there already. Name another file, or overwrite it by --force.",
            field="file",
        )
    if not file.parent.is_dir():
        raise InvalidInput(f"There is no folder {file.parent}. Make it first.", field="file")


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """Give a new file beside `file`, readable by its owner alone; what is left of it goes."""
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{file.name[:80]}.", suffix=".part", dir=file.parent
        )
    except OSError as error:
        raise _unwritable(file, error.strerror or str(error)) from error
    os.close(descriptor)
    try:
        yield Path(name)
    except OSError as error:
        raise _unwritable(file, error.strerror or str(error)) from error
    finally:
        for ending in _BESIDE:
            Path(f"{name}{ending}").unlink(missing_ok=True)


def _unwritable(file: Path, cause: str) -> InvalidInput:
    return InvalidInput(
        f"{file} cannot be written ({cause}). Nothing was left behind: "
        "make room, or name a folder that has some and that you may write to.",
        field="file",
    )


def _keep(path: Path) -> None:
    """See to it that a file, or the names in a folder, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- the copy --------------------------------------------------------------------------


def _copy_sqlite(engine: Engine, copy: Path) -> None:
    """Copy an SQLite bank in one read transaction, which in WAL mode holds nobody up."""
    bank = Path(engine.url.database or "")
    if not bank.is_file() or bank.stat().st_size == 0:
        raise _no_bank(engine)
    error_type = engine.dialect.loaded_dbapi.Error
    pooled = engine.raw_connection()
    try:
        # Not the online backup: that copies pages that are free, too, with what was purged.
        pooled.driver_connection.execute("VACUUM INTO ?", (str(copy),))  # type: ignore[union-attr]
    except error_type as error:
        raise _failed(error) from error
    finally:
        pooled.close()
    with file_engine(copy).connect() as connection:
        # A file that can be read where nothing can be written.
        connection.connection.driver_connection.execute("PRAGMA journal_mode = DELETE")  # type: ignore[union-attr]


def _copy_postgresql(engine: Engine, copy: Path, migrations: Migrations) -> None:
    """Write what PostgreSQL holds at one moment into a bank that our migrations made."""
    with engine.connect() as source:
        source.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        at = migration_of(source)
        if at is None:
            raise _no_bank(engine)
        if at not in migrations.known:
            raise WrongState(
                f"The bank is at migration {at}, of a newer version of this program. "
                "Update the program, then back it up."
            )
        target = file_engine(copy)
        try:
            migrations.upgrade(target, at)
            with target.connect() as connection, connection.begin():
                with rows.without_triggers(connection):
                    _fill(connection, source)
                rows.go_on_from(connection, rows.numbers_of(source))
        except target.dialect.loaded_dbapi.Error as error:
            raise _failed(error) from error
        except DBAPIError as error:
            if error.connection_invalidated or not isinstance(
                error.orig, target.dialect.loaded_dbapi.Error
            ):
                raise
            raise _failed(error.orig) from error


def _fill(target: Connection, source: Connection) -> None:
    for table in rows.tables_of(target):
        if table == "alembic_version":
            continue
        columns = rows.columns_of(target, table)
        rows.clear(target, table)
        rows.put(target, table, list(columns), rows.read_postgresql(source, table, columns))


def _no_bank(engine: Engine) -> WrongState:
    where = engine.url.render_as_string(hide_password=True)
    return WrongState(f"There is no bank at {where} yet, so there is nothing to back up.")


def _failed(error: BaseException) -> Exception:
    """Return what to tell of an error of SQLite."""
    words = database_words(error)
    if words.lower() in _NO_ROOM:
        return OSError(errno.ENOSPC, words)
    return WrongState(
        f"The bank cannot be copied: {words}. If it is damaged, restore the last good backup; "
        "`python manage.py doctor` says more."
    )
