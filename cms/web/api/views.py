"""The addresses of the API."""

from __future__ import annotations

import re

import msgspec
from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import Gone

from cms.errors import InvalidInput
from cms.formats.item import UID_PATTERN, DeckItem, Item
from cms.services import listing, publicdata, reading
from cms.services.listing import SORTS, Selection
from cms.services.publicdata import (
    DescribedDeck,
    DescribedTag,
    PublicChange,
    PublicCorrection,
)
from cms.web.api import Page, asked_limit, data, following, release
from cms.web.public.addresses import permalink
from cms.web.public.exports import writable
from cms.web.public.filters import asked_difficulty, asked_number, asked_query, asked_tags

_PLACE = re.compile(f"([0-9]{{1,9}})-({UID_PATTERN})")


class Index(msgspec.Struct, kw_only=True):
    """Where everything is, and how much of it; `files` are whole exports, by extension."""

    release: int
    questions: int
    corrections: int
    addresses: dict[str, str]
    files: dict[str, str]


class QuestionsPage(Page, kw_only=True):
    """Questions as exports have them."""

    questions: list[Item]


class TagsPage(Page, kw_only=True):
    """Tags, by path."""

    tags: list[DescribedTag]


class DecksPage(Page, kw_only=True):
    """Decks, by slug."""

    decks: list[DescribedDeck]


class DeckDocument(msgspec.Struct, kw_only=True):
    """A deck as exports have it, its size, and its files by extension."""

    deck: DeckItem
    questions: int
    changed_in: int
    files: dict[str, str]


class CorrectionsPage(Page, kw_only=True):
    """Corrections, the newest first."""

    corrections: list[PublicCorrection]


class ChangesPage(Page, kw_only=True):
    """Changes, the oldest first."""

    changes: list[PublicChange]


@data("/")
def index(session: Session) -> Index:
    """Say where everything is."""
    counts = reading.counts(session)
    return Index(
        release=release(),
        questions=counts.questions,
        corrections=counts.corrections,
        addresses={
            name: permalink(f"api.{name}")
            for name in ("questions", "tags", "decks", "corrections", "changes", "openapi")
        },
        files={
            each.extension: permalink("public.export_bank", extension=each.extension)
            for each in writable()
        },
    )


@data("/questions")
def questions(session: Session) -> QuestionsPage:
    """List questions by `q`, `tag` (all of them), `difficulty` and `sort`, or those of a `deck`."""
    after = request.args.get("after")
    if deck := request.args.get("deck"):
        found = publicdata.find_deck(session, deck)
        listed = listing.list_deck(session, found.slug, found.questions, after, size=asked_limit())
    else:
        listed = listing.list_questions(session, _selection(), after, size=asked_limit())
    return QuestionsPage(
        release=release(),
        questions=publicdata.documents(session, [each.uid for each in listed.questions]),
        next=following(listed.next) if listed.next else None,
    )


def _selection() -> Selection:
    query = asked_query()
    sort = request.args.get("sort") or ("relevance" if query else "recent")
    if sort not in SORTS:
        raise InvalidInput(
            f"There is no order '{sort[:40]}'. Choose {', '.join(SORTS)}.", field="sort"
        )
    return Selection(query=query, tags=asked_tags(), difficulty=asked_difficulty(), sort=sort)


@data("/questions/<uid>")
def question(session: Session, uid: str) -> ResponseReturnValue:
    """Return a question; where it was merged into another one, lead there."""
    found = publicdata.find_document(session, uid)
    if isinstance(found, publicdata.Gone):
        if found.merged_into:
            return redirect(url_for("api.question", uid=found.merged_into), 301)
        raise Gone(f"This question was withdrawn. {found.reason}".strip())
    response = Response(msgspec.json.encode(found), mimetype="application/json")
    page = permalink("public.question", slug=found.slug)
    response.headers["Link"] = f'<{page}>; rel="alternate"; type="text/html"'
    return response


@data("/tags")
def tags(session: Session) -> TagsPage:
    """List the tags by path, with how many questions are below each."""
    limit = asked_limit()
    found = publicdata.tags(session, after=request.args.get("after"), limit=limit + 1)
    return TagsPage(
        release=release(),
        tags=found[:limit],
        next=following(found[limit - 1].slug) if len(found) > limit else None,
    )


@data("/decks")
def decks(session: Session) -> DecksPage:
    """List the decks by slug."""
    limit = asked_limit()
    found = publicdata.decks(session, after=request.args.get("after"), limit=limit + 1)
    return DecksPage(
        release=release(),
        decks=found[:limit],
        next=following(found[limit - 1].slug) if len(found) > limit else None,
    )


@data("/decks/<slug>")
def deck(session: Session, slug: str) -> DeckDocument:
    """Return a deck; its questions are at `/questions?deck=<slug>`."""
    found = publicdata.find_deck(session, slug)
    return DeckDocument(
        deck=publicdata.deck_document(found),
        questions=found.questions,
        changed_in=found.changed_in,
        files={
            each.extension: permalink("public.export_deck", slug=slug, extension=each.extension)
            for each in writable()
        },
    )


@data("/corrections")
def corrections(session: Session) -> CorrectionsPage:
    """List the public corrections with a number below `after`, the newest first."""
    limit = asked_limit()
    before = asked_number("after", "the number of a correction")
    found = publicdata.corrections(session, before=before, limit=limit + 1)
    last = found[limit - 1].correction.number if len(found) > limit else None
    return CorrectionsPage(
        release=release(),
        corrections=found[:limit],
        next=None if last is None else following(last),
    )


@data("/changes")
def changes(session: Session) -> ChangesPage:
    """List what each release after `since` did to which question, the oldest first."""
    since = asked_number("since", "the number of a release") or 0
    found = publicdata.changes_since(session, since, after=_place(), limit=asked_limit())
    last = found.changes[-1] if found.more else None
    return ChangesPage(
        release=release(),
        changes=found.changes,
        next=None if last is None else following(f"{last.release}-{last.uid}"),
    )


def _place() -> tuple[int, str] | None:
    """Return the release and the uid behind which a page of changes begins.

    :raises InvalidInput: when `after` is no such place
    """
    after = request.args.get("after")
    if not after:
        return None
    found = _PLACE.fullmatch(after)
    if found is None:
        raise InvalidInput(
            "'after' is the place that 'next' names. Start again without it.", field="after"
        )
    return int(found[1]), found[2]
