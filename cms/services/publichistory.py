"""What the public side reads of a question's past: the releases that changed what readers see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, String, Text, bindparam, cast, or_, select
from sqlalchemy.orm import Session

from cms.models import Change, Release
from cms.vocabulary import ChangeKind


@dataclass(frozen=True, slots=True)
class PublicChange:
    """What one release did to a question; `parts` are those of `cms.services.changed`."""

    release: int
    at: datetime
    what: ChangeKind
    parts: list[str]


# Built once: every page of a question asks it.
_CHANGES = (
    select(Change.release, Release.at, Change.what, Change.parts)
    .join(Release, Release.number == Change.release)
    .where(
        Change.uid == bindparam("uid", type_=String),
        # PostgreSQL does not compare JSON; its text is the same on both databases.
        or_(Change.what != ChangeKind.refreshed, cast(Change.parts, Text) != "[]"),
    )
    .order_by(Change.release.desc(), Change.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


def question_changes(
    session: Session, uid: str, *, before: int | None = None, limit: int
) -> list[PublicChange]:
    """Return the releases below `before` that changed a question, the newest first.

    Those that only wrote its row anew, and nothing that readers see, are left out.
    """
    statement = _CHANGES if before is None else _CHANGES.where(Change.release < before)
    rows = session.connection().execute(statement, {"uid": uid, "limit": limit})
    return [PublicChange(*row) for row in rows]
