"""Schedules: exactly one revision goes public at its time, or people are told why not."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotPublishable, WrongState
from cms.models import AuditEvent, Job, Notification, Question, User
from cms.services.blockers import UNANSWERED
from cms.services.content import content_of
from cms.services.jobs import (
    ATTEMPTS,
    BROKEN,
    INTERRUPTED,
    LEASE,
    Attempt,
    Handler,
    work_one,
)
from cms.services.operations import bulk
from cms.services.operations.undoing import undo_bulk
from cms.services.publishing import publish, retire
from cms.services.questions import save, submit
from cms.services.scheduling import PUBLISH, schedule, unschedule, utc_time
from cms.services.work import GIVEN_UP, HANDLERS
from cms.vocabulary import JobState, NotificationKind, Role, Stage
from tests.conftest import add_user
from tests.factories import AT, make_published, make_question, make_warning, publication_of

NINE = AT + timedelta(days=5)


@pytest.fixture
def engine(session: Session) -> Engine:
    bind = session.get_bind()
    assert isinstance(bind, Engine)
    return bind


def change(session: Session, question: Question, stem: str = "Later?", **fields: object) -> None:
    changed = replace(content_of(question), stem=stem, **fields)
    save(session, question, changed, seen_version=question.latest_number, by=None, at=AT)


def run(session: Session, engine: Engine, at: datetime = NINE) -> int:
    """Let a worker do what is due; return how many jobs that was."""
    session.commit()
    count = 0
    while work_one(engine, HANDLERS, clock=lambda: at):
        count += 1
    session.expire_all()
    return count


def shown(session: Session, question: Question) -> tuple[str, int] | None:
    found = publication_of(session, question)
    return found and (found.stem, found.revision)


def test_exactly_the_scheduled_revision_goes_public_and_what_was_saved_since_waits(
    session: Session, engine: Engine, editor: User
) -> None:
    question = make_question(session, "Now?")
    schedule(session, question, number=1, when=NINE, by=editor, at=AT)
    # The address that goes public is the one of the revision, whatever it is by then.
    change(session, question, slug="later")
    submit(session, question, by=None, at=AT)
    assert run(session, engine, NINE - timedelta(seconds=1)) == 0
    assert shown(session, question) is None
    session.rollback()
    assert run(session, engine) == 1
    assert shown(session, question) == ("Now?", 1)
    assert (question.published_number, question.latest_number) == (1, 2)
    assert (question.scheduled_number, question.scheduled_at) == (None, None)
    assert question.stage == Stage.in_review
    event = session.scalars(select(AuditEvent).filter_by(action="question.publish")).one()
    assert (event.actor, event.data["revision"]) == (editor, 1)


def test_a_worker_that_died_leaves_the_schedule_to_the_next_one_which_publishes_once(
    session: Session, engine: Engine
) -> None:
    question = make_question(session)
    schedule(session, question, number=1, when=NINE, by=None, at=AT)
    session.commit()

    class Killed(BaseException):
        pass

    def die(_attempt: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        work_one(engine, {"publish": die}, clock=lambda: NINE)
    assert run(session, engine) == 0
    assert run(session, engine, NINE + LEASE + timedelta(seconds=1)) == 1
    assert shown(session, question) == ("What is a view?", 1)
    [job] = session.scalars(select(Job))
    assert (job.state, job.attempts) == (JobState.done, 2)


def _took_back(session: Session, question: Question) -> None:
    unschedule(session, question, by=None, at=AT)


def _put_off(session: Session, question: Question) -> None:
    schedule(session, question, number=1, when=NINE + timedelta(days=1), by=None, at=AT)


def _published_now(session: Session, question: Question) -> None:
    change(session, question, "Newer?")
    publish(session, [question], by=None, at=AT)


def _retired(session: Session, question: Question) -> None:
    publish(session, [question], by=None, at=AT)
    retire(session, [question], by=None, at=AT)


def _deleted(session: Session, question: Question) -> None:
    session.delete(question)


@pytest.mark.parametrize(
    ("act", "public"),
    [
        (_took_back, None),
        (_put_off, None),
        (_published_now, ("Newer?", 2)),
        (_retired, None),
        (_deleted, None),
    ],
)
def test_a_schedule_that_no_longer_stands_publishes_nothing(
    session: Session, engine: Engine, act: object, public: tuple[str, int] | None
) -> None:
    question = make_question(session, "Now?")
    uid = question.uid
    schedule(session, question, number=1, when=NINE, by=None, at=AT)
    act(session, question)  # type: ignore[operator]
    assert run(session, engine) == 1
    held = session.scalar(select(Question).filter_by(uid=uid))
    assert (held and shown(session, held)) == public
    assert session.scalars(select(Notification)).all() == []


def _demoted(session: Session, question: Question, editor: User) -> str:
    editor.role = Role.contributor
    return "Only an editor may publish questions. Ask one to do it."


def _damaged(session: Session, question: Question, editor: User) -> str:
    # Its revision is judged by itself: the newest text has an answer all the same.
    make_warning(session, question, "A function")
    change(session, question, answers=[replace(content_of(question).answers[0], body="Mended.")])
    return "Import warnings are open. Mend or acknowledge them."


def _address_taken(session: Session, question: Question, editor: User) -> str:
    change(session, question, slug="moved")
    make_question(session, "What is a view?")
    return "Its address ‘what-is-a-view’ is another question's by now. Choose another."


@pytest.mark.parametrize("spoil", [_demoted, _damaged, _address_taken])
def test_what_cannot_go_public_at_its_time_is_unscheduled_and_told(
    session: Session, engine: Engine, editor: User, spoil: object
) -> None:
    question = make_question(session)
    question.assignee = add_user(session, "Anna", Role.contributor)
    schedule(session, question, number=1, when=NINE, by=editor, at=AT)
    why = spoil(session, question, editor)  # type: ignore[operator]
    assert run(session, engine) == 1
    assert (shown(session, question), question.scheduled_at) == (None, None)
    event = session.scalars(select(AuditEvent).filter_by(action="question.unschedule")).one()
    assert (event.actor, event.data["reason"]) == (None, why)
    notes = session.scalars(select(Notification).order_by(Notification.user_id)).all()
    assert {note.user_id for note in notes} == {editor.id, question.assignee_id}
    assert {(note.kind, note.words) for note in notes} == {(NotificationKind.unscheduled, why)}


def _break(_attempt: Attempt) -> None:
    raise ZeroDivisionError


def _die(_attempt: Attempt) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("fate", "why"), [(_break, BROKEN), (_die, INTERRUPTED)])
def test_a_schedule_whose_job_fails_for_good_is_taken_back_and_told(
    session: Session, engine: Engine, editor: User, fate: Handler, why: str
) -> None:
    question = make_question(session)
    schedule(session, question, number=1, when=NINE, by=editor, at=AT)
    session.commit()
    for day in range(ATTEMPTS + 1):
        with contextlib.suppress(KeyboardInterrupt):
            clock = partial(datetime.__add__, NINE, timedelta(days=day))
            work_one(engine, {PUBLISH: fate}, given_up=GIVEN_UP, clock=clock)
    session.expire_all()
    assert question.scheduled_at is None
    [told] = session.scalars(select(Notification))
    assert (told.user_id, told.kind, told.words) == (
        editor.id,
        NotificationKind.unscheduled,
        why,
    )


def test_what_cannot_be_published_cannot_be_scheduled(
    session: Session, editor: User, contributor: User
) -> None:
    question, empty = make_question(session), make_question(session, "Empty?", answers=[])
    live = make_published(session, "Live?")
    given = {"number": 1, "when": NINE, "by": editor, "at": AT}
    with pytest.raises(InvalidInput, match="That time is over"):
        schedule(session, question, **{**given, "when": AT})
    with pytest.raises(NotPublishable) as refused:
        schedule(session, empty, **given)
    assert refused.value.reasons == [UNANSWERED]
    with pytest.raises(WrongState, match="Readers see this text already"):
        schedule(session, live, **given)
    with pytest.raises(NotAllowed, match="Only an editor may schedule questions"):
        schedule(session, question, **{**given, "by": contributor})
    with pytest.raises(WrongState, match="is not scheduled"):
        unschedule(session, question, by=editor, at=AT)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "Say when, with day and time, such as 2027-01-31 09:00."),
        ("soon\x00", "‘soon’ is no time."),
        ("2027-01-31T09:00+02:00", "Write the time in UTC, without a zone."),
    ],
)
def test_a_time_is_in_utc_and_whole(typed: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        utc_time(typed)
    assert str(refused.value).startswith(problem)
    assert utc_time(" 2027-01-31T09:00 ") == datetime(2027, 1, 31, 9, tzinfo=UTC)


def test_many_are_scheduled_at_once_and_undoing_that_leaves_the_schedules_of_before(
    session: Session, engine: Engine, editor: User
) -> None:
    first, second = make_question(session, "First?"), make_question(session, "Second?")
    bare = make_question(session, "Bare?", answers=[])
    schedule(session, first, number=1, when=NINE, by=editor, at=AT)
    before = first.scheduled_at
    ids = [first.id, second.id, bare.id]
    operation = bulk.begin(
        session, "publish_at", ids, {"when": "2027-01-31T09:00"}, by=editor, at=AT
    )
    bulk.perform(session, operation, at=AT)
    january = datetime(2027, 1, 31, 9, tzinfo=UTC)
    assert [session.get_one(Question, id).scheduled_at for id in ids] == [january, january, None]
    assert (
        bulk.VERBS["publish_at"].tell(operation.arguments) == "Scheduled for 2027-01-31 09:00 UTC"
    )
    undo_bulk(session, operation, by=editor, at=AT)
    assert [session.get_one(Question, id).scheduled_at for id in ids] == [before, None, None]
    assert run(session, engine, january) == 3
    assert [shown(session, each) for each in (first, second)] == [("First?", 1), None]


def test_an_undo_brings_no_schedule_back_whose_time_is_over(session: Session, editor: User) -> None:
    question = make_question(session)
    schedule(session, question, number=1, when=NINE, by=editor, at=AT)
    operation = bulk.begin(session, "unschedule", [question.id], {}, by=editor, at=AT)
    bulk.perform(session, operation, at=AT)
    undo_bulk(session, operation, by=editor, at=NINE + timedelta(hours=1))
    session.refresh(question)
    assert (question.scheduled_number, question.scheduled_at) == (None, None)


def test_who_takes_a_schedule_over_is_who_publishes(
    session: Session, engine: Engine, editor: User
) -> None:
    question = make_question(session)
    leaver = add_user(session, "Emil", Role.editor)
    schedule(session, question, number=1, when=NINE, by=leaver, at=AT)
    leaver.disabled_at = AT
    schedule(session, question, number=1, when=NINE, by=editor, at=AT)
    assert run(session, engine) == 2
    assert shown(session, question) == ("What is a view?", 1)
    event = session.scalars(select(AuditEvent).filter_by(action="question.publish")).one()
    assert event.actor == editor
    assert session.scalars(select(Notification.kind)).all() == []
