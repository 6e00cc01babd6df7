"""Search: any string is a safe query, and names of punctuation are found."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.models import Question
from cms.services import search
from tests.factories import make_question


@pytest.fixture
def bank(session: Session) -> Session:
    for stem, body in [
        ("What is C++?", "A language."),
        ("What is C#?", "Another language."),
        ("What is .NET?", "A platform."),
        ("Who runs node.js?", "A server."),
        ("What does url_for do?", "It builds addresses for endpoints."),
        ("Was heißt Ärger?", "Ungemach, café."),
    ]:
        make_question(session, stem, body)
    return session


def found(session: Session, query: str) -> set[str]:
    ids = session.scalars(search.matches(session, Question, query)).all()
    assert set(ids) == set(search.ranked(session, Question, query))
    return set(session.scalars(select(Question.stem).where(Question.id.in_(ids))))


@pytest.mark.parametrize(
    ("query", "stems"),
    [
        ("C++", {"What is C++?"}),
        ("c#", {"What is C#?"}),
        (".net", {"What is .NET?"}),
        ("node.js", {"Who runs node.js?"}),
        ("url_for", {"What does url_for do?"}),
        ("endpo", {"What does url_for do?"}),
        ("LANGUAGE what", {"What is C++?", "What is C#?"}),
        ("heißt", {"Was heißt Ärger?"}),
        ("language missing", set()),
        ("", set()),
        ("'\"*()[]{}:^", set()),
    ],
)
def test_words_are_found(bank: Session, query: str, stems: set[str]) -> None:
    assert found(bank, query) == stems


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    query=st.text(max_size=80) | st.sampled_from(["a AND", "NEAR(", "x OR y", "-", "a:b", "&|!"])
)
def test_any_string_is_a_safe_query(bank: Session, query: str) -> None:
    found(bank, query)


def test_an_edited_text_is_found_by_its_new_words_alone(session: Session) -> None:
    question = make_question(session, "Old words?")
    question.search_text = "new text"
    session.commit()
    assert found(session, "old") == set()
    assert found(session, "new") == {"Old words?"}
    session.delete(question)
    session.commit()
    assert found(session, "new") == set()
