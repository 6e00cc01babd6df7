"""The scheduler of study mode, in the browser that runs it, against the reference's own."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fsrs import Card, Rating, Scheduler
from playwright.sync_api import Page

from tests.browser.conftest import Open

BEGIN = datetime(2022, 11, 29, 12, 30, tzinfo=UTC)
STATES = {1: "learning", 2: "review", 3: "relearning"}
GOOD, AGAIN = 3, 1
# The vector that suites of FSRS-6 share (py-fsrs, go-fsrs): whole days from each grade to the next.
PUBLISHED = (
    [GOOD] * 6 + [AGAIN] * 2 + [GOOD] * 5,
    [0, 2, 11, 46, 163, 498, 0, 0, 2, 4, 7, 12, 21],
)
_REVIEW_ALL = """
async (histories) => {
  const { review } = await import('/static/fsrs.js');
  return histories.map((history) => {
    let card = null;
    return history.map(([grade, at]) => { card = review(card, grade, at); return card; });
  });
}
"""
_REVIEW_WHEN_DUE = """
async ([grades, begin]) => {
  const { review } = await import('/static/fsrs.js');
  let card = null;
  return grades.map((grade) => {
    card = review(card, grade, card ? card.due : begin);
    return Math.floor((card.due - card.reviewed) / 86400000);
  });
}
"""

History = list[tuple[int, int]]


@pytest.fixture
def page(open_page: Open) -> Page:
    page = open_page()
    page.goto("/study/")
    return page


def histories() -> list[History]:
    """400 random ones: (grade, milliseconds), seconds to years apart, early and late reviews."""
    chance = random.Random(6)
    made: list[History] = []
    for _ in range(400):
        at = milliseconds(BEGIN)
        history: History = []
        for _ in range(chance.randint(1, 14)):
            history.append((chance.choices([1, 2, 3, 4], [3, 2, 6, 2])[0], at))
            at += int(86_400_000 * 10 ** chance.uniform(-5, 3))
        made.append(history)
    return made


def milliseconds(time: datetime) -> int:
    return round((time - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def expected(history: History) -> list[dict[str, Any]]:
    scheduler, card = Scheduler(enable_fuzzing=False), Card(card_id=1)
    cards = []
    for grade, at in history:
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
        card, _ = scheduler.review_card(card, Rating(grade), time)
        cards.append(
            {
                "state": STATES[card.state.value],
                "step": card.step,
                "stability": pytest.approx(card.stability, rel=1e-6),
                "difficulty": pytest.approx(card.difficulty, rel=1e-6),
                "due": milliseconds(card.due),
                "reviewed": at,
            }
        )
    return cards


def test_every_history_comes_to_what_the_reference_makes_of_it(page: Page) -> None:
    given = histories()
    found = page.evaluate(_REVIEW_ALL, given)
    assert sum(map(len, given)) > 2_000
    assert {card["state"] for cards in found for card in cards} == set(STATES.values())
    for history, cards in zip(given, found, strict=True):
        assert cards == expected(history), history


def test_intervals_are_the_published_ones(page: Page) -> None:
    grades, days = PUBLISHED
    assert page.evaluate(_REVIEW_WHEN_DUE, [grades, milliseconds(BEGIN)]) == days
