"""Who is in a deck: worked out on the shelf, and kept up to date by each release.

A deck's definition is its document on the shelf. Its explicit members come
first, in their order: one that is not public is skipped, and one that was
merged is stood in for by the question that it became. Then comes what the
filter selects, in the order in which it was first published.

A release looks again at the questions that it touched, in every deck; only a
deck that was redefined is worked out anew. Both come to the same members, and
every difference is a DeckChange.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter, DeckItem
from cms.models import (
    DeckChange,
    Publication,
    PublicationTag,
    PublishedDeck,
    PublishedDeckMember,
    Release,
    Withdrawal,
)
from cms.services.chunks import chunks
from cms.services.search import matches
from cms.vocabulary import DeckChangeKind, Difficulty

AFTER_EXPLICIT = PublishedDeckMember.AFTER_EXPLICIT

Merges = Mapping[str, str]
"""Of each question that was public and merged, the one that it was merged into."""

# What two changes of one question in one release come to; None where nothing is left of them.
_THEN: Mapping[tuple[DeckChangeKind, DeckChangeKind], DeckChangeKind | None] = {
    (DeckChangeKind.added, DeckChangeKind.changed): DeckChangeKind.added,
    (DeckChangeKind.added, DeckChangeKind.withdrawn): None,
    (DeckChangeKind.changed, DeckChangeKind.changed): DeckChangeKind.changed,
    (DeckChangeKind.changed, DeckChangeKind.withdrawn): DeckChangeKind.withdrawn,
    (DeckChangeKind.withdrawn, DeckChangeKind.added): DeckChangeKind.changed,
}


# --- one deck from scratch -----------------------------------------------------------


def work_out(session: Session, deck: DeckItem) -> dict[int, int]:
    """Return the place of each member of a deck as the shelf is now, by publication id."""
    found = {
        id: AFTER_EXPLICIT for id in session.scalars(selected(session, deck.filter)) if deck.filter
    }
    places = _places(deck, merges(session))
    for uids in chunks(list(places)):
        for id, uid in session.execute(
            select(Publication.id, Publication.uid).where(Publication.uid.in_(uids))
        ):
            found[id] = places[uid]
    return found


def selected(session: Session, filter: DeckFilter) -> Select[int]:
    """Return a select of the ids of publications that fulfill every condition of a filter.

    One in which nothing is said has no condition: ask `bool(filter)` first.
    """
    statement = select(Publication.id)
    for tag in filter.all:
        statement = statement.where(Publication.id.in_(_tagged([tag])))
    if filter.any:
        statement = statement.where(Publication.id.in_(_tagged(filter.any)))
    if filter.none:
        statement = statement.where(Publication.id.not_in(_tagged(filter.none)))
    if filter.difficulty:
        statement = statement.where(Publication.difficulty.in_(filter.difficulty))
    if filter.text:
        statement = statement.where(Publication.id.in_(matches(session, Publication, filter.text)))
    return statement


def _tagged(tags: Sequence[str]) -> Select[int]:
    return select(PublicationTag.publication_id).where(PublicationTag.tag.in_(tags))


def merges(session: Session) -> Merges:
    """Return what became of every question that was public and merged."""
    rows = session.execute(
        select(Withdrawal.uid, Withdrawal.merged_into).where(Withdrawal.merged_into.is_not(None))
    )
    return {uid: into for uid, into in rows if into is not None}


def survivor(uid: str, merged: Mapping[str, str]) -> str:
    """Return the question that answers for `uid`: itself, unless it was merged into another."""
    seen = {uid}
    while (into := merged.get(uid)) is not None and into not in seen:
        seen.add(into)
        uid = into
    return uid


def _places(deck: DeckItem, merged: Merges) -> dict[str, int]:
    """Return the explicit members by uid, each with its place; a merged one's survivor has it."""
    places: dict[str, int] = {}
    for place, uid in enumerate(deck.questions):
        places.setdefault(survivor(uid, merged) if merged else uid, place)
    return places


# --- definitions --------------------------------------------------------------------


def put_deck(session: Session, release: Release, deck: DeckItem, html: str) -> None:
    """Put a deck on the shelf as it is defined now, and work it out anew.

    `html` is its description, rendered.
    """
    document = msgspec.json.encode(deck).decode()
    values = {"title": deck.title, "html": html, "document": document, "release": release.number}
    known = session.scalar(select(PublishedDeck.slug).filter_by(slug=deck.slug)) is not None
    if known:
        session.execute(
            update(PublishedDeck)
            .where(PublishedDeck.slug == deck.slug)
            .values(values)
            .execution_options(synchronize_session=False)
        )
    else:
        session.execute(insert(PublishedDeck).values(slug=deck.slug, questions=0, **values))
    held = dict(
        session.execute(
            select(PublishedDeckMember.publication_id, PublishedDeckMember.position).where(
                PublishedDeckMember.deck == deck.slug
            )
        ).all()
    )
    wanted = work_out(session, deck)
    changes = _Changes()
    changes.compare(deck.slug, held, wanted)
    changes.decks.add(deck.slug)
    changes.write(session, release)


def drop_deck(session: Session, release: Release, slug: str) -> None:
    """Take a deck off the shelf. Its changes stay, and say that every member left."""
    ids = session.scalars(
        select(PublishedDeckMember.publication_id).where(PublishedDeckMember.deck == slug)
    ).all()
    changes = _Changes()
    changes.compare(slug, dict.fromkeys(ids, 0), {})
    changes.write(session, release)
    session.execute(delete(PublishedDeck).where(PublishedDeck.slug == slug))


# --- what a release touched -----------------------------------------------------------


def follow(session: Session, release: Release, uids: Sequence[str]) -> None:
    """Look again at questions that a release published, refreshed or withdrew, in every deck."""
    if not uids:
        return
    decks = [
        msgspec.json.decode(document, type=DeckItem)
        for document in session.scalars(select(PublishedDeck.document))
    ]
    if not decks:
        return
    merged = merges(session)
    explicit = {deck.slug: _places(deck, merged) for deck in decks if deck.questions}
    for some in chunks(uids):
        # Whoever stands in for a question that was merged away may take its place now.
        standing = {survivor(uid, merged) for uid in some}
        _follow(session, release, decks, explicit, set(some), standing.union(some))


def leave(session: Session, release: Release, ids: Sequence[int]) -> None:
    """Take publications that are about to be withdrawn out of every deck."""
    changes = _Changes()
    for deck, held in _held(session, ids).items():
        changes.compare(deck, held, {})
    changes.write(session, release)


def _follow(
    session: Session,
    release: Release,
    decks: Sequence[DeckItem],
    explicit: Mapping[str, Mapping[str, int]],
    touched: set[str],
    uids: set[str],
) -> None:
    live = session.execute(
        select(Publication.id, Publication.uid, Publication.difficulty).where(
            Publication.uid.in_(uids)
        )
    ).all()
    if not live:
        return
    ids = [row.id for row in live]
    tags: dict[int, set[str]] = defaultdict(set)
    for id, tag in session.execute(
        select(PublicationTag.publication_id, PublicationTag.tag).where(
            PublicationTag.publication_id.in_(ids)
        )
    ):
        tags[id].add(tag)
    held = _held(session, ids)
    changed = {row.id for row in live if row.uid in touched}
    changes = _Changes()
    for deck in decks:
        wanted = {
            row.id: AFTER_EXPLICIT
            for row in live
            if _admits(deck.filter, tags[row.id], row.difficulty)
        }
        if wanted and deck.filter.text:
            found = session.scalars(
                matches(session, Publication, deck.filter.text, within=(min(wanted), max(wanted)))
            )
            wanted = dict.fromkeys(wanted.keys() & set(found), AFTER_EXPLICIT)
        places = explicit.get(deck.slug)
        if places:
            wanted |= {row.id: places[row.uid] for row in live if row.uid in places}
        changes.compare(deck.slug, held.get(deck.slug, {}), wanted, changed)
    changes.write(session, release)


def _admits(filter: DeckFilter, tags: set[str], difficulty: Difficulty | None) -> bool:
    """Whether a question with these tags (ancestors included) fulfills all but the text."""
    return (
        bool(filter)
        and tags.issuperset(filter.all)
        and (not filter.any or not tags.isdisjoint(filter.any))
        and tags.isdisjoint(filter.none)
        and (not filter.difficulty or difficulty in filter.difficulty)
    )


def _held(session: Session, ids: Sequence[int]) -> dict[str, dict[int, int]]:
    """Return the places that publications have in decks now, by deck and publication id."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for deck, id, place in session.execute(
        select(
            PublishedDeckMember.deck,
            PublishedDeckMember.publication_id,
            PublishedDeckMember.position,
        ).where(PublishedDeckMember.publication_id.in_(ids))
    ):
        found[deck][id] = place
    return found


# --- writing --------------------------------------------------------------------------


@dataclass(slots=True)
class _Changes:
    """What becomes of members: collected over all decks, then written at once."""

    decks: set[str] = field(default_factory=set)
    _put: list[dict[str, object]] = field(default_factory=list)
    _gone: dict[str, list[int]] = field(default_factory=dict)
    _what: list[tuple[str, int, DeckChangeKind]] = field(default_factory=list)

    def compare(
        self,
        deck: str,
        held: Mapping[int, int],
        wanted: Mapping[int, int],
        changed: Iterable[int] = (),
    ) -> None:
        """Note how the members of a deck come from `held` to `wanted`, of those looked at.

        `changed` are the publications whose own text, tags or errata changed.
        """
        put = [id for id, place in wanted.items() if held.get(id) != place]
        gone = [id for id in held if id not in wanted]
        moved = [id for id in put if id in held]
        if gone or moved:
            self._gone[deck] = gone + moved
        self._put += [
            {"deck": deck, "publication_id": id, "position": wanted[id]} for id in sorted(put)
        ]
        what = [(id, DeckChangeKind.added) for id in wanted if id not in held]
        what += [(id, DeckChangeKind.changed) for id in changed if id in held and id in wanted]
        what += [(id, DeckChangeKind.withdrawn) for id in gone]
        self._what += [(deck, id, kind) for id, kind in sorted(what)]
        if put or what:
            self.decks.add(deck)

    def write(self, session: Session, release: Release) -> None:
        """Write the members, the counts and the DeckChange rows."""
        for deck, ids in self._gone.items():
            for some in chunks(ids):
                session.execute(
                    delete(PublishedDeckMember).where(
                        PublishedDeckMember.deck == deck,
                        PublishedDeckMember.publication_id.in_(some),
                    )
                )
        if self._put:
            session.execute(insert(PublishedDeckMember), self._put)
        self._record(session, release)
        more = Counter(deck for deck, _, kind in self._what if kind == DeckChangeKind.added)
        more.subtract(deck for deck, _, kind in self._what if kind == DeckChangeKind.withdrawn)
        for deck in sorted(self.decks):
            session.execute(
                update(PublishedDeck)
                .where(PublishedDeck.slug == deck)
                .values(questions=PublishedDeck.questions + more[deck], changed_in=release.number)
                .execution_options(synchronize_session=False)
            )

    def _record(self, session: Session, release: Release) -> None:
        """Append what happened; a question that changed before in this release has one row."""
        for some in chunks(self._what):
            ids = {id for _, id, _ in some}
            uids = dict(
                session.execute(
                    select(Publication.id, Publication.uid).where(Publication.id.in_(ids))
                ).all()
            )
            now = {(deck, uids[id]): kind for deck, id, kind in some}
            before = {
                (row.deck, row.uid): row
                for row in session.execute(
                    select(DeckChange.id, DeckChange.deck, DeckChange.uid, DeckChange.what).where(
                        DeckChange.deck.in_({deck for deck, _, _ in some}),
                        DeckChange.release == release.number,
                        DeckChange.uid.in_(uids.values()),
                    )
                )
            }
            again = [before[key].id for key in now if key in before]
            if again:
                session.execute(delete(DeckChange).where(DeckChange.id.in_(again)))
            rows = [
                {"deck": deck, "release": release.number, "uid": uid, "what": what}
                for (deck, uid), kind in now.items()
                if (what := _THEN[before[deck, uid].what, kind] if (deck, uid) in before else kind)
            ]
            if rows:
                session.execute(insert(DeckChange), rows)
