"""What of the bank's work is one person's: assigned, to review, their drafts, their corrections."""

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session, joinedload

from cms.models import Correction, Notification, Question, User
from cms.services import queues
from cms.services.content import LISTED
from cms.vocabulary import CorrectionStatus, NotificationKind, Stage

_UNDECIDED = (CorrectionStatus.open, CorrectionStatus.held)


def is_assigned_to(user: User) -> ColumnElement[bool]:
    """Whether a living question is this person's to work on."""
    return and_(Question.assignee_id == user.id, queues.alive())


def is_to_review_by(user: User) -> ColumnElement[bool]:
    """Whether a question waits for this person's review."""
    return and_(Question.reviewer_id == user.id, queues.in_review())


def is_draft_of(user: User) -> ColumnElement[bool]:
    """Whether a question is this person's draft, or was returned to them."""
    unpublished = or_(
        Question.published_number.is_(None), Question.published_number != Question.latest_number
    )
    never_public = and_(Question.created_by_id == user.id, Question.published_number.is_(None))
    return and_(
        or_(never_public, Question.id.in_(_returned_to(user))),
        Question.stage == Stage.draft,
        unpublished,
        queues.alive(),
    )


def returned_of(session: Session, user: User, questions: list[Question]) -> set[int]:
    """Return the keys of those of these drafts that were returned to this person."""
    ids = [question.id for question in questions]
    returned = _returned_to(user).where(Notification.question_id.in_(ids))
    return {key for key in session.scalars(returned) if key is not None}


def count(session: Session, condition: ColumnElement[bool]) -> int:
    """Return how many questions fit, at most `queues.COUNTED`."""
    return queues.capped(session, select(Question.id).where(condition))


def questions_of(session: Session, condition: ColumnElement[bool], limit: int) -> list[Question]:
    """Return the first questions that fit: those that are due first, then the newest."""
    return list(
        session.scalars(
            select(Question)
            .where(condition)
            .options(LISTED)
            .order_by(Question.due_on.is_(None), Question.due_on, Question.updated_at.desc())
            .limit(limit)
        )
    )


def is_open_correction_by(user: User) -> ColumnElement[bool]:
    """Whether a correction that this person filed waits for a decision."""
    return and_(Correction.reporter_id == user.id, Correction.status.in_(_UNDECIDED))


def corrections_of(session: Session, user: User, limit: int) -> list[Correction]:
    """Return the newest corrections that this person filed and nobody decided."""
    return list(
        session.scalars(
            select(Correction)
            .where(is_open_correction_by(user))
            .options(joinedload(Correction.question).load_only(Question.stem))
            .order_by(Correction.id.desc())
            .limit(limit)
        )
    )


def _returned_to(user: User) -> Select[int | None]:
    return select(Notification.question_id).where(
        Notification.user_id == user.id, Notification.kind == NotificationKind.returned
    )
