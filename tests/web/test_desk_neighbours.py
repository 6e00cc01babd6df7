"""From question to question through a list: its search, filters and order, whatever is done."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms.services.questions import submit as submit_question
from cms.vocabulary import Role
from tests.factories import AT, make_question
from tests.web.pages import fields_of, notes_of, submit
from tests.web.test_desk_lists import counted_queries

LIST = "/admin/questions/"


@pytest.fixture
def desk(as_role: Callable[[Role | None], FlaskClient]) -> FlaskClient:
    return as_role(Role.editor)


@pytest.fixture
def bank(session: Session) -> None:
    """Seven questions, each a day newer than the one before; some hard, easy or in review."""
    levels = ["easy", None, "hard", "easy", None, "hard", None]
    for day, level in enumerate(levels):
        at = AT + timedelta(days=day)
        body = "A teapot." + " It is a pot." * day
        question = make_question(session, f"Q{day}?", body=body, difficulty=level, at=at)
        if day % 2 == 0:
            submit_question(session, question, by=None, at=at)
    session.commit()


def rows(page: str) -> list[tuple[str, str]]:
    """The stems and the addresses that a list of questions shows, in order."""
    found = re.findall(r'<td class="main"><a href="([^"]*)">([^<]*)</a>', page)
    return [(stem, html.unescape(address)) for address, stem in found]


def way(page: str, rel: str) -> str | None:
    """The address of the button that leads on, or back."""
    found = re.search(rf'<a [^>]*href="([^"]*)" rel="{rel}" data-key', page)
    return html.unescape(found[1]) if found else None


def where(page: str) -> str:
    found = re.search(r'<span class="where">(.*?)</span>\n?</nav>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", found[1]).split()) if found else ""


def stem_of(page: str) -> str:
    return fields_of(page)["stem"]


def walk(desk: FlaskClient, start: str, rel: str) -> Iterator[str]:
    address: str | None = start
    while address is not None:
        page = desk.get(address).text
        yield stem_of(page)
        address = way(page, rel)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?queue=review",
        "?sort=5",
        "?sort=2",
        "?sort=2&desc=1",
        "?search=teapot",
        "?search=teapot&queue=review",
        "?search=teapot&sort=2&desc=1",
        "?difficulty=none&status=nonsense",
    ],
)
@pytest.mark.each_database
def test_next_and_previous_go_through_the_list_in_its_order(
    desk: FlaskClient, bank: None, query: str
) -> None:
    listed = rows(desk.get(LIST + query).text)
    stems = [stem for stem, _ in listed]
    assert len(stems) > 2
    assert list(walk(desk, listed[0][1], "next")) == stems
    assert list(walk(desk, listed[-1][1], "prev")) == stems[::-1]


@pytest.mark.parametrize("query", ["?queue=review", "?sort=2", "?search=teapot", ""])
def test_next_goes_on_from_where_a_question_was_before_it_was_saved(
    desk: FlaskClient, bank: None, query: str
) -> None:
    listed = rows(desk.get(LIST + query).text)
    visited, address = [], listed[0][1]
    while address:
        visited.append(stem_of(desk.get(address).text))
        # It comes to the top of the list, or fits a search no more, or worse.
        changed = {"answers[0].body": "Something else.", "difficulty": "medium"}
        done = submit(desk, address, **changed)
        assert done.status_code == 303
        address = way(desk.get(done.location).text, "next") or ""
        assert len(visited) <= 14, visited
    once = list(dict.fromkeys(visited))
    assert once[: len(listed)] == [stem for stem, _ in listed]


def test_a_queue_is_worked_off_by_publishing_and_going_on(desk: FlaskClient, bank: None) -> None:
    listed = rows(desk.get(f"{LIST}?queue=review").text)
    assert where(desk.get(listed[1][1]).text) == "2 of 4 in In review"
    address = listed[1][1]
    said = []
    for _ in range(3):
        done = submit(desk, address, op="publish")
        page = desk.get(done.location).text
        assert notes_of(page)[-1].startswith("Published in release")
        said.append(where(page))
        assert way(page, "prev") is not None
        address = way(page, "next") or ""
    assert said == [
        "3 left in In review",
        "2 left in In review",
        "1 left in In review; none after it",
    ]
    assert address == ""


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "1 of 7 in all questions"),
        (
            "?search=teapot&difficulty=hard&queue=review",
            "1 of 1 in ‘teapot’, difficulty hard, In review",
        ),
        ("?tag=none&assignee=me", "none left in tag none, assignee me"),
    ],
)
def test_it_says_which_list_it_goes_through(
    desk: FlaskClient, session: Session, bank: None, query: str, words: str
) -> None:
    listed = rows(desk.get(LIST + query).text) or [("", "")]
    address = listed[0][1] or f"{LIST}1/?url={LIST}{query.replace('&', '%26')}"
    assert where(desk.get(address).text).partition(";")[0] == words


@pytest.mark.parametrize("at", ["", "x", "é", "WzFd", "WzIwMSwieCIsMV0", "W251bGwsbnVsbCwxXQ"])
def test_a_hand_edited_place_is_where_the_question_is_now(
    desk: FlaskClient, bank: None, at: str
) -> None:
    page = desk.get(f"{LIST}4/", query_string={"url": f"{LIST}?sort=x", "at": at}).text
    assert where(page) == "4 of 7 in all questions"
    assert way(page, "next") is not None


def test_every_way_out_of_a_question_keeps_its_place(desk: FlaskClient, bank: None) -> None:
    address = rows(desk.get(f"{LIST}?queue=review").text)[1][1]
    place = html.escape(address.partition("?")[2])
    page = desk.get(address).text
    forms = re.findall(r'<form [^>]*action="(/admin/questions/\d+/[^"]*)"', page)
    assert len(forms) >= 4
    assert [each for each in forms if place not in each] == []
    publishing = re.search(r'href="([^"]*/publish[^"]*)"', page)
    assert publishing
    done = submit(
        desk, html.unescape(publishing[1]), form="publish?" + place.replace("&amp;", "&"), op="now"
    )
    assert done.location == address


def test_the_surroundings_cost_the_same_in_every_list(
    app: Flask, desk: FlaskClient, session: Session, bank: None
) -> None:
    for query, most in (("?queue=review", 5), ("?search=teapot", 8), ("?sort=2", 7)):
        address = rows(desk.get(LIST + query).text)[1][1]
        plain = address.partition("?")[0]
        desk.get(plain)
        with counted_queries(app) as without:
            desk.get(plain)
        with counted_queries(app) as asked:
            desk.get(address)
        assert len(asked) - len(without) <= most
