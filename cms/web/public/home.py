"""The first page: what the bank is, and what changed."""

from __future__ import annotations

from flask import render_template
from sqlalchemy.orm import Session

from cms.services import listing, publicdecks, reading
from cms.web.public import page

RECENT = 8  # questions in the list of recent changes
TOP_TAGS = 12  # tags under the search box
DECKS = 6  # the ones that changed last


@page("/")
def home(session: Session) -> str:
    """Show the bank's size, its top tags, some decks and its latest changes."""
    decks = publicdecks.all_decks(session)
    latest = sorted(decks, key=lambda deck: -deck.changed_in)[:DECKS]
    return render_template(
        "public/home.html",
        counts=reading.counts(session),
        tags=sorted(reading.child_tags(session), key=lambda tag: -tag.questions)[:TOP_TAGS],
        decks=[deck for deck in decks if deck in latest],
        more_decks=len(decks) > len(latest),
        recent=listing.list_questions(session, listing.Selection()).questions[:RECENT],
    )
