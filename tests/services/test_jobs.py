"""Jobs: taken once, begun again after a death, with effects that occur once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.models import Job, Tag, User
from cms.services import jobs
from cms.services.jobs import ATTEMPTS, LEASE, Attempt, enqueue, work_one
from cms.vocabulary import JobState
from tests.factories import AT


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def engine(session: Session) -> Engine:
    bind = session.get_bind()
    assert isinstance(bind, Engine)
    return bind


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(jobs, "TICK", 0.0)
    return Clock()


@pytest.fixture
def add(session: Session) -> Callable[..., int]:
    def add(kind: str = "tag", **options: object) -> int:
        job = enqueue(session, kind, {"slug": "made"}, by=None, at=AT, **options)  # type: ignore[arg-type]
        id = job.id
        # Reading anything more would begin a transaction, which keeps workers waiting.
        session.commit()
        return id

    return add


def make_tag(attempt: Attempt) -> None:
    with attempt.finishing() as session:
        session.add(Tag(slug=attempt.payload["slug"], name="Made"))


HANDLERS = {"tag": make_tag}


def state_of(session: Session, id: int) -> Job:
    session.rollback()
    job = session.get_one(Job, id, populate_existing=True)
    session.expunge(job)
    session.rollback()
    return job


def test_a_job_is_done_once_and_its_effects_come_with_its_state(
    session: Session, engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    id = add()
    assert work_one(engine, HANDLERS, clock=clock)
    assert not work_one(engine, HANDLERS, clock=clock)
    assert state_of(session, id).state == JobState.done
    assert session.scalars(select(Tag.slug)).all() == ["made"]


def test_jobs_are_begun_in_the_order_of_their_time_and_none_too_early(
    session: Session, engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    late = add(run_at=AT + timedelta(hours=2))
    later = add("note", run_at=AT + timedelta(hours=3))
    seen: list[str] = []

    def note(attempt: Attempt) -> None:
        with attempt.finishing():
            seen.append(attempt.kind)

    handlers = {"tag": note, "note": note}
    assert not work_one(engine, handlers, clock=clock)
    clock.at += timedelta(hours=4)
    while work_one(engine, handlers, clock=clock):
        pass
    assert seen == ["tag", "note"]
    assert state_of(session, late).state == state_of(session, later).state == JobState.done


def test_a_job_whose_worker_died_is_begun_again_when_its_lease_has_run_out(
    session: Session, engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    id = add()

    def die(attempt: Attempt) -> None:
        attempt.tick(7, 10)
        raise SystemExit

    with pytest.raises(SystemExit):
        work_one(engine, {"tag": die}, clock=clock)
    job = state_of(session, id)
    assert (job.state, job.progress, job.total) == (JobState.running, 7, 10)
    assert not work_one(engine, HANDLERS, clock=clock), "its lease still holds"
    clock.at += LEASE + timedelta(seconds=1)
    assert work_one(engine, HANDLERS, clock=clock)
    assert state_of(session, id).state == JobState.done


def test_a_job_that_keeps_killing_its_worker_is_given_up_with_words_for_its_person(
    session: Session, engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    id = add()

    def die(_attempt: Attempt) -> None:
        raise SystemExit

    for _ in range(ATTEMPTS):
        with pytest.raises(SystemExit):
            work_one(engine, {"tag": die}, clock=clock)
        clock.at += LEASE + timedelta(seconds=1)
    assert not work_one(engine, HANDLERS, clock=clock)
    job = state_of(session, id)
    assert job.state == JobState.failed
    assert job.error == "Its worker died 3 times in the middle. Nothing was written."


def test_an_attempt_that_was_taken_over_writes_nothing_more(
    session: Session, engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    id = add()

    def sleepy(attempt: Attempt) -> None:
        clock.at += LEASE + timedelta(seconds=1)
        assert work_one(engine, HANDLERS, clock=clock), "another worker takes it over"
        with attempt.finishing() as late:
            late.add(Tag(slug="late", name="Late"))

    assert work_one(engine, {"tag": sleepy}, clock=clock)
    assert session.scalars(select(Tag.slug)).all() == ["made"]
    assert state_of(session, id).attempts == 2


def test_a_renewed_lease_keeps_others_away(
    engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    add()

    def slow(attempt: Attempt) -> None:
        for step in range(4):
            clock.at += LEASE - timedelta(seconds=1)
            attempt.tick(step)
            assert not work_one(engine, HANDLERS, clock=clock)
        make_tag(attempt)

    assert work_one(engine, {"tag": slow}, clock=clock)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InvalidInput("The file is empty. Choose another."), "The file is empty. Choose another."),
        (ZeroDivisionError("secret"), jobs.BROKEN),
    ],
)
def test_an_error_ends_a_job_with_words_that_a_person_can_read(
    session: Session,
    engine: Engine,
    clock: Clock,
    add: Callable[..., int],
    error: Exception,
    message: str,
) -> None:
    id = add()

    def fail(attempt: Attempt) -> None:
        with attempt.finishing() as inner:
            inner.add(Tag(slug="half", name="Half"))
            inner.flush()
            raise error

    assert work_one(engine, {"tag": fail}, clock=clock)
    job = state_of(session, id)
    assert (job.state, job.error) == (JobState.failed, message)
    assert session.scalars(select(Tag)).all() == []


def test_a_busy_database_puts_a_job_back_until_it_was_tried_often_enough(
    session: Session, engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    id = add()

    def busy(_attempt: Attempt) -> None:
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    for _ in range(ATTEMPTS):
        assert work_one(engine, {"tag": busy}, clock=clock)
        assert not work_one(engine, {"tag": busy}, clock=clock), "not at once"
        clock.at += timedelta(minutes=1)
    job = state_of(session, id)
    assert (job.state, job.error) == (JobState.failed, jobs.BUSY)


def test_a_job_that_meets_another_one_which_wrote_the_same_is_tried_again(
    session: Session, engine: Engine, clock: Clock, add: Callable[..., int]
) -> None:
    id = add()
    held: list[str] = []

    def make(attempt: Attempt) -> None:
        with attempt.finishing() as inner:
            if not held:
                held.append("a tag")
                inner.add_all([Tag(slug="same", name="One"), Tag(slug="same", name="Two")])

    assert work_one(engine, {"tag": make}, clock=clock)
    assert state_of(session, id).state == JobState.queued
    clock.at += timedelta(minutes=1)
    assert work_one(engine, {"tag": make}, clock=clock)
    assert state_of(session, id).state == JobState.done


def test_a_job_knows_who_asked_for_it(
    session: Session, engine: Engine, clock: Clock, editor: User
) -> None:
    enqueue(session, "who", {}, by=editor, at=AT)
    enqueue(session, "who", {}, by=None, at=AT)
    session.commit()
    names: list[str | None] = []

    def note(attempt: Attempt) -> None:
        with attempt.reading() as inner:
            user = attempt.actor(inner)
            names.append(user.name if user else None)
        with attempt.finishing():
            pass

    while work_one(engine, {"who": note}, clock=clock):
        pass
    assert names == ["Edith", None]
