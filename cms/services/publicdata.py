"""What programs read of the shelf: documents and changes, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound
from cms.formats.checks import is_slug, is_uid
from cms.formats.item import CorrectionItem, DeckItem, Item
from cms.models import (
    Change,
    Publication,
    PublishedCorrection,
    PublishedDeck,
    PublishedTag,
    Release,
    Withdrawal,
)
from cms.services.releases import release_number
from cms.vocabulary import ChangeKind


@dataclass(frozen=True, slots=True)
class Gone:
    """A question that left the bank; `merged_into` is the uid of the one that answers for it."""

    reason: str
    at: datetime
    merged_into: str | None


class PublicChange(msgspec.Struct, kw_only=True):
    """What a release did to one question; `parts` names what readers see that differs."""

    release: int
    at: datetime
    uid: str
    what: ChangeKind
    revision: int | None
    parts: list[str]


class PublicCorrection(msgspec.Struct, kw_only=True):
    """A public erratum and the uid of the question that it is about."""

    question: str
    correction: CorrectionItem


class DescribedTag(msgspec.Struct, kw_only=True):
    """A tag of live questions; `questions` counts those of its descendants, too."""

    uid: str
    slug: str
    name: str
    description: str
    questions: int


class DescribedDeck(msgspec.Struct, kw_only=True):
    """A deck; `questions` counts the live ones in it, `changed_in` is the release of its newest."""

    slug: str
    title: str
    description: str
    questions: int
    changed_in: int


def documents(session: Session, uids: Sequence[str]) -> list[Item]:
    """Return live questions by their uids, in this order."""
    held = dict(
        session.execute(
            select(Publication.uid, Publication.document).where(Publication.uid.in_(uids))
        ).all()
    )
    return [msgspec.json.decode(held[uid], type=Item) for uid in uids if uid in held]


def find_document(session: Session, uid: str) -> Item | Gone:
    """Return a question by its uid, or what became of it.

    :raises NotFound: when no public question ever had it
    """
    if is_uid(uid):
        if found := documents(session, [uid]):
            return found[0]
        if gone := session.get(Withdrawal, uid):
            return Gone(gone.reason, gone.at, gone.merged_into)
    raise NotFound("No public question has this uid.")


def tags(session: Session, *, after: str | None, limit: int) -> list[DescribedTag]:
    """Return the tags whose path sorts behind `after`, in order."""
    statement = select(
        PublishedTag.uid,
        PublishedTag.slug,
        PublishedTag.name,
        PublishedTag.description,
        PublishedTag.questions,
    )
    if after is not None:
        statement = statement.where(PublishedTag.slug > after)
    rows = session.execute(statement.order_by(PublishedTag.slug).limit(limit))
    return [DescribedTag(**row._mapping) for row in rows]


def decks(session: Session, *, after: str | None, limit: int) -> list[DescribedDeck]:
    """Return the decks whose slug sorts behind `after`, in order."""
    statement = select(PublishedDeck)
    if after is not None:
        statement = statement.where(PublishedDeck.slug > after)
    rows = session.scalars(statement.order_by(PublishedDeck.slug).limit(limit))
    return [
        DescribedDeck(
            slug=deck.slug,
            title=deck.title,
            description=deck_document(deck).description,
            questions=deck.questions,
            changed_in=deck.changed_in,
        )
        for deck in rows
    ]


def deck_document(deck: PublishedDeck) -> DeckItem:
    """Return a deck as exports have it."""
    return msgspec.json.decode(deck.document, type=DeckItem)


def find_deck(session: Session, slug: str) -> PublishedDeck:
    """Return a deck by its slug.

    :raises NotFound: when there is none
    """
    deck = session.get(PublishedDeck, slug) if is_slug(slug) else None
    if deck is None:
        raise NotFound(f"There is no deck '{slug[:100]}'.")
    return deck


def corrections(session: Session, *, before: int | None, limit: int) -> list[PublicCorrection]:
    """Return the public corrections with a number below `before`, the newest first."""
    statement = select(PublishedCorrection.question_uid, PublishedCorrection.document)
    if before is not None:
        statement = statement.where(PublishedCorrection.number < before)
    rows = session.execute(statement.order_by(PublishedCorrection.number.desc()).limit(limit))
    return [
        PublicCorrection(
            question=uid, correction=msgspec.json.decode(document, type=CorrectionItem)
        )
        for uid, document in rows
    ]


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Some changes, oldest first; there is `more` behind the last one, or not."""

    changes: list[PublicChange]
    more: bool


def changes_since(
    session: Session, since: int, *, after: tuple[int, str] | None, limit: int
) -> ChangesPage:
    """Return what the releases after `since` did, behind the release and the uid of `after`.

    :raises InvalidInput: when there was no such release yet
    """
    newest = release_number(session)
    if since > newest:
        raise InvalidInput(
            f"'since' has to be a release from 0 to {newest}, the newest.", field="since"
        )
    statement = (
        select(Change.release, Release.at, Change.uid, Change.what, Change.revision, Change.parts)
        .join(Release, Release.number == Change.release)
        .where(Change.release > since)
    )
    if after is not None:
        statement = statement.where(tuple_(Change.release, Change.uid) > after)
    rows = session.execute(statement.order_by(Change.release, Change.uid).limit(limit + 1)).all()
    return ChangesPage([PublicChange(**row._mapping) for row in rows[:limit]], len(rows) > limit)
