"""Scheduling: a revision goes public at a time, by a job; what is saved later does not go along.

The question holds the schedule. A job whose schedule no longer stands does nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotFound, NotPublishable, WrongState
from cms.models import AuditEvent, Job, Question, User
from cms.services import inbox
from cms.services.audit import record
from cms.services.blockers import reasons
from cms.services.content import find_revision
from cms.services.jobs import Attempt, enqueue
from cms.services.permissions import require
from cms.services.publishing import publish
from cms.services.questions import lock
from cms.text import normalize_line
from cms.vocabulary import NotificationKind, Role

PUBLISH = "publish"
"""The kind of job that publishes what is scheduled."""


def utc_time(typed: str) -> datetime:
    """Return the time that a form names, such as '2027-01-31T09:00'; it means UTC.

    :raises InvalidInput: when it is no time, or says another zone
    """
    typed = normalize_line(typed)
    try:
        when = datetime.fromisoformat(typed)
    except ValueError:
        shown = f"‘{typed[:40]}’ is no time. " if typed else ""
        raise InvalidInput(
            f"{shown}Say when, with day and time, such as 2027-01-31 09:00.", field="when"
        ) from None
    if when.tzinfo is not None:
        raise InvalidInput("Write the time in UTC, without a zone.", field="when")
    return when.replace(tzinfo=UTC)


def refuse_past(when: datetime, at: datetime) -> None:
    """Let pass a time that is still to come.

    :raises InvalidInput: when it is over
    """
    if when <= at:
        raise InvalidInput("That time is over. Choose one in the future.", field="when")


def schedule(
    session: Session,
    question: Question,
    *,
    number: int,
    when: datetime,
    by: User | None,
    at: datetime,
) -> None:
    """Let a revision go public at `when`, in place of any schedule that there is.

    :raises InvalidInput: when the time is over
    :raises NotPublishable: with what keeps the revision from going public
    :raises WrongState: when readers see it already
    """
    lock(session, question)
    set_schedule(session, question, number=number, when=when, by=by, at=at)


def set_schedule(
    session: Session,
    question: Question,
    *,
    number: int,
    when: datetime,
    by: User | None,
    at: datetime,
) -> None:
    """Schedule a question that is locked."""
    require(by, Role.editor, "schedule questions")
    refuse_past(when, at)
    find_revision(session, question, number)
    if question.published_number == number:
        raise WrongState("Readers see this text already; there is nothing to schedule.")
    found = reasons(session, [question], {question.id: number}, by=by)
    if found:
        raise NotPublishable(question.slug, found[question.id])
    question.scheduled_number, question.scheduled_at = number, when
    payload = {"question": question.id, "number": number, "when": when.isoformat()}
    enqueue(session, PUBLISH, payload, by=by, at=at, run_at=when)
    record(
        session,
        by=by,
        at=at,
        action="question.schedule",
        about=f"question:{question.uid}",
        revision=number,
        when=when.isoformat(),
    )
    session.flush()


def unschedule(session: Session, question: Question, *, by: User | None, at: datetime) -> None:
    """Take a schedule back.

    :raises WrongState: when there is none
    """
    lock(session, question)
    clear_schedule(session, question, by=by, at=at)


def clear_schedule(session: Session, question: Question, *, by: User | None, at: datetime) -> None:
    """Take back the schedule of a question that is locked."""
    require(by, Role.editor, "take back a schedule")
    if question.scheduled_number is None:
        raise WrongState("This question is not scheduled (any more).")
    _clear(session, question, by=by, at=at)


def publish_scheduled(attempt: Attempt) -> None:
    """Publish the revision that a job names, if its schedule still stands.

    What cannot go public is not scheduled any more, and those whom it concerns
    find the reason in their inbox.
    """
    with attempt.finishing() as session:
        by, at = attempt.actor(session), attempt.now()
        question = _standing(session, attempt.payload, by)
        if question is None:
            return
        numbers = {question.id: attempt.payload["number"]}
        try:
            done = publish(session, [question], by=by, at=at, numbers=numbers)
            why = " ".join(reason for refusal in done.refused for reason in refusal.reasons)
        except NotAllowed as error:
            why = str(error)
        if why:
            _give_up(session, question, by, why=why, at=at)


def give_up_schedule(session: Session, job: Job, why: str, at: datetime) -> None:
    """Take back the schedule of a job that failed for good, and tell those whom it concerns."""
    by = session.get_one(User, job.by_id) if job.by_id is not None else None
    question = _standing(session, job.payload, by)
    if question is not None:
        _give_up(session, question, by, why=why, at=at)


def _standing(session: Session, payload: Mapping[str, Any], by: User | None) -> Question | None:
    """Return the question of a job, locked; None if its schedule no longer stands."""
    number, when = payload["number"], datetime.fromisoformat(payload["when"])
    question = session.get(Question, payload["question"])
    try:
        if question is None:
            return None
        lock(session, question)
    except NotFound:
        return None
    if (question.scheduled_number, question.scheduled_at) != (number, when):
        return None
    return question if _is_in_charge(session, question, by) else None


def _give_up(
    session: Session, question: Question, by: User | None, *, why: str, at: datetime
) -> None:
    _clear(session, question, by=None, at=at, reason=why)
    inbox.notify(
        session,
        [by.id if by else None, question.assignee_id],
        NotificationKind.unscheduled,
        by=None,
        at=at,
        question=question,
        words=why,
    )


def _is_in_charge(session: Session, question: Question, by: User | None) -> bool:
    """Whether the schedule that stands is this person's: the same may be ordered anew by another.

    The job of whoever ordered it first comes first, and must not spoil it for the other one.
    """
    assert question.scheduled_at is not None
    orders = question.scheduled_number, question.scheduled_at.isoformat()
    events = session.scalars(
        select(AuditEvent)
        .where(
            AuditEvent.object == f"question:{question.uid}",
            AuditEvent.action == "question.schedule",
        )
        .order_by(AuditEvent.id.desc())
    )
    for event in events:
        if (event.data["revision"], event.data["when"]) == orders:
            return event.actor_id == (by.id if by else None)
    return True


def _clear(
    session: Session, question: Question, *, by: User | None, at: datetime, **why: str
) -> None:
    number, when = question.scheduled_number, question.scheduled_at
    question.scheduled_number = question.scheduled_at = None
    record(
        session,
        by=by,
        at=at,
        action="question.unschedule",
        about=f"question:{question.uid}",
        revision=number,
        when=when.isoformat() if when else None,
        **why,
    )
    session.flush()
