"""Import warnings: what looked damaged, until somebody mends or acknowledges it."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.models import ImportWarning, Question, User
from cms.services.audit import record
from cms.services.permissions import require
from cms.vocabulary import Role


def open_warnings(session: Session, question: Question) -> list[ImportWarning]:
    """Return the warnings of a question that nobody acknowledged, the oldest first."""
    return list(
        session.scalars(
            select(ImportWarning)
            .where(
                ImportWarning.question_id == question.id,
                ImportWarning.acknowledged_at.is_(None),
            )
            .order_by(ImportWarning.id)
        )
    )


def acknowledge(session: Session, warning: ImportWarning, *, by: User | None, at: datetime) -> None:
    """Say that a passage is mended, or right as it stands.

    :raises WrongState: when somebody did so already
    """
    require(by, Role.editor, "acknowledge import warnings")
    session.refresh(warning, with_for_update=True)
    if warning.acknowledged_at is not None:
        raise WrongState("Somebody acknowledged this warning already.")
    warning.acknowledged_at = at
    warning.acknowledged_by_id = by.id if by else None
    record(
        session,
        by=by,
        at=at,
        action="warning.acknowledge",
        about=f"question:{warning.question.uid}",
        kind=warning.kind,
        passage=warning.passage,
    )
    session.flush()
