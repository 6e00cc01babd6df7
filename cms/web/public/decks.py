"""The decks, and one of them: its questions, its files, what each release did to it."""

from __future__ import annotations

from flask import render_template, request
from sqlalchemy.orm import Session

from cms.services import listing, publicdecks
from cms.vocabulary import DeckChangeKind
from cms.web.public import page
from cms.web.public.exports import writable
from cms.web.public.filters import asked_number

RELEASES = 20  # in the list of changes


@page("/decks/")
def decks(session: Session) -> str:
    """Show every deck."""
    return render_template("public/decks.html", decks=publicdecks.all_decks(session))


@page("/decks/<slug>")
def deck(session: Session, slug: str) -> str:
    """Show a deck: its questions from `after` on, its changes below the release `before`."""
    found = publicdecks.find_deck(session, slug)
    before = asked_number("before", "the number of a release")
    changes = publicdecks.deck_history(session, slug, before=before, limit=RELEASES + 1)
    shown = changes[:RELEASES]
    return render_template(
        "public/deck.html",
        deck=found,
        listing=listing.list_deck(session, slug, found.questions, request.args.get("after")),
        changes=shown,
        kinds=list(DeckChangeKind),
        newest=before is None,
        older=shown[-1].number if len(changes) > RELEASES else None,
        formats=writable(),
    )
