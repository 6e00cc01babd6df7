"""Comments: what people of the desk say to each other about a question. Never public."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session, joinedload

from cms.errors import InvalidInput, NotFound, WrongState
from cms.models import Comment, Question, User
from cms.services.audit import record
from cms.services.inbox import notify
from cms.services.locking import lock_row
from cms.services.people import mentioned
from cms.services.permissions import require
from cms.text import normalize_body
from cms.vocabulary import NotificationKind, Role

COMMENT_LIMIT = 10_000  # characters of a comment
# The same words again within such a time are the same form sent twice.
_TWICE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Thread:
    """A comment and the newest replies to it, in order; `earlier` counts those left out."""

    first: Comment
    replies: list[Comment]
    earlier: int


def post(
    session: Session,
    question: Question,
    body: str,
    *,
    thread: Comment | None = None,
    by: User | None,
    at: datetime,
) -> Comment:
    """Say something about a question, or reply in a thread, and tell whom it concerns.

    Whoever is named with an @ is told, and in a thread everybody who wrote in it.
    A reply in a thread that was resolved opens it again. The same words sent
    twice are said once.

    :raises InvalidInput: when nothing is said, or too much
    :raises NotFound: when the thread is about another question
    """
    require(by, Role.contributor, "comment on questions")
    body = normalize_body(body)
    if not body.strip():
        raise InvalidInput("Write something first.", field="body")
    if len(body) > COMMENT_LIMIT:
        raise InvalidInput(
            f"A comment has at most {COMMENT_LIMIT:,} characters; this one has {len(body):,}. "
            "Shorten it, or put the text into the question.",
            field="body",
        )
    if thread is not None and thread.question_id != question.id:
        raise NotFound("This question has no such thread.")
    if thread is not None and thread.thread_id is not None:
        thread = session.get_one(Comment, thread.thread_id)
    if by is not None:
        # A form that is sent twice at once: one waits for the other. Nobody else does.
        session.execute(select(User.id).where(User.id == by.id).with_for_update(key_share=True))
    if thread is not None:
        lock_row(session, thread, "thread")
    said = _said_already(session, question, thread, body, by=by, at=at)
    if said is not None:
        return said
    if thread is not None and thread.resolved_at is not None:
        reopen(session, thread, by=by, at=at)
    comment = Comment(
        question_id=question.id,
        thread_id=thread.id if thread else None,
        author_id=by.id if by else None,
        body=body,
        created_at=at,
    )
    session.add(comment)
    session.flush()
    record(
        session,
        by=by,
        at=at,
        action="comment.post",
        about=f"question:{question.uid}",
        comment=comment.id,
    )
    _tell(session, question, comment, by=by, at=at)
    session.flush()
    return comment


def resolve(session: Session, thread: Comment, *, by: User | None, at: datetime) -> None:
    """Say that a thread is settled; it folds, and stays.

    :raises WrongState: when it is resolved already
    """
    _change(session, thread, by=by)
    if thread.resolved_at is not None:
        raise WrongState("This thread is resolved already.")
    thread.resolved_at = at
    thread.resolved_by_id = by.id if by else None
    _record(session, thread, "resolve", by=by, at=at)


def reopen(session: Session, thread: Comment, *, by: User | None, at: datetime) -> None:
    """Open a thread again that was resolved.

    :raises WrongState: when it is open
    """
    _change(session, thread, by=by)
    if thread.resolved_at is None:
        raise WrongState("This thread is open already.")
    thread.resolved_at = thread.resolved_by_id = None
    _record(session, thread, "reopen", by=by, at=at)


def count_open(session: Session, question: Question) -> int:
    """Return how many threads about a question wait for an end."""
    return session.scalar(select(func.count()).where(_open_threads(question))) or 0


def newest_open(session: Session, question: Question, limit: int) -> list[Comment]:
    """Return the first comments of the newest open threads about a question."""
    return list(
        session.scalars(
            select(Comment)
            .where(_open_threads(question))
            .options(joinedload(Comment.author))
            .order_by(Comment.id.desc())
            .limit(limit)
        )
    )


def threads(
    session: Session, question: Question, *, before: int | None, limit: int, replies: int
) -> list[Thread]:
    """Return threads about a question, the newest first: those with smaller keys than `before`."""
    statement = (
        select(Comment)
        .where(Comment.question_id == question.id, Comment.thread_id.is_(None))
        .options(joinedload(Comment.author), joinedload(Comment.resolved_by))
        .order_by(Comment.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(Comment.id < before)
    return _with_replies(session, session.scalars(statement), replies)


def thread_of(
    session: Session, question: Question, key: int, *, before: int | None, replies: int
) -> Thread:
    """Return the thread in which a comment about this question stands.

    Its replies are the newest of those with smaller keys than `before`.

    :raises NotFound: when there is none
    """
    comment = session.get(Comment, key)
    if comment is None or comment.question_id != question.id:
        raise NotFound("This question has no such thread.")
    first = comment if comment.thread_id is None else session.get_one(Comment, comment.thread_id)
    [found] = _with_replies(session, [first], replies, before=before)
    return found


def _with_replies(
    session: Session, firsts: Iterable[Comment], limit: int, *, before: int | None = None
) -> list[Thread]:
    """Return threads with their newest replies, in one query however many there are."""
    found = list(firsts)
    nth = func.row_number().over(partition_by=Comment.thread_id, order_by=Comment.id.desc())
    among = func.count().over(partition_by=Comment.thread_id)
    among_these = Comment.thread_id.in_([first.id for first in found])
    shown = true() if before is None else Comment.id < before
    ranked = (
        select(Comment.id, nth.label("nth"), among.label("among"))
        .where(among_these, shown)
        .subquery()
    )
    rows = session.execute(
        select(Comment, ranked.c.among)
        .join(ranked, ranked.c.id == Comment.id)
        .where(ranked.c.nth <= limit)
        .options(joinedload(Comment.author))
        .order_by(Comment.id)
    ).all()
    replies: dict[int | None, list[Comment]] = {first.id: [] for first in found}
    counts: dict[int | None, int] = {}
    for comment, count in rows:
        replies[comment.thread_id].append(comment)
        counts[comment.thread_id] = count
    return [
        Thread(first, replies[first.id], counts.get(first.id, 0) - len(replies[first.id]))
        for first in found
    ]


def _open_threads(question: Question) -> ColumnElement[bool]:
    return and_(
        Comment.question_id == question.id,
        Comment.thread_id.is_(None),
        Comment.resolved_at.is_(None),
    )


def _said_already(
    session: Session,
    question: Question,
    thread: Comment | None,
    body: str,
    *,
    by: User | None,
    at: datetime,
) -> Comment | None:
    """Return the author's last comment on the question where it says just this, in this place."""
    last = session.scalars(
        select(Comment)
        .where(
            Comment.question_id == question.id,
            Comment.author_id == (by.id if by else None),
            Comment.created_at > at - _TWICE,
        )
        .order_by(Comment.id.desc())
        .limit(1)
    ).first()
    place = thread.id if thread else None
    return last if last and (last.thread_id, last.body) == (place, body) else None


def _tell(
    session: Session, question: Question, comment: Comment, *, by: User | None, at: datetime
) -> None:
    named = {user.id for user in mentioned(session, comment.body)}
    notify(
        session,
        named,
        NotificationKind.mention,
        by=by,
        at=at,
        question=question,
        comment=comment,
    )
    if comment.thread_id is None:
        return
    wrote = session.scalars(
        select(Comment.author_id)
        .where((Comment.id == comment.thread_id) | (Comment.thread_id == comment.thread_id))
        .distinct()
    )
    notify(
        session,
        set(wrote) - named,
        NotificationKind.reply,
        by=by,
        at=at,
        question=question,
        comment=comment,
    )


def _change(session: Session, thread: Comment, *, by: User | None) -> None:
    require(by, Role.contributor, "settle threads")
    lock_row(session, thread, "thread")
    if thread.thread_id is not None:
        raise WrongState("This is a reply. Resolve the thread in which it stands.")


def _record(session: Session, thread: Comment, verb: str, *, by: User | None, at: datetime) -> None:
    record(
        session,
        by=by,
        at=at,
        action=f"comment.{verb}",
        about=f"question:{thread.question.uid}",
        comment=thread.id,
    )
    session.flush()
