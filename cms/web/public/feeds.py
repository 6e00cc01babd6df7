"""Feeds: what changed in the bank, under a tag and in a deck, and the latest corrections.

The feeds of the bank and of a deck have an entry for each release, named after
its question where it changed one alone: a release of a thousand questions is
one piece of news. The feed of a tag has an entry for each question. Entries
tell of questions as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from flask import Response, current_app, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.markup import plain_inline
from cms.services import changes, publicdecks, reading
from cms.services.changes import BankRelease, ChangedQuestion
from cms.services.publicdecks import DeckRelease, PublicDeck
from cms.services.reading import Erratum, Moved
from cms.vocabulary import ChangeKind
from cms.web.public import page
from cms.web.public.addresses import absolute
from cms.web.public.atom import Entry, Feed, atom_response, entry_id
from cms.web.public.plaintext import shortened, visible_text

ENTRIES = 50  # in a feed
TITLE_LIMIT = 120  # characters of a claim in a title
# Of a bank that has released nothing: a feed has to name a time.
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_WORDS = {
    ChangeKind.published: "Changed",
    ChangeKind.refreshed: "Updated",
    ChangeKind.retired: "Withdrawn",
    ChangeKind.merged: "Merged into another question",
    ChangeKind.purged: "Removed",
}


@page("/feed.atom")
def feed(session: Session) -> Response:
    """Tell what the latest releases did to the questions."""
    entries = [_of_release(each) for each in changes.latest_releases(session, ENTRIES)]
    return _sent("changes", absolute("public.feed"), absolute("public.home"), entries)


@page("/corrections/feed.atom")
def corrections_feed(session: Session) -> Response:
    """Tell the latest corrections: claim, truth and source."""
    errata = reading.errata(session, limit=ENTRIES)
    entries = [_of_erratum(each) for each in errata]
    own = absolute("public.corrections_feed")
    return _sent("corrections", own, absolute("public.corrections"), entries)


@page("/tags/<path:path>/feed.atom")
def tag_feed(session: Session, path: str) -> ResponseReturnValue:
    """Tell which questions under a tag changed last."""
    found = reading.find_tag(session, path)
    if isinstance(found, Moved):
        return redirect(url_for("public.tag_feed", path=found.slug), 301)
    entries = []
    for each in changes.latest_under(session, found.slug, ENTRIES):
        kind = "New" if each.is_new else "Changed"
        entries.append(
            Entry(
                entry_id(each.uid, each.release),
                f"{kind}: {plain_inline(each.stem)}",
                each.at,
                absolute("public.question", slug=each.slug),
                render_template("public/feed/question.html", words=each.summary),
            )
        )
    own = absolute("public.tag_feed", path=found.slug)
    return _sent(found.name or found.slug, own, absolute("public.tag", path=found.slug), entries)


@page("/decks/<slug>/feed.atom")
def deck_feed(session: Session, slug: str) -> Response:
    """Tell what the latest releases added to a deck, changed in it and took out of it."""
    deck = publicdecks.find_deck(session, slug)
    history = publicdecks.deck_history(session, slug, limit=ENTRIES)
    entries = [_of_deck(deck, each) for each in history]
    own = absolute("public.deck_feed", slug=slug)
    return _sent(deck.title, own, absolute("public.deck", slug=slug), entries)


def _sent(what: str, own: str, page_address: str, entries: Sequence[Entry]) -> Response:
    name = current_app.config["SITE_NAME"]
    latest = max((each.updated for each in entries), default=g.bank.released_at or NEVER)
    return atom_response(Feed(f"{name}: {what}", own, page_address, name, latest, entries))


def _of_release(release: BankRelease) -> Entry:
    id = entry_id("release", release.number, release.at.isoformat())
    if release.count == 1:
        [question] = release.named
        return Entry(
            id,
            f"{_kind(question)}: {_name(question.stem)}",
            release.at,
            _address(question.slug),
            render_template(
                "public/feed/question.html",
                words=question.words,
                same_text=question.what == ChangeKind.refreshed,
            ),
        )
    more = release.count - len(release.named)
    counted = f"{min(release.count, changes.COUNTED):,}"
    if release.count > changes.COUNTED:
        counted = f"more than {counted}"
    return Entry(
        id,
        f"Release {release.number}: {counted} questions",
        release.at,
        absolute("public.questions"),
        render_template(
            "public/feed/release.html",
            groups=_groups((_kind(each), each.slug, each.stem) for each in release.named),
            more=f"{more:,}" if release.count <= changes.COUNTED else "many",
            rest=more,
        ),
    )


def _of_deck(deck: PublicDeck, release: DeckRelease) -> Entry:
    total = sum(release.counts.values())
    named = [
        (kind.capitalize(), each.slug, each.stem)
        for kind, questions in release.named.items()
        for each in questions
    ]
    rest = total - len(named)
    told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(release.counts.items()))
    return Entry(
        entry_id("deck", deck.slug, release.number, release.at.isoformat()),
        f"{deck.title}: {told}",
        release.at,
        absolute("public.deck", slug=deck.slug),
        render_template(
            "public/feed/release.html", groups=_groups(named), more=f"{rest:,}", rest=rest
        ),
    )


def _of_erratum(erratum: Erratum) -> Entry:
    correction = erratum.correction
    claim = " ".join(visible_text(correction.claim).split())
    return Entry(
        f"urn:uuid:{erratum.uid}",
        f"Correction {correction.number}: {shortened(claim, TITLE_LIMIT)}",
        correction.decided_at or NEVER,
        absolute("public.correction", number=correction.number),
        render_template(
            "public/feed/correction.html",
            correction=correction,
            stem=erratum.stem,
            address=_address(erratum.slug),
        ),
    )


def _groups(named: Iterable[tuple[str, str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Return addresses and names of questions under the words for what was done to them."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for kind, slug, stem in named:
        groups.setdefault(kind, []).append((_address(slug), _name(stem)))
    return groups


def _kind(question: ChangedQuestion) -> str:
    return "New" if question.is_new else _WORDS[question.what]


def _name(stem: str) -> str:
    return plain_inline(stem) or "a question that is no longer kept"


def _address(slug: str) -> str:
    return absolute("public.question", slug=slug) if slug else absolute("public.questions")
