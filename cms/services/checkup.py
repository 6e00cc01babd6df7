"""Looking a bank over: each finding says what is well, or what to do. Nothing is written."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, func, make_url, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cms.models import Job, ReleaseCounter, User
from cms.models.engine import SQLITE_VERSION, database_words, engine_options, file_engine
from cms.services.backups.checking import migration_of
from cms.services.jobs import LEASE
from cms.vocabulary import JobState, Role

# SQLite versions from the first to the last with the WAL-reset bug, which can corrupt a bank
# that two connections write or checkpoint at the same moment.
CORRUPTING = ((3, 7, 0), (3, 51, 2))
CHECK_SECONDS = 10.0
"""How long the rows of an SQLite bank are looked through at most."""
CONNECT_SECONDS = 5
LITTLE_SPACE = 50_000_000  # bytes: less is a fault, as it is to /readyz
SOME_SPACE = 500_000_000  # bytes of kept exports that one server process may have
# Pages, or instructions, of SQLite between two looks at the clock.
_STEPS = 1_000


class State(StrEnum):
    """How grave a finding is: a fault has to be mended, a warning should be looked at."""

    ok = "ok"
    warning = "warning"
    fault = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and what to do about it, if anything."""

    what: str
    state: State
    found: str
    remedy: str = ""


def well(what: str, found: str) -> Finding:
    return Finding(what, State.ok, found)


def warning(what: str, found: str, remedy: str) -> Finding:
    return Finding(what, State.warning, found, remedy)


def fault(what: str, found: str, remedy: str) -> Finding:
    return Finding(what, State.fault, found, remedy)


def look_at_bank(url: str, known: Collection[str], head: str, *, at: datetime) -> Iterator[Finding]:
    """Yield what is found of the database at an address, and of the bank in it.

    `known` are this program's migrations, `head` is the newest.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "")
        yield from _look_at_file(path)
        if not path.is_file():
            return
        engine = file_engine(path, read_only=True)
    else:
        engine = _postgresql(url)
    shown = address.render_as_string(hide_password=True)
    yield from _look_inside(engine, shown, known, head, at=at)


def look_at_replica(url: str, bank_url: str) -> Finding:
    """Say whether the database that readers read answers, and how far it is behind."""
    what = "read database"
    try:
        found, newest = (_release(each) for each in (url, bank_url))
    except SQLAlchemyError as error:
        return fault(
            what, f"cannot be read: {database_words(error)}", "Look at CMS_READ_DATABASE_URL."
        )
    if found == newest:
        return well(what, f"at release {found}, like the bank")
    return warning(
        what,
        f"at release {found}, the bank at {newest}",
        "If it stays behind, look at the replication.",
    )


def look_at_folder(what: str, folder: Path, *, needed: int = 0) -> Finding:
    """Say how much room there is where something is written; `needed` bytes would be good."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return fault(what, f"{folder}: {error.strerror}", "Look at the folder and its disk.")
    found = f"{megabytes(free)} free in {there}"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return fault(what, f"{there} cannot be written", "Give this account the right to write.")
    if free < LITTLE_SPACE:
        return fault(what, found, "Make room: saving fails soon.")
    if free < max(SOME_SPACE, needed):
        return warning(what, found, "Make room: a backup or a kept export may not fit.")
    return well(what, found)


def megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:,.1f} GB"


# --- the database ----------------------------------------------------------------------


def _look_at_file(path: Path) -> Iterator[Finding]:
    what = "database"
    if not path.parent.is_dir():
        yield fault(what, f"there is no folder {path.parent}", "Make it, or set CMS_DATABASE_URL.")
    elif not path.exists():
        yield fault(what, f"there is no file {path}", "Make a bank: python manage.py init")
    elif not path.is_file():
        yield fault(what, f"{path} is no file", "Set CMS_DATABASE_URL to a file.")
    elif not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        yield fault(
            what,
            f"{path} or its folder cannot be written",
            "Give this account the right to write both: SQLite keeps its log beside the file.",
        )
    else:
        yield well(what, f"SQLite, {path}, {megabytes(path.stat().st_size)}")
    yield look_at_version(SQLITE_VERSION)


def look_at_version(version: str) -> Finding:
    """Say whether a version of SQLite can be trusted with a bank."""
    number = tuple(int(part) for part in version.split("."))
    if CORRUPTING[0] <= number <= CORRUPTING[1]:
        return warning(
            "SQLite",
            f"{version} can corrupt a bank that two connections write at once",
            "Use 3.51.3 or newer: install the package pysqlite3, or a Python that has it.",
        )
    return well("SQLite", version)


def _postgresql(url: str) -> Engine:
    options = engine_options(url) | {"connect_args": {"connect_timeout": CONNECT_SECONDS}}
    return create_engine(url, **options)


def _look_inside(
    engine: Engine, shown: str, known: Collection[str], head: str, *, at: datetime
) -> Iterator[Finding]:
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                yield from _look_at_pages(connection)
            else:
                version = connection.exec_driver_sql("SHOW server_version").scalar()
                yield well("database", f"PostgreSQL {version}, {shown}")
            found = migration_of(connection)
            yield _look_at_migration(found, known, head)
            if found == head:
                with Session(connection) as session:
                    yield _look_at_accounts(session)
                    yield from _look_at_jobs(session, at)
    except SQLAlchemyError as error:
        yield fault(
            "database",
            f"{shown} cannot be used: {database_words(error)}",
            "Is it running, and CMS_DATABASE_URL right? A damaged bank is restored from a backup.",
        )
    finally:
        engine.dispose()


def _look_at_pages(connection: Connection) -> Iterator[Finding]:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    if mode == "wal":
        yield well("journal", "WAL: readers and writers do not wait for each other")
    else:
        yield warning(
            "journal",
            f"'{mode}', not WAL: readers wait for writers",
            "The next start sets it; if it stays, move the bank to a local disk.",
        )
    end = time.monotonic() + CHECK_SECONDS

    def is_late() -> bool:
        return time.monotonic() > end

    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(is_late, _STEPS)
    try:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except SQLAlchemyError:
        # What the driver says depends on what was being done.
        if not is_late():
            raise
        yield well(
            "integrity",
            f"nothing wrong in {CHECK_SECONDS:.0f} seconds, and not all looked at; "
            "a backup looks at all",
        )
        return
    finally:
        driver.set_progress_handler(None, 0)
    if found == "ok":
        yield well("integrity", "every row can be read")
    else:
        yield fault(
            "integrity",
            f"damaged: {' '.join(str(found).split())}",
            "Keep the file aside and restore the last good backup: python manage.py restore FILE",
        )


def _look_at_migration(found: str | None, known: Collection[str], head: str) -> Finding:
    what = "migrations"
    if found is None:
        return fault(what, "the database holds no bank", "Make one: python manage.py init")
    if found == head:
        return well(what, f"{found}, the newest")
    if found in known:
        return fault(what, f"{found}, not {head}", "Run python manage.py db upgrade")
    return fault(
        what, f"{found}, of a newer version of this program", "Update the program to that version."
    )


def _release(url: str) -> int:
    if make_url(url).get_backend_name() == "sqlite":
        engine = file_engine(Path(make_url(url).database or ""), read_only=True)
    else:
        engine = _postgresql(url)
    try:
        with engine.connect() as connection:
            return connection.scalar(select(ReleaseCounter.number)) or 0
    finally:
        engine.dispose()


# --- the bank ---------------------------------------------------------------------------


def _look_at_accounts(session: Session) -> Finding:
    what = "accounts"
    count = session.scalar(select(func.count(User.id))) or 0
    admins = session.scalars(
        select(User.password_hash.is_not(None)).where(
            User.role == Role.admin, User.disabled_at.is_(None)
        )
    ).all()
    found = f"{count} in all, active administrators: {len(admins)}"
    if not count:
        return warning(what, "none yet", "Make the first: python manage.py init")
    if not admins:
        return warning(what, found, "Make one: python manage.py user add NAME --role admin")
    if not any(admins):
        return warning(
            what,
            f"{found}, none with a password",
            "Make a link that sets one: python manage.py user reset NAME",
        )
    return well(what, found)


def _look_at_jobs(session: Session, at: datetime) -> Iterator[Finding]:
    def count(*criteria: Any) -> int:
        return session.scalar(select(func.count(Job.id)).where(*criteria)) or 0

    held = (Job.state == JobState.running) & (Job.lease_until >= at)
    left = (Job.state == JobState.running) & (Job.lease_until < at)
    due = or_((Job.state == JobState.queued) & (Job.run_at <= at), left)
    running, waiting = count(held), count(due)
    later = count(Job.state == JobState.queued, Job.run_at > at)
    yield well("jobs", f"{waiting} waiting, {running} running, {later} for later")
    oldest = session.scalar(select(func.min(Job.run_at)).where(due))
    if running:
        yield well("worker", "at work")
    elif oldest is None:
        yield well("worker", "nothing waits for one")
    elif at - oldest > LEASE:
        yield warning(
            "worker",
            f"the oldest job has waited for {_span(at - oldest)}, and nobody is at work",
            "`serve` runs one; behind another server keep python manage.py work running.",
        )
    else:
        yield well("worker", f"the oldest job has waited for {_span(at - oldest)}")


def _span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    raise AssertionError
