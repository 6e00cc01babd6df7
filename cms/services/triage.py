"""The queue of corrections: which comes before and after another, the oldest first."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from cms.models import Correction
from cms.vocabulary import CorrectionStatus

# Counting stops here: 'n of m' costs the same in every bank.
COUNTED = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where a correction stands among those of its status; ids of its neighbors, None at an end.

    `position` counts from 1; it and `count` stop at `COUNTED`.
    """

    position: int
    count: int
    previous: int | None
    next: int | None


def oldest(session: Session, status: CorrectionStatus = CorrectionStatus.open) -> int | None:
    """Return the id of the oldest correction of a status; None if there is none."""
    return session.scalar(
        select(Correction.id)
        .where(Correction.status == status)
        .order_by(Correction.created_at, Correction.id)
        .limit(1)
    )


def place_of(session: Session, correction: Correction) -> Place:
    """Return where a correction stands among those of its status."""
    same = select(Correction.id).where(Correction.status == correction.status)
    before, after = same.where(_before(correction)), same.where(_after(correction))

    def counted(rows: ColumnElement[bool] | None) -> int:
        found = same if rows is None else same.where(rows)
        limited = found.limit(COUNTED).subquery()
        return session.scalar(select(func.count()).select_from(limited)) or 0

    return Place(
        position=min(counted(_before(correction)) + 1, COUNTED),
        count=counted(None),
        previous=session.scalar(
            before.order_by(Correction.created_at.desc(), Correction.id.desc()).limit(1)
        ),
        next=session.scalar(after.order_by(Correction.created_at, Correction.id).limit(1)),
    )


def _before(correction: Correction) -> ColumnElement[bool]:
    return or_(
        Correction.created_at < correction.created_at,
        and_(Correction.created_at == correction.created_at, Correction.id < correction.id),
    )


def _after(correction: Correction) -> ColumnElement[bool]:
    return or_(
        Correction.created_at > correction.created_at,
        and_(Correction.created_at == correction.created_at, Correction.id > correction.id),
    )
