"""Putting a backup in the place of a bank: in one transaction, while servers run.

Whoever reads sees the bank that was there until all of the other one is. Whoever
writes waits, from before the safety copy is made: nothing that was saved is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.formats.item import Item
from cms.models import AuditEvent, Base, Job, Question, ReleaseCounter
from cms.models.engine import BULK_CACHE, database_words
from cms.services.audit import record
from cms.services.backups import rows
from cms.services.backups.checking import Backup, BankFacts, facts_of
from cms.services.backups.continuing import Former
from cms.services.errata import RESTORE, highest_number
from cms.services.releases import open_release
from cms.vocabulary import JobState

LOCK_SECONDS = 20
"""How long a restore waits for those who are writing."""
READERS_MILLISECONDS = 1_000
"""How long it then waits for readers of the former bank to let go of SQLite's log."""
# A log-in, a link and a failed log-in belong to their time; who is there now is not known;
# figures are counted anew.
NOT_RESTORED = frozenset({"figures", "login_attempt", "login_session", "one_time_link", "presence"})
# The columns that say which release changed a public row last.
RELEASED = {
    "publication": ("release",),
    "publication_tag": ("release",),
    "published_correction": ("release",),
    "published_deck": ("release", "changed_in"),
}
_INTERRUPTED = "The bank was replaced by a backup of it while this ran. Nothing was written."


@dataclass(slots=True)
class Restored:
    """What a restore did: what it replaced, the release that readers have now.

    `purged_again` are questions (uid, stem) that the replaced bank had purged, and
    that are back.
    """

    replaced: BankFacts
    release: int
    purged_again: list[tuple[str, str]] = field(default_factory=list)


def restore(
    engine: Engine, backup: Backup, *, at: datetime, keep: Callable[[], None] | None = None
) -> Restored:
    """Replace the bank of `engine` by a backup, and commit; a failure leaves it as it was.

    `keep` is called when nobody can write any more, before anything is replaced. All
    log-ins end. Over a bank that published something, a release above both numbers
    follows, in which every public row counts as changed.

    :raises WrongState: when the database is busy, or does not take what the backup holds
    """
    tables = [table.name for table in Base.metadata.sorted_tables]
    try:
        with _replacing(engine) as connection:
            replaced = facts_of(connection)
            if keep is not None:
                keep()
            memory = _Memory.of(connection)
            number = max(replaced.release, backup.facts.release) + 1 if replaced.release else None
            former = Former.remember(connection) if number else None
            for table in reversed(tables):
                rows.clear(connection, table)
            for table in tables:
                if table not in NOT_RESTORED:
                    _take(connection, backup, table, number)
            rows.go_on_from(connection, rows.numbers_of(backup.connection))
            return _go_on(connection, backup, memory, former, number, replaced, at)
    except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        raise _refused(error) from error


def _take(connection: Connection, backup: Backup, table: str, number: int | None) -> None:
    """Copy a table of the backup; with the number of a release, its public rows become of that."""
    columns = [column.name for column in Base.metadata.tables[table].columns]
    instead: dict[str, str] = {}
    if number is not None:
        instead = {name: str(number) for name in RELEASED.get(table, ())}
        if table == "publication":
            driver: Any = backup.connection.connection.driver_connection
            driver.create_function("of_release", 1, _of_release(number), deterministic=True)
            instead["document"] = "of_release(document)"
    rows.put(
        connection, table, columns, rows.read_sqlite(backup.connection, table, columns, instead)
    )


def _of_release(number: int) -> Callable[[str], str]:
    """Return what writes a release into a question's document."""
    decoder = msgspec.json.Decoder(Item)
    encoder = msgspec.json.Encoder()

    def change(document: str) -> str:
        item = decoder.decode(document)
        item.release = number
        return encoder.encode(item).decode()

    return change


def _go_on(
    connection: Connection,
    backup: Backup,
    memory: _Memory,
    former: Former | None,
    number: int | None,
    replaced: BankFacts,
    at: datetime,
) -> Restored:
    """Make the restored rows a bank at work, and write down what happened."""
    with Session(connection) as session:
        _free_jobs(session, memory, at)
        if former is not None and number is not None:
            session.execute(update(ReleaseCounter).values(number=number - 1))
            open_release(session, by=None, at=at, summary="Restored from a backup")
            former.go_on(session, number, at=at)
        release = number or backup.facts.release
        record(
            session,
            by=None,
            at=at,
            action=RESTORE,
            about=f"release:{release}",
            file=backup.file.name,
            release=backup.facts.release,
            replaced=replaced.release,
            highest_correction=memory.highest_correction,
        )
        session.flush()
        back = session.execute(
            select(Question.uid, Question.stem).where(Question.uid.in_(memory.purged))
        )
        return Restored(replaced, release, [(uid, stem) for uid, stem in back])


def _free_jobs(session: Session, memory: _Memory, at: datetime) -> None:
    """Let jobs begin anew that were running in the backup: no worker of today holds one.

    Those that ran a moment ago keep their numbers, as failed: their workers find
    that, and write nothing into the other bank.
    """
    session.execute(
        update(Job)
        .where(Job.state == JobState.running)
        .values(state=JobState.queued, lease_until=None, attempts=0, progress=0, total=None)
        .execution_options(synchronize_session=False)
    )
    known = set(session.scalars(select(Job.id).where(Job.id.in_([j["id"] for j in memory.jobs]))))
    left = [
        job
        | {
            "state": JobState.failed,
            "error": _INTERRUPTED,
            "lease_until": None,
            "by_id": None,
            "finished_at": at,
        }
        for job in memory.jobs
        if job["id"] not in known
    ]
    if left:
        session.execute(insert(Job), left)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What has to be known of the replaced bank, besides what was public."""

    jobs: list[dict[str, Any]]
    highest_correction: int
    purged: list[str]

    @classmethod
    def of(cls, connection: Connection) -> _Memory:
        running = select(Job.__table__).where(Job.state == JobState.running)
        purged = select(AuditEvent.object).where(AuditEvent.action == "question.purge")
        with Session(connection) as session:
            highest = highest_number(session)
        return cls(
            jobs=[dict(row) for row in connection.execute(running).mappings()],
            highest_correction=highest,
            purged=[about.partition(":")[2] for about in connection.scalars(purged)],
        )


# --- the transaction -------------------------------------------------------------------


@contextmanager
def _replacing(engine: Engine) -> Iterator[Connection]:
    """Open the transaction in which everything is replaced; nobody else writes meanwhile."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                _lock(connection)
                with rows.without_triggers(connection):
                    yield connection
            # The planner knows nothing yet of what came; what it learns by itself comes later.
            with suppress(DBAPIError), connection.begin():
                connection.exec_driver_sql("ANALYZE")
            return
        driver: Any = connection.connection.driver_connection
        # Deaf inside a transaction. With it on, each deleted row would ask for its children.
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute(f"PRAGMA {BULK_CACHE}")
        try:
            with connection.begin(), rows.without_triggers(connection):
                yield connection
            # The log is as large as the bank now, and would stay so. Readers may still need it.
            with suppress(engine.dialect.loaded_dbapi.Error):
                driver.execute(f"PRAGMA busy_timeout = {READERS_MILLISECONDS}")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            # It is not as the pool wants its connections.
            connection.invalidate()


def _lock(connection: Connection) -> None:
    """Keep everybody from writing, and from locking rows to write them; nobody from reading."""
    connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    names = ", ".join(rows.quoted(table.name) for table in Base.metadata.sorted_tables)
    connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def _refused(error: Exception) -> WrongState:
    words = database_words(error)
    if isinstance(error, OperationalError) and "lock" in words:
        return WrongState(
            f"Somebody has been writing to the bank for {LOCK_SECONDS} seconds ({words}). "
            "Nothing was changed. Wait for it to end, or stop the server and its worker, "
            "and restore again."
        )
    return WrongState(
        f"The database does not take the backup: {words}. Nothing was changed: "
        "the bank is as it was."
    )
