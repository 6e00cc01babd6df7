"""What the public side reads of decks: their cards, what each release did, what several did."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Select, and_, case, func, not_, select
from sqlalchemy.orm import Session, aliased

from cms.errors import InvalidInput, NotFound
from cms.formats.checks import is_slug
from cms.models import DeckChange, Publication, PublishedDeck, Release, Withdrawal
from cms.services.releases import release_number
from cms.text import title_key
from cms.vocabulary import DeckChangeKind

# Questions of one kind that a release's entry names; it counts the others.
NAMED = 8
# The same for all releases since the one that somebody has.
NAMED_SINCE = 50


@dataclass(frozen=True, slots=True)
class PublicDeck:
    """A deck; `html` is its description, `changed_in` the release that last changed it."""

    slug: str
    title: str
    html: str
    questions: int
    changed_in: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ChangedQuestion:
    """A question that a release added to a deck, changed in it or took out of it.

    Its address answers, if only by saying that it is gone.
    """

    slug: str
    stem: str


@dataclass(frozen=True, slots=True)
class DeckRelease:
    """What one release did to a deck: how many of each kind, and the first of them by name."""

    number: int
    at: datetime
    counts: dict[DeckChangeKind, int] = field(default_factory=dict)
    named: dict[DeckChangeKind, list[ChangedQuestion]] = field(
        default_factory=lambda: defaultdict(list)
    )


@dataclass(frozen=True, slots=True)
class DeckNews:
    """How a deck differs from what it was at `release`: how many of each kind, the first by name.

    A question counts once, however many releases changed it; one that came and
    went meanwhile does not.
    """

    release: int
    counts: dict[DeckChangeKind, int] = field(default_factory=dict)
    named: dict[DeckChangeKind, list[ChangedQuestion]] = field(
        default_factory=lambda: defaultdict(list)
    )


def all_decks(session: Session) -> list[PublicDeck]:
    """Return every public deck, by title."""
    decks = [PublicDeck(*row) for row in session.execute(_columns())]
    return sorted(decks, key=lambda deck: (title_key(deck.title), deck.slug))


def find_deck(session: Session, slug: str) -> PublicDeck:
    """Return the deck at an address.

    :raises NotFound: when there is none
    """
    if is_slug(slug):
        row = session.execute(_columns().where(PublishedDeck.slug == slug)).one_or_none()
        if row is not None:
            return PublicDeck(*row)
    raise NotFound("There is no deck at this address.")


def _columns() -> Select[str, str, str, int, int, datetime]:
    return select(
        PublishedDeck.slug,
        PublishedDeck.title,
        PublishedDeck.html,
        PublishedDeck.questions,
        PublishedDeck.changed_in,
        Release.at,
    ).join(Release, Release.number == PublishedDeck.changed_in)


def deck_news(session: Session, slug: str, since: int) -> DeckNews:
    """Return how a deck differs from what it was at the release `since`.

    :raises InvalidInput: when there was no such release yet
    """
    newest = release_number(session)
    if since > newest:
        raise InvalidInput(
            f"The newest release is {newest}; choose it or an earlier one.", field="since"
        )
    ends = (
        select(func.min(DeckChange.id).label("first"), func.max(DeckChange.id).label("last"))
        .where(DeckChange.deck == slug, DeckChange.release > since)
        .group_by(DeckChange.uid)
        .subquery()
    )
    first, last = aliased(DeckChange), aliased(DeckChange)
    # What came first says whether it was there before, what came last whether it is there now.
    came = first.what == DeckChangeKind.added
    gone = last.what == DeckChangeKind.withdrawn
    kind = case(
        (gone, DeckChangeKind.withdrawn), (came, DeckChangeKind.added), else_=DeckChangeKind.changed
    )
    rank = func.row_number().over(partition_by=kind, order_by=last.id)
    ranked = (
        select(last.uid, kind.label("kind"), rank.label("rank"))
        .select_from(ends)
        .join(first, first.id == ends.c.first)
        .join(last, last.id == ends.c.last)
        .where(not_(and_(came, gone)))
        .subquery()
    )
    news = DeckNews(since)
    for what, count in session.execute(select(ranked.c.kind, func.count()).group_by(ranked.c.kind)):
        news.counts[DeckChangeKind(what)] = count
    for what, question, stem in session.execute(
        select(
            ranked.c.kind,
            func.coalesce(Publication.slug, Withdrawal.slug),
            func.coalesce(Publication.stem, Withdrawal.stem),
        )
        .outerjoin(Publication, Publication.uid == ranked.c.uid)
        .outerjoin(Withdrawal, Withdrawal.uid == ranked.c.uid)
        .where(ranked.c.rank <= NAMED_SINCE)
        .order_by(ranked.c.kind, ranked.c.rank)
    ):
        if question:
            news.named[DeckChangeKind(what)].append(ChangedQuestion(question, stem))
    return news


def deck_history(
    session: Session, slug: str, *, before: int | None = None, limit: int
) -> list[DeckRelease]:
    """Return the releases below `before` that changed a deck's questions, the newest first."""
    numbers = select(DeckChange.release).where(DeckChange.deck == slug).distinct()
    if before is not None:
        numbers = numbers.where(DeckChange.release < before)
    found = session.scalars(numbers.order_by(DeckChange.release.desc()).limit(limit)).all()
    releases = {
        number: DeckRelease(number, at)
        for number, at in session.execute(
            select(Release.number, Release.at)
            .where(Release.number.in_(found))
            .order_by(Release.number.desc())
        )
    }
    of_these = (DeckChange.deck == slug, DeckChange.release.in_(found))
    for number, what, count in session.execute(
        select(DeckChange.release, DeckChange.what, func.count())
        .where(*of_these)
        .group_by(DeckChange.release, DeckChange.what)
    ):
        releases[number].counts[what] = count
    rank = func.row_number().over(
        partition_by=(DeckChange.release, DeckChange.what), order_by=DeckChange.id
    )
    ranked = (
        select(DeckChange.release, DeckChange.what, DeckChange.uid, rank.label("rank"))
        .where(*of_these)
        .subquery()
    )
    for number, what, question, stem in session.execute(
        select(
            ranked.c.release,
            ranked.c.what,
            func.coalesce(Publication.slug, Withdrawal.slug),
            func.coalesce(Publication.stem, Withdrawal.stem),
        )
        .outerjoin(Publication, Publication.uid == ranked.c.uid)
        .outerjoin(Withdrawal, Withdrawal.uid == ranked.c.uid)
        .where(ranked.c.rank <= NAMED)
        .order_by(ranked.c.release, ranked.c.what, ranked.c.rank)
    ):
        if question:
            releases[number].named[what].append(ChangedQuestion(question, stem))
    return list(releases.values())
