"""Decks that name a question which is going: another one takes its place there, or none."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.markup import render
from cms.models import Deck, DeckMember, Release, User
from cms.services.audit import record
from cms.services.deckmembers import put_deck
from cms.services.decks import deck_item, put_members


def decks_naming(session: Session, uid: str) -> list[Deck]:
    """Return the decks that have a question as an explicit member.

    They are locked until the transaction ends: call it before a release is opened.
    """
    naming = select(DeckMember.deck_id).where(DeckMember.question_uid == uid)
    return list(
        session.scalars(
            select(Deck)
            .where(Deck.id.in_(naming))
            .order_by(Deck.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def replace_member(
    session: Session,
    release: Release,
    decks: Sequence[Deck],
    uid: str,
    other: str | None,
    *,
    by: User | None,
    at: datetime,
) -> None:
    """Let `other` take a question's place in these decks, as part of `release`; None empties it.

    Where it is a member already, it keeps the first of the two places.
    """
    for deck in decks:
        before = deck_item(deck)
        named = [other if each == uid else each for each in before.questions]
        put_members(deck, list(dict.fromkeys(each for each in named if each is not None)))
        deck.version += 1
        deck.updated_at = at
        session.flush()
        item = deck_item(deck)
        put_deck(session, release, item, render(item.description))
        record(
            session,
            by=by,
            at=at,
            action="deck.save",
            about=f"deck:{deck.id}",
            slug=deck.slug,
            release=release.number,
            before=msgspec.to_builtins(before),
        )
