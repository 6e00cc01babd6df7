"""Releases: the bank's number, and the transaction that it stands for."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cms.models import Release, ReleaseCounter, User


def open_release(session: Session, *, by: User | None, at: datetime, summary: str) -> Release:
    """Take the next number and return its release.

    The counter's row stays locked until the transaction ends, so numbers
    become visible in order: a sequence would commit out of order, and `max+1`
    would collide.
    """
    number = session.execute(
        update(ReleaseCounter)
        .where(ReleaseCounter.id == 1)
        .values(number=ReleaseCounter.number + 1)
        .returning(ReleaseCounter.number)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    release = Release(number=number, at=at, by_id=by.id if by else None, summary=summary[:500])
    session.add(release)
    session.flush()
    return release


def release_number(session: Session) -> int:
    """Return the number of the newest release; 0 for a bank that published nothing."""
    return session.scalar(select(ReleaseCounter.number)) or 0
