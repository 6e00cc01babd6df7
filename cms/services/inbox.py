"""The inbox: notes to people about what concerns them."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.models import Comment, Correction, Notification, Question, User
from cms.vocabulary import NotificationKind


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
    None among the ids is nobody.
    """
    wanted = {user_id for user_id in user_ids if user_id is not None} - {by.id if by else None}
    if not wanted:
        return
    reached = select(User.id).where(User.id.in_(wanted), User.disabled_at.is_(None))
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
        for user_id in session.scalars(reached.order_by(User.id))
    )
    session.flush()
