"""The queue of corrections: which comes before and after another, the oldest first."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
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


def next_open(session: Session, after: Correction | None = None) -> int | None:
    """Return the id of the open correction that follows another one, at the end the oldest.

    None where no correction is open.
    """
    in_order = (
        select(Correction.id)
        .where(Correction.status == CorrectionStatus.open)
        .order_by(Correction.created_at, Correction.id)
        .limit(1)
    )
    found = session.scalar(in_order.where(_after(after))) if after is not None else None
    return found or session.scalar(in_order)


def place_of(session: Session, correction: Correction) -> Place:
    """Return where a correction stands among those of its status."""
    same = select(Correction.id).where(Correction.status == correction.status)
    before, after = same.where(_before(correction)), same.where(_after(correction))

    def counted(rows: Select[int]) -> int:
        limited = rows.limit(COUNTED).subquery()
        return session.scalar(select(func.count()).select_from(limited)) or 0

    return Place(
        position=min(counted(before) + 1, COUNTED),
        count=counted(same),
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
