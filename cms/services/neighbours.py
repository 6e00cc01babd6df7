"""Where a reader goes on from a question: along the deck or the tag by which they came."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from cms.formats.checks import is_slug
from cms.models import Publication, PublicationTag, PublishedDeck, PublishedDeckMember


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A live question next to another one."""

    slug: str
    stem: str


@dataclass(frozen=True, slots=True)
class Way:
    """A list that holds a question, and the ones before and after it there.

    Either `deck` (its slug) or `tag` (its path) names the list; `title` is what
    readers call it.
    """

    title: str
    deck: str | None
    tag: str | None
    previous: Neighbour | None
    next: Neighbour | None


def way_through(
    session: Session, question_id: int, *, deck: str | None, tag: str | None, tags: list[str]
) -> Way | None:
    """Return the way on from a question: in a deck, else in a tag, else in the first of its `tags`.

    A deck or a tag that does not hold the question is passed over: an old link
    still leads to its question. So are tags of its own in which it is alone.
    None where it is in no list.
    """
    if deck and is_slug(deck) and (found := _in_deck(session, question_id, deck)):
        return found
    if tag and (found := _in_tag(session, question_id, tag)):
        return found
    tops = dict.fromkeys(path.partition("/")[0] for path in tags)
    ways = (_in_tag(session, question_id, path) for path in dict.fromkeys([*tags, *tops]))
    return next((way for way in ways if way and (way.previous or way.next)), None)


def _in_deck(session: Session, question_id: int, slug: str) -> Way | None:
    row = session.execute(
        select(PublishedDeck.title, PublishedDeckMember.position)
        .join(PublishedDeckMember, PublishedDeckMember.deck == PublishedDeck.slug)
        .where(PublishedDeck.slug == slug, PublishedDeckMember.publication_id == question_id)
    ).one_or_none()
    if row is None:
        return None
    keys = (PublishedDeckMember.position, PublishedDeckMember.publication_id)
    beside = _beside(session, PublishedDeckMember.deck == slug, keys, (row.position, question_id))
    return Way(row.title, slug, None, *beside)


def _in_tag(session: Session, question_id: int, path: str) -> Way | None:
    release = session.scalar(
        select(PublicationTag.release).where(
            PublicationTag.publication_id == question_id, PublicationTag.tag == path
        )
    )
    if release is None:
        return None
    keys = (PublicationTag.release, PublicationTag.publication_id)
    before, after = _beside(session, PublicationTag.tag == path, keys, (release, question_id))
    # A tag's list begins with what changed last.
    return Way(path, None, path, after, before)


def _beside(
    session: Session,
    in_list: ColumnElement[bool],
    keys: tuple[InstrumentedAttribute[int], InstrumentedAttribute[int]],
    place: tuple[int, int],
) -> tuple[Neighbour | None, Neighbour | None]:
    """Return the questions right below and right above a place, along the list's index."""
    columns = select(Publication.slug, Publication.stem).join(keys[1].class_).where(in_list)
    below = columns.where(tuple_(*keys) < place).order_by(*(key.desc() for key in keys))
    above = columns.where(tuple_(*keys) > place).order_by(*keys)
    return _first(session, below), _first(session, above)


def _first(session: Session, statement: Select[str, str]) -> Neighbour | None:
    row = session.execute(statement.limit(1)).one_or_none()
    return Neighbour(row.slug, row.stem) if row else None
