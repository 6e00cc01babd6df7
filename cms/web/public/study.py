"""Study mode: the questions of a deck, a tag or a search as cards.

Every page shows cards one after another, each with its answer folded; that is
complete without scripts. With scripts one card at a time is asked, and what
the reader knows of it stays in the browser: nothing here ever writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import Gone

from cms.errors import NotFound
from cms.services import listing, publicdecks, reading, studying
from cms.services.listing import Listing, Selection
from cms.services.reading import Moved, Withdrawn
from cms.services.studying import CARDS, LIST_LIMIT
from cms.web.public import page
from cms.web.public.addresses import permalink
from cms.web.public.filters import asked_difficulty, asked_query, asked_tags
from cms.web.public.heads import describe
from cms.web.public.tags import has_tag, show_tag, study_address

Address = Callable[[str | None], str]
"""The address of a study page whose cards follow a cursor, of the first without one."""


@page("/study/")
def study(session: Session) -> str:
    """Show what there is to study, and what this browser knows of the reader's progress."""
    describe(
        "Decks, tags and searches as cards: think, look, say how well you knew it. "
        "Each card comes again just before you would forget it.",
        canonical=permalink("public.study"),
    )
    return render_template("public/study.html", decks=publicdecks.all_decks(session))


@page("/decks/<slug>/study")
def study_deck(session: Session, slug: str) -> str:
    """Show a deck as cards, from `after` on, in the deck's order."""
    deck = publicdecks.find_deck(session, slug)

    def here(after: str | None = None) -> str:
        return url_for("public.study_deck", slug=slug, after=after)

    return _cards(
        session,
        listing.list_deck(session, slug, deck.questions, _after(), size=CARDS),
        here,
        title=deck.title,
        back=url_for("public.deck", slug=slug),
        back_words="this deck",
        names=url_for("public.study_list", deck=slug),
        interview=url_for("public.interview", deck=slug),
    )


@page("/tags/<path:path>/study")
def study_tag(session: Session, path: str) -> ResponseReturnValue:
    """Show a tag as cards, from `after` on; a tag whose own name is 'study' keeps its page."""
    if has_tag(session, f"{path}/study"):
        return show_tag(session, f"{path}/study")
    try:
        found = reading.find_tag(session, path)
    except NotFound:
        return show_tag(session, f"{path}/study")
    if isinstance(found, Moved):
        return redirect(study_address(session, found.slug), 301)

    def here(after: str | None = None) -> str:
        return url_for("public.study_tag", path=path, after=after)

    return _selected(
        session,
        Selection(tags=(path,), sort="title"),
        here,
        title=found.name or found.slug,
        back=url_for("public.tag", path=path),
        back_words="this tag",
    )


@page("/questions/study")
def study_questions(session: Session) -> ResponseReturnValue:
    """Show what `q`, `tag` (all of them) and `difficulty` select as cards, from `after` on."""
    selection = _selection()
    for tag in selection.tags:
        found = reading.find_tag(session, tag)
        if isinstance(found, Moved):
            tags = [found.slug if each == tag else each for each in selection.tags]
            return redirect(url_for("public.study_questions", **_named(selection, tags=tags)), 301)

    def here(after: str | None = None) -> str:
        return url_for("public.study_questions", **_named(selection), after=after)

    words = [f"“{selection.query}”" if selection.query else "", *selection.tags]
    return _selected(
        session,
        selection,
        here,
        title=", ".join(filter(None, [*words, selection.difficulty])) or "all questions",
        back=url_for("public.questions", **_named(selection)),
        back_words="this list",
    )


@page("/study/list")
def study_list(session: Session) -> Response:
    """Return which cards a `deck`, or what `q`, `tag` and `difficulty` select, has.

    `cards` are uid, address, revision and difficulty of at most `LIST_LIMIT` of
    them, in order; `more` says whether there are others.
    """
    if slug := request.args.get("deck"):
        deck = publicdecks.find_deck(session, slug)
        found = listing.list_deck(session, slug, deck.questions, size=LIST_LIMIT)
    else:
        found = listing.list_questions(session, _selection(), size=LIST_LIMIT)
    response = jsonify(
        cards=[[each.uid, each.slug, each.revision, each.difficulty] for each in found.questions],
        more=found.next is not None,
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@page("/study/cards/<slug>")
def study_card(session: Session, slug: str) -> ResponseReturnValue:
    """Return one card as a piece of HTML, to stand in a study page."""
    card = studying.find_card(session, slug)
    if isinstance(card, Moved):
        return redirect(url_for("public.study_card", slug=card.slug), 301)
    if isinstance(card, Withdrawn):
        raise Gone("This question was withdrawn.")
    response = Response(render_template("public/study_card.html", card=card))
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _after() -> str | None:
    return request.args.get("after")


def _selection() -> Selection:
    """Read the selection from the address; without a search it has an order that stays.

    :raises InvalidInput: when a filter has a value that does not exist
    """
    query = asked_query()
    return Selection(
        query=query,
        tags=asked_tags(),
        difficulty=asked_difficulty(),
        sort="relevance" if query else "title",
    )


def _named(selection: Selection, tags: list[str] | None = None) -> dict[str, Any]:
    """Return a selection as parameters of an address; what is default is left out."""
    return {
        "q": selection.query or None,
        "tag": (tags or list(selection.tags)) or None,
        "difficulty": selection.difficulty,
    }


def _selected(
    session: Session, selection: Selection, here: Address, *, title: str, back: str, back_words: str
) -> str:
    plain = not selection.query and len(selection.tags) < 2
    return _cards(
        session,
        listing.list_questions(session, selection, _after(), size=CARDS),
        here,
        title=title,
        back=back,
        back_words=back_words,
        names=url_for("public.study_list", **_named(selection)),
        # An interview draws from one tag, or from the whole bank.
        interview=url_for("public.interview", tag=selection.tags[:1] or None) if plain else None,
    )


def _cards(
    session: Session,
    found: Listing,
    here: Address,
    *,
    title: str,
    back: str,
    back_words: str,
    names: str,
    interview: str | None,
) -> str:
    return render_template(
        "public/study_cards.html",
        title=title,
        back=back,
        back_words=back_words,
        cards=studying.cards(session, [each.slug for each in found.questions]),
        total=found.total,
        first=here(None) if _after() else None,
        following=here(found.next) if found.next else None,
        names=names,
        interview=interview,
        limit=LIST_LIMIT,
    )
