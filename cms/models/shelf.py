"""The shelf: everything public, denormalized. The public side reads nothing else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from cms.models.base import Base, Line, LongText, Slug, Uid
from cms.vocabulary import ChangeKind, CorrectionKind, DeckChangeKind, Difficulty


class ReleaseCounter(Base):
    """One row: the bank's number. Its lock, held until commit, puts releases in order."""

    __tablename__ = "release_counter"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)


class Release(Base):
    """A transaction that changed what is public."""

    __tablename__ = "release"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    summary: Mapped[Line] = mapped_column(default="")


class Change(Base):
    """What a release did to one question; append-only.

    `parts` names what readers see of it that is not as it was before
    (cms.services.changed); empty where all is new, gone, or as before.
    """

    __tablename__ = "change"
    __table_args__ = (Index(None, "release", "uid"), Index(None, "uid", "release"))

    id: Mapped[int] = mapped_column(primary_key=True)
    release: Mapped[int] = mapped_column(ForeignKey("release.number"))
    uid: Mapped[Uid]
    what: Mapped[ChangeKind]
    revision: Mapped[int | None]
    parts: Mapped[list[str]] = mapped_column(JSON, default=list)


class Publication(Base):
    """One live question as the public reads it.

    `document` is its Item as JSON text, `html` the rendered and sanitized parts
    as JSON text (cms.services.shelf.Rendered), `tags` its tag slugs, `release`
    the one that last changed the row.
    """

    __tablename__ = "publication"
    __table_args__ = (
        Index(None, "release", "id"),
        Index(None, "title_key", "id"),
        # Without the sort keys in the index, a list of one difficulty sorts a third of the bank.
        Index(None, "difficulty", "release", "id"),
        Index(None, "difficulty", "title_key", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[Uid] = mapped_column(unique=True)
    slug: Mapped[Slug] = mapped_column(unique=True)
    stem: Mapped[LongText]
    title_key: Mapped[str] = mapped_column(String(120))
    summary: Mapped[LongText]
    difficulty: Mapped[Difficulty | None]
    tags: Mapped[list[str]] = mapped_column(JSON)
    html: Mapped[LongText]
    document: Mapped[LongText]
    search_text: Mapped[LongText]
    corrections: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int]
    release: Mapped[int]
    published_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SearchWord(Base):
    """A word of public texts; `questions` counts the live ones that have it."""

    __tablename__ = "search_word"

    word: Mapped[str] = mapped_column(String(24), primary_key=True)
    questions: Mapped[int]


class SearchSpelling(Base):
    """What is left of a word without one of its letters, and the word itself.

    Two words that differ by one letter, or by two that changed places, share a
    spelling: what is close to a word is found without looking at all of them.
    """

    __tablename__ = "search_spelling"

    spelling: Mapped[str] = mapped_column(String(24), primary_key=True)
    word: Mapped[str] = mapped_column(String(24), primary_key=True)


class PublicationTag(Base):
    """A publication under each of its tags and their ancestors, with the lists' sort keys."""

    __tablename__ = "publication_tag"
    __table_args__ = (
        Index(None, "tag", "release", "publication_id"),
        Index(None, "tag", "title_key", "publication_id"),
    )

    publication_id: Mapped[int] = mapped_column(
        ForeignKey("publication.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[Slug] = mapped_column(primary_key=True)
    release: Mapped[int]
    title_key: Mapped[str] = mapped_column(String(120))


class PublishedTag(Base):
    """A tag that some live question has, or whose descendant one has.

    `questions` counts the live questions under it, descendants included.
    """

    __tablename__ = "published_tag"

    slug: Mapped[Slug] = mapped_column(primary_key=True)
    uid: Mapped[Uid] = mapped_column(unique=True)
    name: Mapped[Line]
    description: Mapped[LongText] = mapped_column(default="")
    questions: Mapped[int] = mapped_column(default=0)


class PublishedCorrection(Base):
    """A public erratum. `document` is its CorrectionItem as JSON text."""

    __tablename__ = "published_correction"
    __table_args__ = (Index(None, "question_uid"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    uid: Mapped[Uid] = mapped_column(unique=True)
    question_uid: Mapped[Uid]
    kind: Mapped[CorrectionKind]
    document: Mapped[LongText]
    decided_at: Mapped[datetime | None]
    release: Mapped[int]


class PublishedDeck(Base):
    """A deck as the public has it. `document` is its DeckItem as JSON text.

    `html` is its description, `questions` counts its members, `release` is the
    one that last changed its selection, `changed_in` the one that last changed
    the deck or one of its questions.
    """

    __tablename__ = "published_deck"

    slug: Mapped[Slug] = mapped_column(primary_key=True)
    title: Mapped[Line] = mapped_column(default="")
    html: Mapped[LongText] = mapped_column(default="")
    document: Mapped[LongText]
    questions: Mapped[int] = mapped_column(default=0)
    release: Mapped[int]
    changed_in: Mapped[int] = mapped_column(default=0)


class PublishedDeckMember(Base):
    """A live question in a deck, worked out.

    `position` counts the deck's explicit members from 0. Those that its filter
    selects all have AFTER_EXPLICIT: they follow in the order in which they were
    first published, and none moves when another comes or goes.
    """

    __tablename__ = "published_deck_member"
    __table_args__ = (Index(None, "deck", "position", "publication_id"),)

    AFTER_EXPLICIT = 1_000_000

    deck: Mapped[Slug] = mapped_column(
        ForeignKey("published_deck.slug", ondelete="CASCADE"), primary_key=True
    )
    publication_id: Mapped[int] = mapped_column(
        ForeignKey("publication.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    position: Mapped[int]


class DeckChange(Base):
    """What a release did to one question of a deck; append-only, like Change."""

    __tablename__ = "deck_change"
    __table_args__ = (Index(None, "deck", "release", "uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    deck: Mapped[Slug]
    release: Mapped[int] = mapped_column(ForeignKey("release.number"))
    uid: Mapped[Uid]
    what: Mapped[DeckChangeKind]


class Withdrawal(Base):
    """The tombstone of a question that was public and no longer is."""

    __tablename__ = "withdrawal"

    uid: Mapped[Uid] = mapped_column(primary_key=True)
    slug: Mapped[Slug] = mapped_column(unique=True)
    stem: Mapped[LongText] = mapped_column(default="")
    release: Mapped[int]
    merged_into: Mapped[Uid | None] = mapped_column(index=True)
    reason: Mapped[LongText] = mapped_column(default="")
    at: Mapped[datetime]


class SlugRedirect(Base):
    """An address that a question or a tag had; `what` is 'question' or 'tag'."""

    __tablename__ = "slug_redirect"

    what: Mapped[str] = mapped_column(String(16), primary_key=True)
    slug: Mapped[Slug] = mapped_column(primary_key=True)
    uid: Mapped[Uid] = mapped_column(index=True)
