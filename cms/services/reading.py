"""What the public side reads: the shelf, one indexed row or one bounded scan at a time.

The session is on the read-only engine, and one transaction serves one page: the
release's number and the page belong together. Lists are in `cms.services.listing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, String, bindparam, func, select
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.formats.item import PATH_PATTERN, SLUG_LIMIT, SLUG_PATTERN, CorrectionItem
from cms.models import (
    Change,
    Publication,
    PublishedCorrection,
    PublishedTag,
    Release,
    ReleaseCounter,
    SlugRedirect,
    Withdrawal,
)
from cms.services.rendered import Rendered, RenderedCorrection, render_correction
from cms.vocabulary import ChangeKind, Difficulty

# A merged question may have been merged into one that was merged later; a chain
# longer than this is a fault, and following it for ever would be another.
MERGE_LIMIT = 10

_SLUG = re.compile(SLUG_PATTERN)
_PATH = re.compile(PATH_PATTERN)


@dataclass(frozen=True, slots=True)
class Bank:
    """The release that a page shows; `released_at` is None before the first."""

    release: int
    released_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is public."""

    questions: int
    corrections: int


@dataclass(frozen=True, slots=True)
class PublicQuestion:
    """A live question; `document` is its Item as JSON text.

    `release` is the one that last changed its row.
    """

    id: int
    uid: str
    slug: str
    stem: str
    difficulty: Difficulty | None
    tags: list[str]
    rendered: Rendered
    document: str
    release: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """A question or a tag has another address now."""

    slug: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A question that was public and no longer is."""

    stem: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PublicTag:
    """A tag of live questions; `questions` counts those of its descendants too."""

    slug: str
    name: str
    description: str
    questions: int

    @property
    def depth(self) -> int:
        """0 for a tag without parent."""
        return self.slug.count("/")


@dataclass(frozen=True, slots=True)
class Erratum:
    """A public correction with its uid, and the question that it is about.

    `mended_at` is when a text that has it right became public, None where that
    is not asked.
    """

    slug: str
    stem: str
    correction: RenderedCorrection
    uid: str
    mended_at: datetime | None = None


# Every page asks these: building one anew would take longer than running it.
_BANK = select(ReleaseCounter.number, Release.at).outerjoin(
    Release, Release.number == ReleaseCounter.number
)
_LIVE = select(
    Publication.id,
    Publication.uid,
    Publication.slug,
    Publication.stem,
    Publication.difficulty,
    Publication.tags,
    Publication.html,
    Publication.document,
    Publication.release,
    Publication.updated_at,
).where(Publication.slug == bindparam("slug", type_=String))


def bank(session: Session) -> Bank:
    """Return the current release."""
    number, at = session.connection().execute(_BANK).one()
    return Bank(number, at)


def counts(session: Session) -> Counts:
    """Return how many questions and corrections are public."""
    questions = select(func.count()).select_from(Publication).scalar_subquery()
    corrections = select(func.count()).select_from(PublishedCorrection).scalar_subquery()
    return Counts(*session.execute(select(questions, corrections)).one())


# --- questions -----------------------------------------------------------------


def find_question(session: Session, slug: str) -> PublicQuestion | Withdrawn | Moved:
    """Return the question at an address, or what became of it.

    :raises NotFound: when nothing public ever had this address
    """
    if len(slug) <= SLUG_LIMIT and _SLUG.fullmatch(slug):
        found = _live(session, slug) or _former(session, slug)
        if found is not None:
            return found
    raise NotFound("There is no question at this address.")


def _live(session: Session, slug: str) -> PublicQuestion | None:
    row = session.connection().execute(_LIVE, {"slug": slug}).one_or_none()
    if row is None:
        return None
    return PublicQuestion(
        id=row.id,
        uid=row.uid,
        slug=row.slug,
        stem=row.stem,
        difficulty=row.difficulty,
        tags=row.tags,
        rendered=_rendered(row.html),
        document=row.document,
        release=row.release,
        updated_at=row.updated_at,
    )


def _former(session: Session, slug: str) -> Withdrawn | Moved | None:
    """Return what became of a question that once had this address."""
    withdrawal = session.scalar(select(Withdrawal).where(Withdrawal.slug == slug))
    if withdrawal is None:
        uid = session.scalar(
            select(SlugRedirect.uid).where(
                SlugRedirect.what == "question", SlugRedirect.slug == slug
            )
        )
        if uid is None:
            return None
        if moved := _address(session, uid):
            return moved
        withdrawal = session.get(Withdrawal, uid)
    last = withdrawal
    for _ in range(MERGE_LIMIT):
        if last is None or last.merged_into is None:
            break
        if moved := _address(session, last.merged_into):
            return moved
        last = session.get(Withdrawal, last.merged_into)
    if withdrawal is None:
        return None
    return Withdrawn(withdrawal.stem, withdrawal.reason, withdrawal.at)


def _address(session: Session, uid: str) -> Moved | None:
    slug = session.scalar(select(Publication.slug).where(Publication.uid == uid))
    return None if slug is None else Moved(slug)


# --- tags ----------------------------------------------------------------------


def all_tags(session: Session) -> list[PublicTag]:
    """Return every public tag, each before its descendants."""
    tags = _tags(session)
    return sorted(tags, key=lambda tag: tag.slug.split("/"))


def child_tags(session: Session, parent: str = "") -> list[PublicTag]:
    """Return the tags right below `parent`, or the top ones, in order."""
    prefix = f"{parent}/" if parent else ""
    slug = PublishedTag.slug
    return _tags(
        session,
        slug.startswith(prefix, autoescape=True),
        ~func.substr(slug, len(prefix) + 1).contains("/"),
    )


def find_tag(session: Session, path: str) -> PublicTag | Moved:
    """Return the tag at a path, or where it is now.

    :raises NotFound: when no public question has it
    """
    if len(path) <= SLUG_LIMIT and _PATH.fullmatch(path):
        if row := session.connection().execute(_TAG, {"slug": path}).one_or_none():
            return PublicTag(*row)
        slug = session.connection().scalar(_FORMER_TAG, {"slug": path})
        if slug is not None:
            return Moved(slug)
    raise NotFound(f"No public question has the tag “{path[:SLUG_LIMIT]}”.")


_TAGS = select(
    PublishedTag.slug, PublishedTag.name, PublishedTag.description, PublishedTag.questions
)
_TAG = _TAGS.where(PublishedTag.slug == bindparam("slug", type_=String))
_FORMER_TAG = (
    select(PublishedTag.slug)
    .join(SlugRedirect, SlugRedirect.uid == PublishedTag.uid)
    .where(SlugRedirect.what == "tag", SlugRedirect.slug == bindparam("slug", type_=String))
)


def _tags(session: Session, *criteria: ColumnElement[bool]) -> list[PublicTag]:
    rows = session.execute(_TAGS.where(*criteria).order_by(PublishedTag.slug))
    return [PublicTag(*row) for row in rows]


# --- corrections -----------------------------------------------------------------


def latest_corrections(session: Session, uids: Iterable[str]) -> dict[str, int]:
    """Return the highest correction number of each question, by uid, of those that have one."""
    return dict(session.connection().execute(_LATEST, {"uids": list(uids)}).all())


_LATEST = (
    select(PublishedCorrection.question_uid, func.max(PublishedCorrection.number))
    .where(PublishedCorrection.question_uid.in_(bindparam("uids", expanding=True)))
    .group_by(PublishedCorrection.question_uid)
)


def errata(session: Session, *, before: int | None = None, limit: int) -> list[Erratum]:
    """Return the public corrections with a number below `before`, the highest first."""
    criteria = [] if before is None else [PublishedCorrection.number < before]
    return _errata(session, *criteria, limit=limit)


def find_erratum(session: Session, number: int) -> Erratum:
    """Return the public correction of this number.

    :raises NotFound: when no public correction has it
    """
    # No integer column holds more.
    if number < 2**31 and (found := _errata(session, PublishedCorrection.number == number)):
        return replace(found[0], mended_at=_mended_at(session, number))
    raise NotFound(f"There is no public correction {number}.")


def _errata(session: Session, *criteria: ColumnElement[bool], limit: int = 1) -> list[Erratum]:
    rows = session.execute(
        select(
            PublishedCorrection.number,
            PublishedCorrection.uid,
            PublishedCorrection.document,
            func.coalesce(Publication.slug, Withdrawal.slug, "").label("slug"),
            func.coalesce(Publication.stem, Withdrawal.stem, "").label("stem"),
            Publication.html,
        )
        .outerjoin(Publication, Publication.uid == PublishedCorrection.question_uid)
        .outerjoin(Withdrawal, Withdrawal.uid == PublishedCorrection.question_uid)
        .where(*criteria)
        .order_by(PublishedCorrection.number.desc())
        .limit(limit)
    )
    return [
        Erratum(row.slug, row.stem, _correction(row.number, row.document, row.html), row.uid)
        for row in rows
    ]


def _mended_at(session: Session, number: int) -> datetime | None:
    """Return when the revision that fixes a correction, or a later one, was first published."""
    row = session.execute(
        select(PublishedCorrection.question_uid, PublishedCorrection.document).filter_by(
            number=number
        )
    ).one()
    item = msgspec.json.decode(row.document, type=CorrectionItem)
    return session.scalar(
        select(Release.at)
        .join(Change, Change.release == Release.number)
        .where(
            Change.uid == row.question_uid,
            Change.what == ChangeKind.published,
            Change.revision >= (item.fixed_in or 0),
        )
        .order_by(Release.number)
        .limit(1)
    )


def _correction(number: int, document: str, html: str | None) -> RenderedCorrection:
    """Return an erratum as its question's page shows it; a withdrawn question has no page."""
    for correction in _rendered(html).corrections if html else ():
        if correction.number == number:
            return correction
    return render_correction(msgspec.json.decode(document, type=CorrectionItem))


_decoder = msgspec.json.Decoder(Rendered)


def _rendered(html: str) -> Rendered:
    return _decoder.decode(html)
