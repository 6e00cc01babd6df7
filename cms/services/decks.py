"""Decks: made and changed at the desk. Every change is a release: readers see it at once."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from slugify import slugify
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, selectinload

from cms.errors import InvalidContent, StaleDeck
from cms.formats.checks import deck_faults
from cms.formats.item import SLUG_LIMIT, DeckFilter, DeckItem
from cms.formats.normalizing import normalized_deck
from cms.markup import render
from cms.models import (
    AuditEvent,
    Deck,
    DeckMember,
    Publication,
    PublishedDeck,
    Question,
    Release,
    SlugRedirect,
    Tag,
    User,
)
from cms.services import deckmembers
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.deckfilters import (
    filter_of,
    naming_tags,
    with_current_tags,
    with_paths,
)
from cms.services.locking import lock_row
from cms.services.permissions import require
from cms.services.releases import open_release
from cms.text import unique_name
from cms.vocabulary import Role

# An address that was pasted whole: its last part names the question.
_ADDRESS = re.compile(r"https?://\S*/questions/([^/?#\s]+?)(?:\.(?:json|md))?(?:[?#]\S*)?")


@dataclass(frozen=True, slots=True)
class Member:
    """An explicit member as it was named: by uid, by slug or by its address.

    `note` says what keeps it from the public; empty where nothing does. An
    unknown one has no uid.
    """

    name: str
    uid: str | None
    slug: str = ""
    stem: str = ""
    note: str = ""


# --- verbs of the desk --------------------------------------------------------------


def save_deck(
    session: Session,
    deck: Deck | None,
    item: DeckItem,
    *,
    seen_version: int = 0,
    by: User | None,
    at: datetime,
) -> Deck:
    """Make or change a deck, in a release of its own; nothing happens if nothing changed.

    Its slug is made from the title if `item` has none, and stays from then on.
    `seen_version` is the version of the deck that the editor saw.

    :raises StaleDeck: when somebody changed it in between; nothing is written
    :raises InvalidContent: when a field breaks a rule, a tag or a question does not exist
    """
    require(by, Role.editor, "change decks")
    item = normalized_deck(replace(item, full=UNSET))
    item.filter = with_current_tags(session, item.filter)
    before: DeckItem | None = None
    if deck is not None:
        _lock(session, deck)
        before = deck_item(deck)
        item.slug = item.slug or deck.slug
    elif not item.slug:
        wanted = slugify(item.title, max_length=SLUG_LIMIT - 8, word_boundary=True) or "deck"
        item.slug = unique_name(wanted, lambda slug: _is_taken(session, slug), SLUG_LIMIT)
    found = [*deck_faults(item), *_faults(session, item, before)]
    if found:
        raise InvalidContent(found)
    if deck is not None and before is not None:
        if item == before:
            return deck
        if deck.version != seen_version:
            raise StaleDeck(theirs=before, by=_last_changed_by(session, deck))
        deck.version += 1
    else:
        deck = Deck(slug=item.slug, version=1, created_at=at)
        session.add(deck)
    deck.title = item.title
    deck.description = item.description
    deck.filter = msgspec.to_builtins(item.filter)
    deck.updated_at = at
    put_members(deck, item.questions)
    session.flush()
    verb = "Changed" if before else "Made"
    release = open_release(session, by=by, at=at, summary=f"{verb} the deck {item.title}")
    record(
        session,
        by=by,
        at=at,
        action="deck.save" if before else "deck.create",
        about=f"deck:{deck.id}",
        slug=item.slug,
        release=release.number,
        **({"before": msgspec.to_builtins(before)} if before else {}),
    )
    session.flush()
    put_on_shelf(session, release, item)
    return deck


def delete_deck(
    session: Session, deck: Deck, *, seen_version: int, by: User | None, at: datetime
) -> None:
    """Take a deck away, in a release of its own; its questions stay. The audit keeps it whole.

    :raises StaleDeck: when somebody changed it since the editor saw it
    """
    require(by, Role.editor, "delete decks")
    _lock(session, deck)
    before = deck_item(deck)
    if deck.version != seen_version:
        raise StaleDeck(theirs=before, by=_last_changed_by(session, deck))
    release = open_release(session, by=by, at=at, summary=f"Deleted the deck {deck.title}")
    record(
        session,
        by=by,
        at=at,
        action="deck.delete",
        about=f"deck:{deck.id}",
        release=release.number,
        before=msgspec.to_builtins(before),
    )
    session.delete(deck)
    session.flush()
    deckmembers.drop_deck(session, release, before.slug)


def resolve_members(session: Session, names: Sequence[str]) -> list[str]:
    """Return the uids of questions that are named by uid, slug or address, each once.

    :raises InvalidContent: when the bank has no such question
    """
    found = describe_members(session, names)
    unknown = [member.name for member in found if member.uid is None]
    if unknown:
        named = ", ".join(f"'{name[:80]}'" for name in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise InvalidContent(
            [
                (
                    "questions",
                    f"The bank has no question {named}{more}. Name each by the last part of its "
                    "address or by its uid, one a line.",
                )
            ]
        )
    return list(dict.fromkeys(member.uid for member in found if member.uid is not None))


def describe_members(session: Session, names: Sequence[str]) -> list[Member]:
    """Return what each name stands for, in order, and what keeps it from the public."""
    plain = [match[1] if (match := _ADDRESS.fullmatch(name)) else name for name in names]
    uids = _uids_of(session, plain)
    wanted = [uids.get(name, name) for name in plain]
    questions: dict[str, Question] = {}
    live: set[str] = set()
    for some in chunks(list(dict.fromkeys(wanted))):
        for question in session.scalars(select(Question).where(Question.uid.in_(some))):
            questions[question.uid] = question
        live |= set(session.scalars(select(Publication.uid).where(Publication.uid.in_(some))))
    return [
        _member(name, questions.get(uid), live) for name, uid in zip(names, wanted, strict=True)
    ]


def _member(name: str, question: Question | None, live: set[str]) -> Member:
    if question is None:
        return Member(name, None, note="unknown")
    return Member(name, question.uid, question.slug, question.stem, _note(question, live))


def _note(question: Question, live: set[str]) -> str:
    if question.uid in live:
        return ""
    if question.merged_into is not None:
        return f"merged into {question.merged_into.slug}"
    return "retired" if question.retired_at is not None else "not published"


def _uids_of(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Return the uids of those names that are, or were, addresses of questions."""
    found: dict[str, str] = {}
    for some in chunks(list(dict.fromkeys(names))):
        redirects = select(SlugRedirect.slug, SlugRedirect.uid).where(
            SlugRedirect.what == "question", SlugRedirect.slug.in_(some)
        )
        found |= dict(session.execute(redirects).all())
        # What is somebody's address now is not what it once was.
        current = select(Question.slug, Question.uid).where(Question.slug.in_(some))
        found |= dict(session.execute(current).all())
    return found


def _lock(session: Session, deck: Deck) -> None:
    """Read a deck anew and keep others from changing it until the transaction ends."""
    lock_row(session, deck, "deck")


def _is_taken(session: Session, slug: str) -> bool:
    return bool(session.scalar(select(exists().where(Deck.slug == slug))))


def _faults(session: Session, item: DeckItem, before: DeckItem | None) -> Iterable[tuple[str, str]]:
    """Yield what the bank has against a deck. What it held before may stay as it is."""
    if before is None and _is_taken(session, item.slug):
        yield "slug", f"There is a deck at '{item.slug}' already. Choose another address."
    if before is not None and item.slug != before.slug:
        yield (
            "slug",
            f"The address of a deck stays as it is: '{before.slug}'. Make a new deck instead.",
        )
    held = before or DeckItem(slug="", title="")
    tags = set(item.filter.tags).difference(held.filter.tags)
    known: set[str] = set()
    for some in chunks(list(tags)):
        known |= set(session.scalars(select(Tag.slug).where(Tag.slug.in_(some))))
    for name in ("all", "any", "none"):
        for index, tag in enumerate(getattr(item.filter, name)):
            if tag in tags - known:
                yield (
                    f"filter.{name}[{index}]",
                    f"There is no tag '{tag[:80]}'. Choose one that questions have.",
                )
    uids = [uid for uid in item.questions if uid not in held.questions]
    present: set[str] = set()
    for some in chunks(uids):
        present |= set(session.scalars(select(Question.uid).where(Question.uid.in_(some))))
    for index, uid in enumerate(item.questions):
        if uid in uids and uid not in present:
            yield f"questions[{index}]", f"The bank has no question with the uid '{uid[:80]}'."


def put_members(deck: Deck, uids: Sequence[str]) -> None:
    """Make these the explicit members; rows that stay are moved, not made again."""
    held = {member.question_uid: member for member in deck.members}
    deck.members = [held.get(uid) or DeckMember(question_uid=uid, position=0) for uid in uids]
    for position, member in enumerate(deck.members):
        member.position = position


def _last_changed_by(session: Session, deck: Deck) -> str:
    event = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.object == f"deck:{deck.id}")
        .order_by(AuditEvent.id.desc())
        .limit(1)
    ).first()
    return str((event and event.actor) or "Somebody")


# --- the shelf ------------------------------------------------------------------------


def keep_decks(session: Session, release: Release, uids: Sequence[str] = ()) -> None:
    """Bring the public decks up to date with what a release did to these questions.

    Decks that came or went without a release of their own, as those of a file
    do, come and go with this one.
    """
    public = select(PublishedDeck.slug)
    for deck in session.scalars(
        select(Deck).where(Deck.slug.not_in(public)).options(selectinload(Deck.members))
    ):
        put_on_shelf(session, release, deck_item(deck))
    for slug in session.scalars(
        select(PublishedDeck.slug).where(PublishedDeck.slug.not_in(select(Deck.slug)))
    ).all():
        deckmembers.drop_deck(session, release, slug)
    deckmembers.follow(session, release, uids)


def rename_tags(
    session: Session, release: Release, moved: Mapping[str, str], *, at: datetime
) -> None:
    """Let filters follow tags to their new paths, and work those decks out anew.

    Call it once the questions below the tags are refreshed.
    """
    for deck in naming_tags(session, moved):
        changed = with_paths(filter_of(deck), moved)
        item = normalized_deck(replace(deck_item(deck), filter=changed))
        deck.filter = msgspec.to_builtins(item.filter)
        deck.version += 1
        deck.updated_at = at
        session.flush()
        put_on_shelf(session, release, item)


def put_on_shelf(session: Session, release: Release, item: DeckItem) -> None:
    """Put a deck on the shelf as it is defined now."""
    deckmembers.put_deck(session, release, item, render(item.description))


def deck_item(deck: Deck) -> DeckItem:
    """Return a deck as formats carry it."""
    return DeckItem(
        slug=deck.slug,
        title=deck.title,
        description=deck.description,
        filter=filter_of(deck),
        questions=[member.question_uid for member in deck.members],
    )


# --- before it is saved ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """Whom a deck would hold, on the shelf as it is now: how many, and the first stems."""

    total: int
    first: list[tuple[str, str]]


def preview_deck(session: Session, item: DeckItem, limit: int = 20) -> Preview:
    """Return how many questions a deck would have, and slug and stem of the first ones.

    A filter that breaks a rule selects nothing yet.
    """
    item = normalized_deck(item)
    item.filter = with_current_tags(session, item.filter)
    if any(path.startswith("filter") for path, _ in deck_faults(item)):
        item.filter = DeckFilter()
    explicit = deckmembers.work_out(session, replace(item, filter=DeckFilter()))
    ids = sorted(explicit, key=lambda id: explicit[id])
    total = len(ids)
    if item.filter:
        # A question that is both is one of the explicit ones, and counted once.
        picked = deckmembers.selected(session, item.filter)
        total += session.scalar(select(func.count()).select_from(picked.subquery())) or 0
        for some in chunks(ids):
            both = picked.where(Publication.id.in_(some)).subquery()
            total -= session.scalar(select(func.count()).select_from(both)) or 0
        following = session.scalars(picked.order_by(Publication.id).limit(limit + len(ids)))
        ids = list(dict.fromkeys([*ids, *following]))
    shown = ids[:limit]
    rows = {
        row.id: (row.slug, row.stem)
        for row in session.execute(
            select(Publication.id, Publication.slug, Publication.stem).where(
                Publication.id.in_(shown)
            )
        )
    }
    return Preview(total, [rows[id] for id in shown])
