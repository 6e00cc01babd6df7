"""What each release did to the bank's questions, as feeds tell it: a bounded number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, literal, select, union_all
from sqlalchemy.orm import Session

from cms.models import Change, Publication, PublicationTag, Release, Withdrawal
from cms.services.chunks import chunks
from cms.vocabulary import ChangeKind

# Questions of one release that are named, and how far the others are counted.
NAMED = 20
COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class ChangedQuestion:
    """A question as it is now, and what a release did to it.

    `is_new` says that it became public in that release. `words` are its
    summary, or the reason why it was withdrawn. A purged question has no stem.
    """

    what: ChangeKind
    is_new: bool
    slug: str
    stem: str
    words: str


@dataclass(frozen=True, slots=True)
class BankRelease:
    """A release that changed questions: how many, up to one more than `COUNTED`, and the first."""

    number: int
    at: datetime
    count: int
    named: list[ChangedQuestion] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TaggedQuestion:
    """A live question under a tag, with the release that last changed it."""

    uid: str
    slug: str
    stem: str
    summary: str
    is_new: bool
    release: int
    at: datetime


def latest_releases(session: Session, limit: int) -> list[BankRelease]:
    """Return the latest releases that changed questions, the newest first."""
    released = session.execute(
        select(Release.number, Release.at)
        .where(exists().where(Change.release == Release.number))
        .order_by(Release.number.desc())
        .limit(limit)
    ).all()
    if not released:
        return []
    rows = list(_changes(session, [number for number, _ in released]))
    questions = _questions(session, {row.uid for row in rows})
    releases = []
    for number, at in released:
        here = [row for row in rows if row.release == number]
        named = [_changed(row.what, questions.get(row.uid), at) for row in here[:NAMED]]
        count = len(here) if len(here) <= NAMED else _count(session, number)
        releases.append(BankRelease(number, at, count, named))
    return releases


def _changes(session: Session, numbers: Sequence[int]) -> Iterator[Any]:
    """Yield the first changes of each release along its index, one more than are named."""
    for some in chunks(numbers):
        each = [
            select(
                select(Change.release, Change.uid, Change.what)
                .where(Change.release == number)
                .order_by(Change.uid)
                .limit(NAMED + 1)
                .subquery()
            )
            for number in some
        ]
        yield from session.execute(union_all(*each))


def _count(session: Session, number: int) -> int:
    counted = select(literal(1)).where(Change.release == number).limit(COUNTED + 1).subquery()
    return session.scalar(select(func.count()).select_from(counted)) or 0


def _questions(session: Session, uids: set[str]) -> dict[str, Any]:
    """Return the rows of questions, live or withdrawn, by uid."""
    found: dict[str, Any] = {}
    for some in chunks(sorted(uids)):
        for statement in (
            select(
                Withdrawal.uid, Withdrawal.slug, Withdrawal.stem, Withdrawal.reason.label("words")
            )
            .add_columns(literal(None).label("published_at"))
            .where(Withdrawal.uid.in_(some)),
            select(
                Publication.uid,
                Publication.slug,
                Publication.stem,
                Publication.summary.label("words"),
                Publication.published_at,
            ).where(Publication.uid.in_(some)),
        ):
            found |= {row.uid: row for row in session.execute(statement)}
    return found


def _changed(what: ChangeKind, row: Any, at: datetime) -> ChangedQuestion:
    if row is None:
        return ChangedQuestion(what, False, "", "", "")
    is_new = what == ChangeKind.published and row.published_at == at
    return ChangedQuestion(what, is_new, row.slug, row.stem, row.words)


def latest_under(session: Session, tag: str, limit: int) -> list[TaggedQuestion]:
    """Return the live questions under a tag that changed last, the newest change first."""
    rows = session.execute(
        select(
            Publication.uid,
            Publication.slug,
            Publication.stem,
            Publication.summary,
            Publication.published_at,
            PublicationTag.release,
            Release.at,
        )
        .join(PublicationTag, PublicationTag.publication_id == Publication.id)
        .join(Release, Release.number == PublicationTag.release)
        .where(PublicationTag.tag == tag)
        .order_by(PublicationTag.release.desc(), PublicationTag.publication_id.desc())
        .limit(limit)
    )
    return [
        TaggedQuestion(
            uid=row.uid,
            slug=row.slug,
            stem=row.stem,
            summary=row.summary,
            is_new=row.published_at == row.at,
            release=row.release,
            at=row.at,
        )
        for row in rows
    ]
