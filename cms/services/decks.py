"""Decks on the shelf: as the desk has them, from the next release on."""

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from cms.formats.item import DeckFilter, DeckItem
from cms.models import Deck, PublishedDeck, Release


def put_decks(session: Session, release: Release) -> None:
    """Bring the public decks up to date with the desk's."""
    public = {deck.slug: deck for deck in session.scalars(select(PublishedDeck))}
    for deck in session.scalars(select(Deck).options(selectinload(Deck.members))):
        document = msgspec.json.encode(deck_item(deck)).decode()
        held = public.pop(deck.slug, None)
        if held is None or held.document != document:
            session.merge(PublishedDeck(slug=deck.slug, document=document, release=release.number))
    for gone in public.values():
        session.delete(gone)
    session.flush()


def deck_item(deck: Deck) -> DeckItem:
    """Return a deck as formats carry it."""
    return DeckItem(
        slug=deck.slug,
        title=deck.title,
        description=deck.description,
        filter=filter_of(deck),
        questions=[member.question_uid for member in deck.members],
    )


def filter_of(deck: Deck) -> DeckFilter:
    """Return what a deck selects besides its explicit members."""
    try:
        return msgspec.convert(deck.filter, DeckFilter)
    except msgspec.ValidationError:
        # The first version took any filter, and selected nothing by it.
        return DeckFilter()
