"""What a sitemap lists, in parts: a part is a range of numbers, so each costs what the first does.

A question stays in its part for good: whoever read a part before finds in it
the same addresses and those that changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cms.models import Publication, PublishedCorrection, PublishedTag, Release


@dataclass(frozen=True, slots=True)
class ListedAddress:
    """What an address is made of, and when its page changed last."""

    name: str
    changed_at: datetime | None


def question_parts(session: Session, size: int) -> list[int]:
    """Return the numbers, from 1, of the parts that hold a question."""
    return list(_parts(session, Publication.id, size))


def correction_parts(session: Session, size: int) -> list[int]:
    """Return the numbers, from 1, of the parts that hold a correction."""
    return list(_parts(session, PublishedCorrection.number, size))


def _parts(session: Session, key: InstrumentedAttribute[int], size: int) -> Iterator[int]:
    """Yield the part of the lowest key, and of the lowest one after each part."""
    part = 0
    while True:
        lowest = session.scalar(select(func.min(key)).where(key > part * size))
        if lowest is None:
            return
        part = (lowest - 1) // size + 1
        yield part


def questions_of(session: Session, part: int, size: int) -> list[ListedAddress]:
    """Return the slugs of a part's questions, by number."""
    rows = session.execute(
        select(Publication.slug, Release.at)
        .join(Release, Release.number == Publication.release)
        .where(Publication.id > (part - 1) * size, Publication.id <= part * size)
        .order_by(Publication.id)
    )
    return [ListedAddress(*row) for row in rows]


def corrections_of(session: Session, part: int, size: int) -> list[ListedAddress]:
    """Return the numbers of a part's corrections, in order."""
    key = PublishedCorrection.number
    rows = session.execute(
        select(key, Release.at)
        .join(Release, Release.number == PublishedCorrection.release)
        .where(key > (part - 1) * size, key <= part * size)
        .order_by(key)
    )
    return [ListedAddress(str(number), at) for number, at in rows]


def tags(session: Session, limit: int) -> list[ListedAddress]:
    """Return the paths of public tags, at most `limit`. When their lists changed is not kept."""
    paths = session.scalars(select(PublishedTag.slug).order_by(PublishedTag.slug).limit(limit))
    return [ListedAddress(path, None) for path in paths]
