"""Where a reader goes on from a question: along the deck or the tag by which they came."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    String,
    bindparam,
    literal,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from cms.formats.checks import is_slug
from cms.models import Publication, PublicationTag, PublishedDeck, PublishedDeckMember
from cms.services.aliases import heads_of


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
    session: Session,
    question_id: int,
    release: int,
    *,
    deck: str | None,
    tag: str | None,
    tags: list[str],
) -> Way | None:
    """Return the way on from a question: in a deck, else in a tag, else in the first of its `tags`.

    `release` is the one that last changed its row: with the id, its place in
    every tag. A deck or a tag that does not hold the question is passed over: an
    old link still leads to its question. So are tags of its own in which it is
    alone. None where it is in no list.
    """
    if deck and is_slug(deck) and (found := _in_deck(session, question_id, deck)):
        return found
    place = (release, question_id)
    if tag and any(tag in heads_of(each) for each in tags):
        return _in_tag(session, place, tag)
    tops = dict.fromkeys(path.partition("/")[0] for path in tags)
    ways = (_in_tag(session, place, path) for path in dict.fromkeys([*tags, *tops]))
    return next((way for way in ways if way.previous or way.next), None)


def _in_deck(session: Session, question_id: int, slug: str) -> Way | None:
    row = session.execute(_DECK_PLACE, {"list": slug, "id": question_id}).one_or_none()
    if row is None:
        return None
    before, after = _beside(session, _BESIDE_IN_DECK, slug, (row.position, question_id))
    return Way(row.title, slug, None, before, after)


def _in_tag(session: Session, place: tuple[int, int], path: str) -> Way:
    below, above = _beside(session, _BESIDE_IN_TAG, path, place)
    # A tag's list begins with what changed last.
    return Way(path, None, path, above, below)


def _beside(
    session: Session, statement: CompoundSelect[bool, str, str], name: str, place: tuple[int, int]
) -> tuple[Neighbour | None, Neighbour | None]:
    """Return the questions right below and right above a place in the list of this name."""
    rows = session.connection().execute(statement, {"list": name, "key": place[0], "id": place[1]})
    found = {above: Neighbour(slug, stem) for above, slug, stem in rows}
    return found.get(False), found.get(True)


# --- statements, built once: that takes longer than running them -------------------


def _beside_in(
    in_list: ColumnElement[bool],
    keys: tuple[InstrumentedAttribute[int], InstrumentedAttribute[int]],
) -> CompoundSelect[bool, str, str]:
    """Return the statement of what is right below and right above a place, along the index."""
    place = tuple_(bindparam("key", type_=Integer), bindparam("id", type_=Integer))
    listed = select(Publication.slug, Publication.stem).join(keys[1].class_).where(in_list)
    below = listed.where(tuple_(*keys) < place).order_by(*(key.desc() for key in keys))
    above = listed.where(tuple_(*keys) > place).order_by(*keys)
    first_below, first_above = below.limit(1).subquery(), above.limit(1).subquery()
    return union_all(
        select(literal(False), first_below.c.slug, first_below.c.stem),
        select(literal(True), first_above.c.slug, first_above.c.stem),
    )


_IN_DECK = PublishedDeckMember.deck == bindparam("list", type_=String)
_DECK_PLACE = (
    select(PublishedDeck.title, PublishedDeckMember.position)
    .join(PublishedDeckMember, PublishedDeckMember.deck == PublishedDeck.slug)
    .where(_IN_DECK, PublishedDeckMember.publication_id == bindparam("id", type_=Integer))
)
_BESIDE_IN_DECK = _beside_in(
    _IN_DECK, (PublishedDeckMember.position, PublishedDeckMember.publication_id)
)
_BESIDE_IN_TAG = _beside_in(
    PublicationTag.tag == bindparam("list", type_=String),
    (PublicationTag.release, PublicationTag.publication_id),
)
