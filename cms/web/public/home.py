"""The first page: what the bank is, and what changed."""

from __future__ import annotations

from flask import g, render_template
from sqlalchemy.orm import Session

from cms.services import listing, publicdecks, reading
from cms.web.pages import count_of
from cms.web.public import page
from cms.web.public.addresses import permalink
from cms.web.public.heads import describe
from cms.web.public.linkeddata import home_data

RECENT = 8  # questions in the list of recent changes
TOP_TAGS = 12  # tags under the search box
DECKS = 6  # the ones that changed last


@page("/")
def home(session: Session) -> str:
    """Show the bank's size, its top tags, some decks and its latest changes."""
    counts = reading.counts(session)
    told = f"{count_of(counts.questions, 'question')}, answered and sourced"
    if counts.corrections:
        told += f", with {count_of(counts.corrections, 'correction')} on record"
    describe(
        f"{told}. To read, and to carry away in many formats.",
        canonical=permalink("public.home"),
        data=home_data(g.bank, told),
    )
    decks = publicdecks.all_decks(session)
    latest = sorted(decks, key=lambda deck: -deck.changed_in)[:DECKS]
    return render_template(
        "public/home.html",
        counts=counts,
        tags=sorted(reading.child_tags(session), key=lambda tag: -tag.questions)[:TOP_TAGS],
        decks=[deck for deck in decks if deck in latest],
        more_decks=len(decks) > len(latest),
        recent=listing.list_questions(session, listing.Selection()).questions[:RECENT],
    )
