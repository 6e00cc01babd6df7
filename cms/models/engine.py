"""Engines: how each database is opened, and which transactions may write.

On SQLite the writing engine begins with BEGIN IMMEDIATE, so that a
read-then-write never fails half-way with SQLITE_BUSY_SNAPSHOT; inside
`reading()` it begins plainly, so that a page view never waits for a running
import. PostgreSQL needs neither.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url

try:  # The wheel bundles a SQLite without the WAL-reset corruption bug (fixed in 3.51.3).
    from pysqlite3 import dbapi2 as sqlite
except ImportError:
    import sqlite3 as sqlite

SQLITE_VERSION: str = sqlite.sqlite_version

# Milliseconds that a SQLite writer waits for another one.
BUSY_TIMEOUT = 20_000

# What a connection that writes a whole bank may keep in memory (64 MB): with SQLite's own 2 MB it
# would write the pages of indexes again and again.
BULK_CACHE = "cache_size = -64000"

FOUR_EYES = "four_eyes"
"""The execution option of an engine whose bank demands that two people see what is published."""

ATTEMPTS = "attempts"
"""The execution option of an engine that holds where attempts are counted, if not in its bank."""

_reading: ContextVar[bool] = ContextVar("reading", default=False)


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Transactions begun inside take no write lock (SQLite) and must not write."""
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Transactions begun inside may write, even where `reading()` is around them."""
    token = _reading.set(False)
    try:
        yield
    finally:
        _reading.reset(token)


def engine_options(url: str) -> dict[str, Any]:
    """Return the keyword arguments of `create_engine` for a database address."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"module": sqlite, "pool_size": 16, "max_overflow": 32}
    return {"pool_size": 8, "max_overflow": 16, "pool_pre_ping": True}


def configure_engine(engine: Engine, *, read_only: bool = False) -> None:
    """Install what every connection of `engine` needs. `read_only` refuses every write."""
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine, read_only=read_only)
    elif read_only:

        @event.listens_for(engine, "connect")
        def _set_read_only(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY,"
                    " ISOLATION LEVEL REPEATABLE READ"
                )
            connection.commit()


def _configure_sqlite(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, _record: Any) -> None:
        # The driver's own transaction control would send a plain BEGIN.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT}",
            "journal_mode = WAL",
            # An acknowledged edit survives a power cut; about 180 commits a second is ample.
            "synchronous = FULL",
            "foreign_keys = ON",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        plain = read_only or _reading.get()
        connection.exec_driver_sql("BEGIN" if plain else "BEGIN IMMEDIATE")


def database_words(error: BaseException) -> str:
    """Return what the database itself said of an error, in one line."""
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]


def file_engine(path: Path, *, read_only: bool = False) -> Engine:
    """Return an engine on an SQLite file that is no bank at work: a backup, or one in the making.

    Nothing is written beside the file that outlives a transaction, and nothing waits for the disk:
    whoever makes such a file asks the system to keep it when it is whole.
    """
    mode = "ro" if read_only else "rw"
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    engine = create_engine(
        "sqlite://",
        module=sqlite,
        creator=lambda: sqlite.connect(address, uri=True, isolation_level=None),
        poolclass=NullPool,
    )
    if not read_only:

        @event.listens_for(engine, "connect")
        def _set_pragmas(connection: Any, _record: Any) -> None:
            for pragma in ("journal_mode = MEMORY", "synchronous = OFF", BULK_CACHE):
                connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
