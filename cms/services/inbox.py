"""The inbox: notes to people about what concerns them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, joinedload

from cms.errors import NotFound
from cms.models import Comment, Correction, Notification, Question, User
from cms.vocabulary import NotificationKind

KEPT = timedelta(days=90)
"""How long a note stays after it was read."""
# Notes that one writing forgets at most: nobody waits for years of them.
_FORGOTTEN = 500


def notify(
    session: Session,
    user_ids: Iterable[int | None],
    kind: NotificationKind,
    *,
    by: User | None,
    at: datetime,
    question: Question | None = None,
    correction: Correction | None = None,
    comment: Comment | None = None,
    words: str = "",
) -> None:
    """Put a note into the inbox of each of these people, once.

    Nobody is told what they did themselves, and disabled accounts read nothing;
    None among the ids is nobody. What they read long ago goes.
    """
    wanted = {user_id for user_id in user_ids if user_id is not None} - {by.id if by else None}
    if not wanted:
        return
    reached = session.scalars(
        select(User.id).where(User.id.in_(wanted), User.disabled_at.is_(None)).order_by(User.id)
    ).all()
    session.add_all(
        Notification(
            user_id=user_id,
            kind=kind,
            actor_id=by.id if by else None,
            question_id=question.id if question else None,
            correction_id=correction.id if correction else None,
            comment_id=comment.id if comment else None,
            words=words,
            at=at,
        )
        for user_id in reached
    )
    session.flush()
    _forget(session, reached, read_before=at - KEPT)


def notes(
    session: Session, user: User, *, unread: bool = False, before: int | None = None, limit: int
) -> list[Notification]:
    """Return notes to this person, the newest first: those with smaller keys than `before`."""
    statement = (
        select(Notification)
        .where(Notification.user_id == user.id)
        .options(
            joinedload(Notification.actor),
            joinedload(Notification.question).load_only(
                Question.stem, Question.due_on, Question.uid
            ),
            joinedload(Notification.correction).load_only(Correction.claim, Correction.status),
            joinedload(Notification.comment),
        )
        .order_by(Notification.id.desc())
        .limit(limit)
    )
    if unread:
        statement = statement.where(Notification.read_at.is_(None))
    if before is not None:
        statement = statement.where(Notification.id < before)
    return list(session.scalars(statement))


def count_unread(session: Session, user: User, limit: int) -> int:
    """Return how many notes this person has not read, at most `limit`."""
    unread = (
        select(Notification.id)
        .where(Notification.user_id == user.id, Notification.read_at.is_(None))
        .limit(limit)
    )
    return session.scalar(select(func.count()).select_from(unread.subquery())) or 0


def find_note(session: Session, user: User, key: int) -> Notification:
    """Return a note of this person's own.

    :raises NotFound: when it is somebody else's, or gone
    """
    note = session.scalar(select(Notification).filter_by(id=key, user_id=user.id))
    if note is None:
        raise NotFound("There is no such note in your inbox. Old ones go after a while.")
    return note


def mark_read(session: Session, note: Notification, *, at: datetime) -> None:
    """Mark a note as read; the time of the first reading stays."""
    if note.read_at is None:
        note.read_at = at
        session.flush()


def mark_all_read(session: Session, user: User, *, until: int, at: datetime) -> int:
    """Mark as read what this person saw: notes up to the key `until`. Return how many."""
    marked = session.execute(
        update(Notification)
        .where(
            Notification.user_id == user.id,
            Notification.read_at.is_(None),
            Notification.id <= until,
        )
        .values(read_at=at)
        .returning(Notification.id)
    )
    return len(marked.all())


def _forget(session: Session, user_ids: Sequence[int], *, read_before: datetime) -> None:
    """Delete what these people read long ago; what others are deleting already is theirs."""
    old = (
        select(Notification.id)
        .where(Notification.user_id.in_(user_ids), Notification.read_at < read_before)
        .limit(_FORGOTTEN)
        .with_for_update(skip_locked=True)
    )
    keys = session.scalars(old).all()
    if keys:
        session.execute(delete(Notification).where(Notification.id.in_(keys)))
