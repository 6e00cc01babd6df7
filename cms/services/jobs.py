"""Jobs: a queue in the bank's own database, for workers that may die at any moment.

A worker takes a job by a lease. Should it die, the lease runs out and another
worker begins the job anew. What a job writes for good, it writes in the one
transaction that also marks it as done, and only while its attempt is the
newest: so its effects occur once, however often it is attempted.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Engine, and_, exists, or_, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from cms.errors import CmsError
from cms.models import Job, User
from cms.models.engine import reading, writing
from cms.vocabulary import JobState

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""How long a worker may be silent before its job is anybody's."""
ATTEMPTS = 3
"""How often a job is begun: one that kills its worker must not do so forever."""
RETRY_AFTER = timedelta(seconds=5)
"""When a job is tried again that met a busy database, or another one that wrote the same."""
TICK = 0.5
"""Seconds between two notes of progress."""

BROKEN = (
    "Something is broken here, and the error is in the worker's log. Nothing was written. "
    "Tell whoever runs this bank the time."
)
INTERRUPTED = f"Its worker died {ATTEMPTS} times in the middle. Nothing was written."
BUSY = "The database was too busy. Nothing was written. Try again."


class LeaseLost(Exception):
    """Another attempt took the job over; this one must write nothing more."""


def enqueue(
    session: Session,
    kind: str,
    payload: Mapping[str, Any],
    *,
    by: User | None,
    at: datetime,
    run_at: datetime | None = None,
) -> Job:
    """Add a job, to be begun from `run_at` on, or at once."""
    job = Job(
        kind=kind,
        payload=dict(payload),
        by_id=by.id if by else None,
        created_at=at,
        run_at=run_at or at,
    )
    session.add(job)
    session.flush()
    return job


Clock = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Attempt:
    """One attempt at a job, held by a lease.

    Read in `reading()`, note progress by `tick()`, and write the outcome in
    `finishing()`. `now()` is the time. What has to be written before that goes into `writing()`; a
    later attempt finds it there and has to begin by clearing it away.
    """

    def __init__(
        self, engine: Engine, job: Job, *, clock: Clock = _utc_now, told: "GivenUp | None" = None
    ) -> None:
        self.id = job.id
        self.kind = job.kind
        self.payload: dict[str, Any] = job.payload
        self._by_id = job.by_id
        self._number = job.attempts
        self._engine = engine
        self._told = told
        self.now = clock
        self._ticked = 0.0

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session whose transaction takes no lock and must not write."""
        with reading(), Session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session that commits at the end.

        :raises LeaseLost: when another attempt took over
        """
        with writing(), Session(self._engine) as session, session.begin():
            self._hold(session)
            yield session

    @contextlib.contextmanager
    def finishing(self) -> Iterator[Session]:
        """Like `writing`, and the job is done by the same transaction.

        :raises LeaseLost: when another attempt took over
        """
        with self.writing() as session:
            yield session
            self._settle(session, state=JobState.done)

    def tick(self, progress: int, total: int | None = None) -> None:
        """Note how far the job has come, at most twice a second, and renew the lease.

        Not to be called inside `writing` or `finishing`: on SQLite it would wait
        for the very lock that they hold.

        :raises LeaseLost: when another attempt took over
        """
        if time.monotonic() - self._ticked < TICK:
            return
        with self.writing() as session:
            self._settle(
                session,
                state=JobState.running,
                progress=progress,
                total=total,
                lease_until=self.now() + LEASE,
            )
        self._ticked = time.monotonic()

    def actor(self, session: Session) -> User | None:
        """Return whoever asked for the job; None for the command line."""
        return session.get_one(User, self._by_id) if self._by_id is not None else None

    def fail(self, message: str) -> None:
        """End the job without effects; `message` is for the person who asked for it."""
        with self.writing() as session:
            self._settle(session, state=JobState.failed, error=message)
            _tell(self._told, session, session.get_one(Job, self.id), message, self.now())

    def put_back(self) -> None:
        """Leave the job to a later attempt."""
        with self.writing() as session:
            self._settle(session, state=JobState.queued, run_at=self.now() + RETRY_AFTER)

    @property
    def is_last(self) -> bool:
        return self._number >= ATTEMPTS

    def _hold(self, session: Session) -> None:
        """Lock the job's row, so that nobody takes it while its outcome is written."""
        held = session.scalar(
            select(Job.id)
            .where(Job.id == self.id, Job.attempts == self._number, Job.state == JobState.running)
            .with_for_update()
        )
        if held is None:
            raise LeaseLost

    def _settle(self, session: Session, *, state: JobState, **values: Any) -> None:
        if state != JobState.running:
            values["lease_until"] = None
        if state in {JobState.done, JobState.failed}:
            values["finished_at"] = self.now()
        session.execute(
            update(Job)
            .where(Job.id == self.id)
            .values(state=state, **values)
            .execution_options(synchronize_session=False)
        )


Handler = Callable[[Attempt], None]
"""Does one kind of job. It ends in `Attempt.finishing()`; a CmsError is for the person."""

GivenUp = Callable[[Session, Job, str, datetime], None]
"""Gets a job that has failed for good, and why, in the transaction that marks it so."""


def work_one(
    engine: Engine,
    handlers: Mapping[str, Handler],
    *,
    given_up: Mapping[str, GivenUp] = MappingProxyType({}),
    clock: Clock = _utc_now,
) -> bool:
    """Take the job that has waited longest and do it; False if none is due.

    A job that fails is marked so, with words for whoever asked for it; `given_up` has
    what else has to be done then, by the kind of the job. Nothing is raised but what
    ends the process.
    """
    with reading(), Session(engine) as session:
        if not session.scalar(select(exists().where(_due(clock())))):
            return False
    attempt = _take(engine, given_up, clock)
    if attempt is None:
        return False
    try:
        handlers[attempt.kind](attempt)
    except LeaseLost:
        logger.warning("Job %s was taken over by another worker.", attempt.id)
    except Exception as error:
        _recover(attempt, error)
    return True


def _due(at: datetime) -> Any:
    waiting = and_(Job.state == JobState.queued, Job.run_at <= at)
    abandoned = and_(Job.state == JobState.running, Job.lease_until < at)
    return or_(waiting, abandoned)


def _take(engine: Engine, given_up: Mapping[str, GivenUp], clock: Clock) -> Attempt | None:
    with Session(engine, expire_on_commit=False) as session, session.begin():
        job = session.scalar(
            select(Job)
            .where(_due(clock()))
            .order_by(Job.run_at, Job.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if job is None:
            return None
        if job.attempts >= ATTEMPTS:
            job.state = JobState.failed
            job.error = INTERRUPTED
            job.lease_until = None
            job.finished_at = clock()
            _tell(given_up.get(job.kind), session, job, INTERRUPTED, clock())
            return None
        job.state = JobState.running
        job.attempts += 1
        job.progress, job.total = 0, None
        job.lease_until = clock() + LEASE
        session.flush()
        return Attempt(engine, job, clock=clock, told=given_up.get(job.kind))


def _tell(told: GivenUp | None, session: Session, job: Job, why: str, at: datetime) -> None:
    if told is None:
        return
    try:
        with session.begin_nested():
            told(session, job, why, at)
    except Exception:
        # What broke the job may break this, too: it is marked as failed all the same.
        logger.exception("Nobody could be told that job %s failed.", job.id)


def _recover(attempt: Attempt, error: Exception) -> None:
    with contextlib.suppress(LeaseLost):
        if isinstance(error, CmsError):
            attempt.fail(str(error))
        elif isinstance(error, (OperationalError, IntegrityError)) and not attempt.is_last:
            # The database was busy, or somebody wrote the same new thing a moment before.
            logger.warning("Job %s is tried again: %s", attempt.id, error.orig)
            attempt.put_back()
        elif isinstance(error, OperationalError):
            logger.warning("Job %s met a busy database: %s", attempt.id, error.orig)
            attempt.fail(BUSY)
        else:
            logger.error("Job %s failed.", attempt.id, exc_info=error)
            attempt.fail(BROKEN)
