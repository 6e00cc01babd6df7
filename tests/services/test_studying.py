"""Cards of the shelf, and draws that look at a bounded part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.formats.item import DeckFilter, DeckItem
from cms.services import studying
from cms.services.decks import save_deck
from cms.services.publishing import retire
from cms.services.reading import Withdrawn
from cms.services.studying import Card, Scope, draw
from cms.vocabulary import Difficulty
from tests.conftest import sent_statements
from tests.factories import AT, make_bank, make_published

KEPT = "where-does-flask-keep-the-session"
Wanted = dict[Difficulty | None, int]


def slugs(cards: list[Card]) -> list[str]:
    return [card.slug for card in cards]


def test_a_card_has_the_short_answer_apart_and_no_anchor_twice(session: Session) -> None:
    make_bank(session)
    found = studying.find_card(session, KEPT)
    assert isinstance(found, Card)
    assert found.short is not None
    assert "In a cookie." in found.short.html
    assert [answer.label for answer in found.answers] == ["", "For experts"]
    assert "<h3>Why</h3>" in found.answers[0].html
    assert (found.revision, found.corrections, found.difficulty) == (1, 1, Difficulty.medium)


def test_cards_come_in_the_order_that_was_asked_for(session: Session) -> None:
    make_bank(session)
    assert slugs(studying.cards(session, ["what-is-http", "no-such", KEPT])) == [
        "what-is-http",
        KEPT,
    ]


def test_a_card_that_is_gone_says_so(session: Session) -> None:
    question = make_published(session)
    retire(session, [question], by=None, at=AT)
    session.commit()
    assert isinstance(studying.find_card(session, question.slug), Withdrawn)
    for nothing in ("no-such", "No slug", "\x00"):
        with pytest.raises(NotFound, match="no question at this address"):
            studying.find_card(session, nothing)


# --- a draw ----------------------------------------------------------------------------


@pytest.fixture
def levels(session: Session) -> None:
    """Four questions of each difficulty and of none, half of them under a tag and in a deck."""
    for level in (*Difficulty, None):
        for number in range(4):
            make_published(
                session,
                f"Is {level} {number} drawn?",
                difficulty=level,
                tags=["flask/views"] if number < 2 else ["http"],
            )
    item = DeckItem(slug="views", title="Views", filter=DeckFilter(all=["flask"]))
    save_deck(session, None, item, by=None, at=AT)
    session.commit()


EASY, HARD = Difficulty.easy, Difficulty.hard


# A fresh bank for each row would cost more than all of them.
DRAWS: list[tuple[Scope, Wanted, int, Wanted]] = [
    (Scope(), {EASY: 2, HARD: 1}, 3, {}),
    (Scope(), {None: 12}, 12, {}),
    (Scope(), {EASY: 4, None: 12}, 16, {}),
    (Scope(tag="flask"), {EASY: 2}, 2, {}),
    (Scope(tag="flask"), {EASY: 9}, 2, {EASY: 2}),
    (Scope(deck="views"), {EASY: 1, HARD: 3}, 3, {HARD: 2}),
    (Scope(tag="no-such"), {None: 1}, 0, {None: 0}),
]


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize("limit", [2_000, 2], ids=["short scope", "longer than a list"])
def test_a_draw_has_so_many_of_each_difficulty(
    session: Session, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(studying, "LIST_LIMIT", limit)
    for scope, wanted, drawn, fewer in DRAWS:
        made = draw(session, scope, wanted, 7)
        assert len(set(slugs(made.cards))) == len(made.cards) == drawn, (scope, wanted)
        assert made.fewer == fewer, (scope, wanted)
        if None not in wanted:
            for level in wanted:
                found = [card for card in made.cards if card.difficulty == level]
                assert len(found) == fewer.get(level, wanted[level]), (scope, wanted)
        if scope != Scope():
            assert all(card.tags == ["flask/views"] for card in made.cards), (scope, wanted)


@pytest.mark.usefixtures("levels")
def test_the_same_number_draws_the_same_questions_and_another_one_others(
    session: Session,
) -> None:
    draws = {tuple(slugs(draw(session, Scope(), {None: 3}, seed).cards)) for seed in range(12)}
    again = {tuple(slugs(draw(session, Scope(), {None: 3}, seed).cards)) for seed in range(12)}
    assert draws == again
    assert len(draws) > 8
    assert len({slug for each in draws for slug in each}) > 10


@pytest.mark.usefixtures("levels")
def test_a_draw_reads_a_bounded_number_of_rows(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    statements: Callable[[], list[str]],
) -> None:
    monkeypatch.setattr(studying, "LIST_LIMIT", 1)
    for scope in (Scope(), Scope(tag="flask"), Scope(deck="views")):
        draw(session, scope, {EASY: 1, HARD: 1, None: 1}, 1)
    made = statements()
    assert len(made) <= 21
    assert all("LIMIT" in each or " IN (" in each or "max(" in each for each in made), made


@pytest.fixture
def statements(session: Session) -> Iterator[Callable[[], list[str]]]:
    """Return what was sent to the database since."""
    with sent_statements(session.get_bind()) as sent:
        yield lambda: [each for each in sent if each.startswith("SELECT")]
