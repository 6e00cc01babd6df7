"""Exporting: the shelf, or the working copy, as a stream of bytes in any format."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec
from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from cms.errors import InvalidInput, NotFound
from cms.formats import Format
from cms.formats.checks import is_slug
from cms.formats.item import BankItem, DeckItem, TagItem, TombstoneItem
from cms.formats.outgoing import Entry, Export, Retirement
from cms.models import (
    Change,
    DeckChange,
    Publication,
    PublicationTag,
    PublishedDeck,
    PublishedDeckMember,
    PublishedTag,
    Release,
    Withdrawal,
)
from cms.services import search
from cms.services.assets import asset_of
from cms.services.chunks import CHUNK
from cms.services.deckmembers import Merges, merges, survivor
from cms.services.releases import release_number
from cms.vocabulary import ChangeKind, DeckChangeKind, Difficulty

# What a release does to a question that is not public any more.
_TAKEN_AWAY = (ChangeKind.retired, ChangeKind.merged, ChangeKind.purged)

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which questions to export: all tags (with their descendants), difficulty, changes since.

    `query` is a search, of which every match is meant. `among` selects the uids of
    those to choose from, None for all. `deck` is the slug of a public one: its
    questions alone, in its order.
    """

    tags: tuple[str, ...] = ()
    difficulty: Difficulty | None = None
    since: int | None = None
    among: Select[str] | None = None
    deck: str | None = None
    query: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """What an export says of its bank: its title and the address of its public site."""

    title: str
    url: str = ""


@dataclass(slots=True)
class Stream:
    """An export on its way: `chunks` yields its bytes once, `total` counts its questions."""

    chunks: Iterator[bytes]
    total: int
    release: int = 0


def export_shelf(
    session: Session,
    format: Format,
    selection: Selection,
    head: Head,
    options: Mapping[str, bool] | None = None,
    tick: Tick | None = None,
) -> Stream:
    """Return what is published, in the order in which it first was; a deck in its own.

    The same release and selection give the same bytes. The session has to stay
    open, in one transaction, until the last chunk is taken. `tick` is called
    after each question.

    :raises InvalidInput: when the format cannot be written, or `since` is no release
    :raises NotFound: when no live question has a tag, or there is no such deck
    """
    write = writer_of(format)
    release = release_number(session)
    _check(session, selection, release)
    deck = _deck(session, selection)
    selected = _selected(session, select(Publication), selection, deck)
    rows = selected.order_by(*([PublishedDeckMember.position] if deck else []), Publication.id)
    export = Export(
        bank=bank_head(session, head, release),
        entries=ticking(_published(session, rows, head), tick),
        tags=_published_tags(session),
        decks=_published_decks(session, selection, deck),
        deck=msgspec.json.decode(deck.document, type=DeckItem) if deck else None,
        withdrawn=_withdrawn(session, selection, deck),
        retirements=_retirements(session, selection, deck, head),
        asset=partial(asset_of, session),
        options=options or {},
    )
    total = session.scalar(select(func.count()).select_from(selected.subquery())) or 0
    return Stream(write(export), total, release)


def question_url(head: Head, slug: str | None) -> str:
    """Return the public address of a question; empty where the site's is not known."""
    return f"{head.url}/questions/{slug}" if head.url and slug else ""


def writer_of(format: Format) -> Callable[[Export], Iterator[bytes]]:
    """Return what writes a format.

    :raises InvalidInput: when it can only be read
    """
    if format.write is None:
        raise InvalidInput(f"'{format.name}' can be imported, not exported.", field="format")
    return format.write


def ticking(entries: Iterator[Entry], tick: Tick | None) -> Iterator[Entry]:
    """Yield entries, and tell `tick` after each."""
    for entry in entries:
        yield entry
        if tick is not None:
            tick()


def _check(session: Session, selection: Selection, release: int) -> None:
    if selection.since is not None and not 0 <= selection.since <= release:
        raise InvalidInput(
            f"'since' has to be a release from 0 to {release}, the newest.", field="since"
        )
    for slug in selection.tags:
        if not session.scalar(select(exists().where(PublishedTag.slug == slug))):
            raise NotFound(f"No published question has the tag '{slug}'.")


def _deck(session: Session, selection: Selection) -> PublishedDeck | None:
    """Return the deck of a selection, if it names one.

    :raises NotFound: when there is none of that slug
    """
    if selection.deck is None:
        return None
    deck = session.get(PublishedDeck, selection.deck) if is_slug(selection.deck) else None
    if deck is None:
        raise NotFound(f"There is no deck '{selection.deck}'.")
    return deck


def _is_whole(deck: PublishedDeck, selection: Selection) -> bool:
    """Whether a deck is sent with all of its questions: it was redefined, or all is asked for."""
    return selection.since is None or deck.release > selection.since


def _selected(
    session: Session,
    statement: Select[Publication],
    selection: Selection,
    deck: PublishedDeck | None,
) -> Select[Publication]:
    if deck is not None:
        statement = statement.join(
            PublishedDeckMember, PublishedDeckMember.publication_id == Publication.id
        ).where(PublishedDeckMember.deck == deck.slug)
    for slug in selection.tags:
        statement = statement.where(
            exists().where(
                PublicationTag.publication_id == Publication.id, PublicationTag.tag == slug
            )
        )
    conditions: list[ColumnElement[bool]] = []
    if selection.difficulty is not None:
        conditions.append(Publication.difficulty == selection.difficulty)
    if selection.since is not None and deck is None:
        conditions.append(Publication.release > selection.since)
    if selection.query:
        conditions.append(search.holds(session, Publication, selection.query))
    if selection.among is not None:
        conditions.append(Publication.uid.in_(selection.among))
    if deck is not None and not _is_whole(deck, selection):
        # Not the question's own release: one may come to a deck without being changed.
        conditions.append(
            Publication.uid.in_(
                select(DeckChange.uid).where(
                    DeckChange.deck == deck.slug, DeckChange.release > selection.since
                )
            )
        )
    return statement.where(*conditions)


def bank_head(session: Session, head: Head, number: int) -> BankItem:
    """Return what an export says of its bank; `number` is the release that it is of."""
    release = session.get(Release, number)
    return BankItem(
        title=head.title,
        url=head.url,
        release=number,
        generated_at=release.at if release else None,
    )


def _published(session: Session, statement: Select[Publication], head: Head) -> Iterator[Entry]:
    rows = session.execute(
        statement.with_only_columns(Publication.document, Publication.slug),
        execution_options={"yield_per": CHUNK},
    )
    for document, slug in rows:
        yield Entry(document.encode(), question_url(head, slug))


def _published_tags(session: Session) -> list[TagItem]:
    return [
        TagItem(uid=tag.uid, slug=tag.slug, name=tag.name, description=tag.description)
        for tag in session.scalars(select(PublishedTag).order_by(PublishedTag.slug))
    ]


def _published_decks(
    session: Session, selection: Selection, only: PublishedDeck | None
) -> list[DeckItem]:
    """Return the decks; with `since` those that were redefined, each whole.

    The export of one deck names `only` that one, whether it was redefined or not.
    """
    decks = [only] if only else session.scalars(select(PublishedDeck).order_by(PublishedDeck.slug))
    items = []
    for deck in decks:
        item = msgspec.json.decode(deck.document, type=DeckItem)
        whole = _is_whole(deck, selection)
        if whole and selection.since is not None:
            item.full = True
        if whole or only:
            items.append(item)
    return items


def _withdrawn(
    session: Session, selection: Selection, deck: PublishedDeck | None
) -> list[TombstoneItem] | None:
    """Return what left the bank, or the selection, since a release; None in a full export."""
    if selection.since is None:
        return None
    selected = _selected(session, select(Publication), selection, deck)
    inside = selected.with_only_columns(Publication.uid)
    history = DeckChange if deck else Change
    left = select(history.uid, func.max(history.release).label("release")).where(
        history.release > selection.since, history.uid.not_in(inside)
    )
    if deck is not None:
        left = left.where(DeckChange.deck == deck.slug)
    changed = left.group_by(history.uid).subquery()
    rows = session.execute(
        select(changed.c.uid, changed.c.release, Withdrawal.merged_into)
        .outerjoin(Withdrawal, Withdrawal.uid == changed.c.uid)
        .order_by(changed.c.release, changed.c.uid)
    )
    return [TombstoneItem(uid=uid, release=release, merged_into=m) for uid, release, m in rows]


def _retirements(
    session: Session, selection: Selection, deck: PublishedDeck | None, head: Head
) -> Iterator[Retirement]:
    """Yield what left the bank for good, in the order in which it did; with `since` only later.

    Of a deck that is what left it by being withdrawn. A question that other tags or
    another difficulty were given left nothing, and nobody knows any more which a
    withdrawn one had, nor its words: a selection by those has no retirements.
    """
    narrowed = selection.tags or selection.query or selection.among is not None
    if narrowed or selection.difficulty is not None:
        return
    into = aliased(Publication)
    statement = (
        select(Withdrawal, into.slug)
        .outerjoin(into, into.uid == Withdrawal.merged_into)
        .order_by(Withdrawal.release, Withdrawal.uid)
    )
    if selection.since is not None:
        statement = statement.where(Withdrawal.release > selection.since)
    if deck is not None:
        # One that the deck let go earlier was not in it any more.
        left = select(DeckChange.uid).join(
            Change, (Change.uid == DeckChange.uid) & (Change.release == DeckChange.release)
        )
        statement = statement.where(
            Withdrawal.uid.in_(
                left.where(
                    DeckChange.deck == deck.slug,
                    DeckChange.what == DeckChangeKind.withdrawn,
                    Change.what.in_(_TAKEN_AWAY),
                )
            )
        )
    merged: Merges | None = None
    for gone, slug in session.execute(statement, execution_options={"yield_per": CHUNK}):
        if gone.merged_into is not None and slug is None:
            # What it was merged into was merged, too.
            merged = merges(session) if merged is None else merged
            last = survivor(gone.merged_into, merged)
            slug = session.scalar(select(Publication.slug).where(Publication.uid == last))
        url = question_url(head, slug)
        yield Retirement(uid=gone.uid, stem=gone.stem, reason=gone.reason, at=gone.at, url=url)
