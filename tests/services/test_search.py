"""Search: any string is a safe query, names are found as written, no word costs too much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from cms.models import Publication, Question
from cms.services import facets, finding, listing, search
from cms.services.listing import SORTS, Selection
from cms.services.publishing import publish
from cms.services.terms import index_text
from cms.vocabulary import Difficulty
from tests.factories import AT, make_question

URL_FOR = "What does url_for do?"
QUESTIONS = [
    ("What is C++?", "A language."),
    ("What is C#?", "Another language."),
    ("What is C?", "The language before both: c counts from zero."),
    ("What is .NET?", "A platform."),
    ("Who runs node.js?", "A server."),
    (URL_FOR, "It builds addresses for endpoints."),
    ("Which URL for a static file?", "Ask for its url: the server knows."),
    ("For whom is the URL?", "Browsers need it."),
    ("How is a view registered?", "By @app.route('/'): the app keeps the route."),
    ("Is the app on the route?", "No app, and no route of it: app route."),
    ("What runs first?", "The method __init__ of a class; flask.g comes later."),
    ("How do you initialize?", "By init, flask g or not."),
    ("Was heißt Ärger?", "Ungemach, café."),
    ("What is thread-safe?", "What threads share safely. It's don't-care otherwise."),
]


@pytest.fixture
def bank(session: Session) -> Session:
    for stem, body in QUESTIONS:
        make_question(session, stem, body)
    return session


def found(session: Session, query: str) -> list[str]:
    """Return the stems that a query finds, the best first."""
    ids = search.ranked(session, Question, query)
    assert set(session.scalars(search.matches(session, Question, query))) == set(ids)
    assert set(search.newest(session, Question, query, 100)) == set(ids)
    held = select(Question.id).where(search.holds(session, Question, query))
    assert set(session.scalars(held)) == set(ids)
    stems = dict(session.execute(select(Question.id, Question.stem)).all())
    return [stems[id] for id in ids]


@pytest.mark.parametrize(
    ("query", "stems"),
    [
        ("C++", {"What is C++?"}),
        ("c#", {"What is C#?"}),
        ("C", {"What is C?"}),
        (".net", {"What is .NET?"}),
        ("node.js", {"Who runs node.js?"}),
        ("url_for endpoints", {URL_FOR}),
        ('"url_for"', {URL_FOR}),
        ('"url for"', {URL_FOR, "Which URL for a static file?"}),
        ('"URL for a static"', {"Which URL for a static file?"}),
        ('"a static url"', set()),
        ('"app.route"', {"How is a view registered?"}),
        ('"flask.g"', {"What runs first?"}),
        ("endpo", {URL_FOR}),
        ('"endpo"', set()),
        ("LANGUAGE another", {"What is C#?"}),
        ("heißt", {"Was heißt Ärger?"}),
        ("ARGER cafe", {"Was heißt Ärger?"}),
        ("thread-safe", {"What is thread-safe?"}),
        ("safe-thread", set()),
        ("don't", {"What is thread-safe?"}),
        ("language missing", set()),
        ("", set()),
        ("'\"*()[]{}:^", set()),
    ],
)
def test_words_names_and_phrases_are_found(bank: Session, query: str, stems: set[str]) -> None:
    assert set(found(bank, query)) == stems


@pytest.mark.parametrize(
    ("query", "first", "then"),
    [
        ("url_for", URL_FOR, ["Which URL for a static file?"]),
        ("@app.route", "How is a view registered?", ["Is the app on the route?"]),
        ("app.route", "How is a view registered?", ["Is the app on the route?"]),
        ("__init__", "What runs first?", ["How do you initialize?"]),
        ("flask.g", "What runs first?", ["How do you initialize?"]),
        ("init", "How do you initialize?", ["What runs first?"]),
    ],
)
def test_a_name_as_it_is_written_comes_before_its_words(
    bank: Session, query: str, first: str, then: list[str]
) -> None:
    assert found(bank, query)[0] == first
    assert set(found(bank, query)[1:]) == set(then)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    query=st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            [*"\"'@._-+#&|!:*()<>\\", "a", "url_for", "C++", "NEAR(", "AND", " ", "\0", "é", "日本"]
        ),
        max_size=12,
    ).map("".join)
)
def test_any_string_is_a_safe_query(bank: Session, query: str) -> None:
    found(bank, query)
    selection = Selection(query=query, sort="relevance")
    finding.find(bank, selection)
    finding.what_to_try(bank, selection)
    facets.facets_of(bank, selection)


def test_an_edited_text_is_found_by_its_new_words_alone(session: Session) -> None:
    question = make_question(session, "Old words?")
    question.search_text = index_text(["new text"])
    session.commit()
    assert found(session, "old") == []
    assert found(session, "new") == ["Old words?"]
    session.delete(question)
    session.commit()
    assert found(session, "new") == []


# --- what a search costs ---------------------------------------------------------


@contextmanager
def work(session: Session) -> Iterator[list[int]]:
    """Count the steps that SQLite takes, and look that PostgreSQL is told where to stop."""
    counted = [0]
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection

        def step() -> None:
            counted[0] += 1

        driver.set_progress_handler(step, 1)
        yield counted
        driver.set_progress_handler(None, 1)
        return

    def look(_c: object, _cursor: object, sql: str, _v: object, _x: object, _m: bool) -> None:
        assert "@@" not in sql or "LIMIT" in sql, sql
        counted[0] += 1

    event.listen(connection, "before_cursor_execute", look)
    yield counted
    event.remove(connection, "before_cursor_execute", look)


def test_a_very_common_word_costs_the_same_in_a_bank_four_times_as_large(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, bound in (
        *((search, "RANKED_LIMIT"), (search, "LOOKED_UP"), (facets, "FACETED")),
        *((search, "WEIGHED"), (finding, "COUNTED")),
    ):
        monkeypatch.setattr(module, bound, 20)
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    selections = [Selection(query="common", sort=sort) for sort in SORTS]
    selections += [Selection(query="common wor", sort="relevance")]
    selections += [Selection(query="common zebra", sort="relevance")]
    selections += [Selection(query="common", difficulty=Difficulty.easy, sort="title")]
    costs: list[list[int]] = []
    for size in (40, 120):
        questions = [
            make_question(
                session, f"Common word {size + n}?", difficulty=Difficulty.easy, tags=["a/b"]
            )
            for n in range(size)
        ]
        publish(session, questions, by=None, at=AT)
        session.commit()
        costs.append([])
        for selection in selections:
            with work(session) as counted:
                found = finding.find(session, selection)
                facets.facets_of(session, selection)
                finding.what_to_try(session, selection)
                finding.suggest(session, selection.query, 8)
            assert len(found.listing.questions) == (0 if "zebra" in selection.query else 5)
            costs[-1].append(counted[0])
    for selection, small, large in zip(selections, *costs, strict=True):
        assert large <= 1.3 * small + 20, (selection, small, large)
    assert len(search.ranked(session, Publication, "common")) == 20


def test_of_a_very_common_word_the_texts_that_begin_with_it_come_first(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WEIGHED", 2)
    stems = ["Common?", "What is common here?", "Anything else that is quite common?"]
    questions = [make_question(session, stem, body="A common word.") for stem in stems]
    publish(session, questions, by=None, at=AT)
    listed = finding.find(session, Selection(query="common", sort="relevance")).listing.questions
    assert [each.stem for each in listed][:1] == ["Common?"]
