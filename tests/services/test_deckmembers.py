"""The members that releases keep are those that a deck is worked out to have, whatever happened.

Every example runs in one transaction of the test's own bank, and is undone at its end.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.formats.item import DeckFilter, DeckItem
from cms.models import (
    Deck,
    DeckChange,
    Publication,
    PublishedDeck,
    PublishedDeckMember,
    Question,
    Tag,
    Withdrawal,
)
from cms.services.content import content_of
from cms.services.deckmembers import AFTER_EXPLICIT, work_out
from cms.services.decks import deck_item, delete_deck, save_deck
from cms.services.merging import merge
from cms.services.publishing import publish, retire, unretire
from cms.services.questions import create, save
from cms.services.releases import release_number
from cms.services.tags import resolve, save_tag
from cms.vocabulary import DeckChangeKind, Difficulty
from tests.factories import AT, content

LATER = AT + timedelta(hours=1)
TAGS = ["a", "a/b", "a/b/c", "d"]
WORDS = ["apple", "apricot", "banana"]
QUESTIONS = 4
DECKS = 2

some_tags = st.lists(st.sampled_from(TAGS), min_size=1, max_size=2, unique=True)
levels = st.lists(st.sampled_from(Difficulty), min_size=1, max_size=2, unique=True)
search = st.sampled_from(["apple", "ap", "banana"])
# One condition or two: with more, hardly any question would ever be selected.
filters = st.one_of(
    st.builds(DeckFilter),
    st.builds(DeckFilter, any=some_tags),
    st.builds(DeckFilter, none=some_tags),
    st.builds(DeckFilter, difficulty=levels),
    st.builds(DeckFilter, text=search),
    st.builds(DeckFilter, all=some_tags, none=some_tags),
    st.builds(DeckFilter, any=some_tags, text=search),
)
which = st.integers(0, QUESTIONS - 1)
tagged = st.lists(st.sampled_from(TAGS), max_size=2, unique=True)
difficulties = st.none() | st.sampled_from(Difficulty)
texts = st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join)
chosen = st.lists(which, max_size=3, unique=True)
steps = st.one_of(
    st.tuples(st.just("publish"), which, tagged, difficulties, texts),
    st.tuples(st.just("take away"), which),
    st.tuples(st.just("merge"), which, which),
    st.tuples(st.just("define"), st.integers(0, DECKS - 1), filters, chosen),
    st.tuples(st.just("delete"), st.integers(0, DECKS - 1)),
    st.tuples(st.just("rename"), st.sampled_from(["a", "d"])),
)
beginnings = st.tuples(
    st.lists(st.tuples(tagged, difficulties, texts), min_size=QUESTIONS, max_size=QUESTIONS),
    st.lists(st.tuples(filters, chosen), min_size=DECKS, max_size=DECKS),
)


class Bank:
    """A few questions and decks, and what each release made of the decks."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tags = resolve(session, TAGS, by=None, at=AT)
        self.questions = [
            create(session, content(f"Question {n}?"), by=None, at=AT) for n in range(QUESTIONS)
        ]
        self.decks: list[Deck | None] = [None] * DECKS
        self.held: dict[str, set[str]] = {f"deck-{n}": set() for n in range(DECKS)}
        self.release = 0

    def publish(
        self, which: int, tags: Sequence[str], difficulty: Difficulty | None, text: str
    ) -> None:
        question = self.questions[which]
        if question.merged_into_id is not None:
            return
        if question.retired_at is not None:
            unretire(self.session, question, by=None, at=LATER)
        self.write(which, tags, difficulty, text)
        publish(self.session, [question], by=None, at=LATER)

    def write(
        self, which: int, tags: Sequence[str], difficulty: Difficulty | None, text: str
    ) -> None:
        question = self.questions[which]
        changed = replace(
            content_of(question),
            tags=sorted(self.tags[tag].uid for tag in tags),
            difficulty=difficulty,
            context=text,
        )
        seen = question.latest_number
        save(self.session, question, changed, seen_version=seen, by=None, at=LATER)

    def take_away(self, which: int) -> None:
        if self.questions[which].published_number is not None:
            retire(self.session, [self.questions[which]], by=None, at=LATER)

    def merge(self, which: int, into: int) -> None:
        question, other = self.questions[which], self.questions[into]
        seen = question.latest_number, other.latest_number
        with contextlib.suppress(WrongState):
            merge(self.session, question, other, seen=seen, by=None, at=LATER)

    def define(self, which: int, filter: DeckFilter, questions: Sequence[int]) -> None:
        item = DeckItem(
            slug=f"deck-{which}",
            title="Deck",
            filter=self._current(filter),
            questions=[self.questions[n].uid for n in questions],
        )
        deck = self.decks[which]
        seen = deck.version if deck else 0
        self.decks[which] = save_deck(
            self.session, deck, item, seen_version=seen, by=None, at=LATER
        )

    def _current(self, filter: DeckFilter) -> DeckFilter:
        """A filter with the paths that the tags have by now."""
        paths = {name: tag.slug for name, tag in self.tags.items()}
        named = {
            name: [paths[tag] for tag in getattr(filter, name)] for name in ("all", "any", "none")
        }
        return replace(filter, **named)

    def delete(self, which: int) -> None:
        deck = self.decks[which]
        if deck is not None:
            delete_deck(self.session, deck, seen_version=deck.version, by=None, at=LATER)
            self.decks[which] = None

    def rename(self, name: str) -> None:
        tag = self.session.scalars(select(Tag).filter_by(uid=self.tags[name].uid)).one()
        slug = f"{tag.slug}x" if len(tag.slug) < 6 else name
        save_tag(self.session, tag, slug=slug, name="X", description="", by=None, at=LATER)

    # --- what has to hold after every step ---------------------------------------------

    def check(self) -> None:
        self._replay()
        public = self.session.scalars(
            select(PublishedDeck).execution_options(populate_existing=True)
        ).all()
        live = {deck.slug: deck for deck in self.decks if deck is not None}
        assert {deck.slug for deck in public} == live.keys()
        for deck in public:
            item = msgspec.json.decode(deck.document, type=DeckItem)
            assert item == deck_item(live[deck.slug])
            kept = dict(
                self.session.execute(
                    select(PublishedDeckMember.publication_id, PublishedDeckMember.position).where(
                        PublishedDeckMember.deck == deck.slug
                    )
                ).all()
            )
            assert kept == work_out(self.session, item) == self._by_hand(item)
            assert deck.questions == len(kept)
            assert self.held[deck.slug] == {
                uid
                for id, uid in self.session.execute(select(Publication.id, Publication.uid))
                if id in kept
            }

    def _replay(self) -> None:
        """Follow the changes that were written since the last look."""
        number = release_number(self.session)
        rows = self.session.execute(
            select(DeckChange.deck, DeckChange.uid, DeckChange.what).where(
                DeckChange.release > self.release
            )
        ).all()
        for deck, uid, what in rows:
            assert (uid in self.held[deck]) == (what != DeckChangeKind.added)
            if what == DeckChangeKind.withdrawn:
                self.held[deck].remove(uid)
            else:
                self.held[deck].add(uid)
        if rows:
            changed = set(
                self.session.scalars(
                    select(PublishedDeck.slug).where(PublishedDeck.changed_in == number)
                )
            )
            assert {deck for deck, _, _ in rows} - changed <= {
                f"deck-{n}" for n, deck in enumerate(self.decks) if deck is None
            }
        self.release = number

    def _by_hand(self, item: DeckItem) -> dict[int, int]:
        """The members of a deck as its words say, without a query for any of its conditions."""
        merged = dict(self.session.execute(select(Withdrawal.uid, Withdrawal.merged_into)).all())
        places: dict[str, int] = {}
        for place, uid in enumerate(item.questions):
            while merged.get(uid):
                uid = merged[uid]
            places.setdefault(uid, place)
        found: dict[int, int] = {}
        for row in self.session.execute(
            select(
                Publication.id,
                Publication.uid,
                Publication.tags,
                Publication.difficulty,
                Publication.search_text,
            )
        ):
            if row.uid in places:
                found[row.id] = places[row.uid]
            elif _fulfills(item.filter, row):
                found[row.id] = AFTER_EXPLICIT
        return found


def _fulfills(filter: DeckFilter, row: Any) -> bool:
    def tagged(path: str) -> bool:
        return any(f"{tag}/".startswith(f"{path}/") for tag in row.tags)

    words = re.findall(r"\w+", row.search_text)
    conditions = [
        *(tagged(path) for path in filter.all),
        *([any(map(tagged, filter.any))] if filter.any else []),
        *(not tagged(path) for path in filter.none),
        *([row.difficulty in filter.difficulty] if filter.difficulty else []),
        *([any(word.startswith(filter.text) for word in words)] if filter.text else []),
    ]
    return bool(conditions) and all(conditions)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(beginning=beginnings, story=st.lists(steps, min_size=3, max_size=7))
def test_what_releases_keep_is_what_a_deck_is_worked_out_to_hold(
    session: Session, beginning: tuple[list[Any], list[Any]], story: list[tuple[Any, ...]]
) -> None:
    published, defined = beginning
    bank = Bank(session)
    try:
        for number, (filter, questions) in enumerate(defined):
            bank.define(number, filter, questions)
        for number, arguments in enumerate(published):
            bank.write(number, *arguments)
        publish(session, bank.questions, by=None, at=AT)
        bank.check()
        for verb, *arguments in story:
            getattr(bank, verb.replace(" ", "_"))(*arguments)
            session.flush()
            bank.check()
    finally:
        session.rollback()


def test_publishing_many_at_once_keeps_the_decks(session: Session) -> None:
    bank = Bank(session)
    bank.define(0, DeckFilter(difficulty=[Difficulty.easy], text="question"), [3])
    tag = bank.tags["a"].uid
    many: list[Question] = [
        create(
            session,
            content(f"Question {n} of many?", tags=[tag], difficulty=Difficulty.easy),
            by=None,
            at=AT,
        )
        for n in range(12)
    ]
    publish(session, [*many, *bank.questions], by=None, at=AT)
    bank.check()
    assert len(bank.held["deck-0"]) == 13
    retire(session, many, by=None, at=LATER)
    bank.check()
    assert len(bank.held["deck-0"]) == 1
