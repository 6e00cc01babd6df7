"""Who has a question open: the page of each says so again and again while it is in sight.

It is no part of the bank, and nothing of it is audited: a row is worth a minute.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer, joinedload

from cms.models import Presence, Question, Revision, User
from cms.services.permissions import require
from cms.vocabulary import Role

# Whoever was heard of in this time is there; a page says so three times in it.
HERE_FOR = timedelta(minutes=1)
# What was noted in this time is not noted again: a write for each beat would be much for SQLite.
NOTED_FOR = timedelta(seconds=10)
FORGOTTEN_AFTER = timedelta(hours=1)
# People that are named on a page.
NAMED = 8


def others(session: Session, user: User, question: Question, *, at: datetime) -> list[Presence]:
    """Return who else has the question open, whoever typed first, then by name."""
    found = session.scalars(
        select(Presence)
        .join(Presence.user)
        .where(
            Presence.question_id == question.id,
            Presence.user_id != user.id,
            Presence.seen_at > at - HERE_FOR,
        )
        .options(joinedload(Presence.user))
        .order_by(Presence.typed.desc(), User.name)
        .limit(NAMED)
    )
    return list(found)


def is_noted(
    session: Session, user: User, question: Question, *, typed: bool, at: datetime
) -> bool:
    """Whether it is on record already that this person is there; asks without writing."""
    row = session.get(Presence, (question.id, user.id), populate_existing=True)
    return row is not None and row.typed == typed and row.seen_at > at - NOTED_FOR


def note(session: Session, user: User, question: Question, *, typed: bool, at: datetime) -> None:
    """Put on record that this person has the question open, and whether they typed."""
    require(user, Role.contributor, "write questions")
    own = Presence.question_id == question.id, Presence.user_id == user.id
    again = update(Presence).where(*own).values(seen_at=at, typed=typed).returning(Presence.user_id)
    if session.scalar(again) is not None:
        return
    session.execute(delete(Presence).where(Presence.seen_at < at - FORGOTTEN_AFTER))
    row = Presence(question_id=question.id, user_id=user.id, seen_at=at, typed=typed)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        # Another page of theirs said so at this moment.
        session.execute(again)


def leave(session: Session, user: User, question: Question) -> None:
    """Take it off the record that this person has the question open."""
    session.execute(
        delete(Presence).where(Presence.question_id == question.id, Presence.user_id == user.id)
    )


def newer(session: Session, question: Question, seen: int) -> Revision | None:
    """Return the newest revision where somebody saved after the one that was `seen`."""
    if question.latest_number <= seen:
        return None
    return session.scalar(
        select(Revision)
        .where(Revision.question_id == question.id, Revision.number == question.latest_number)
        .options(defer(Revision.content), joinedload(Revision.author))
    )
