"""The decks, and one of them: its questions, its files, what each release did to it."""

from __future__ import annotations

from flask import render_template, request, url_for
from sqlalchemy.orm import Session

from cms.services import listing, publicdecks
from cms.vocabulary import DeckChangeKind
from cms.web.pages import count_of
from cms.web.public import page
from cms.web.public.addresses import permalink
from cms.web.public.exports import writable
from cms.web.public.filters import asked_number
from cms.web.public.heads import ATOM, Alternate, describe
from cms.web.public.linkeddata import deck_data
from cms.web.public.plaintext import visible_text

RELEASES = 20  # in the list of changes


@page("/decks/")
def decks(session: Session) -> str:
    """Show every deck."""
    describe(
        "Questions that belong together, kept up to date by the editors: "
        "to read in order, or to carry away.",
        canonical=permalink("public.decks"),
    )
    return render_template("public/decks.html", decks=publicdecks.all_decks(session))


@page("/decks/<slug>")
def deck(session: Session, slug: str) -> str:
    """Show a deck: its questions from `after` on, its changes below the release `before`.

    With `since`, the release that somebody has, it begins with what is new to them.
    """
    found = publicdecks.find_deck(session, slug)
    before = asked_number("before", "the number of a release")
    since = asked_number("since", "the number of a release")
    news = None if since is None else publicdecks.deck_news(session, slug, since)
    changes = publicdecks.deck_history(session, slug, before=before, limit=RELEASES + 1)
    shown = changes[:RELEASES]
    after = request.args.get("after")
    members = listing.list_deck(session, slug, found.questions, after)
    describe(
        visible_text(found.html) or f"{count_of(found.questions, 'question')}: {found.title}",
        canonical=None if after or before or news else permalink("public.deck", slug=slug),
        alternates=[Alternate(url_for("public.deck_feed", slug=slug), ATOM, found.title)],
        data=deck_data(found, members.questions),
    )
    return render_template(
        "public/deck.html",
        deck=found,
        listing=members,
        changes=shown,
        kinds=list(DeckChangeKind),
        newest=before is None,
        news=news,
        older=shown[-1].number if len(changes) > RELEASES else None,
        formats=writable(),
    )
