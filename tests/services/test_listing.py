"""Lists of public questions: every page once, in order, whatever the filter; any cursor is safe."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.extensions import read_engine
from cms.services import listing, search
from cms.services.listing import SORTS, Cursor, Listed, Selection, list_questions
from cms.services.publishing import publish
from cms.vocabulary import Difficulty
from tests.factories import AT, make_question

EASY, HARD = Difficulty.easy, Difficulty.hard

QUESTIONS = [
    # stem, tags, difficulty, published together with the others of this number
    ("What is a view?", ["flask/basics"], EASY, 1),
    ("What is a view!", ["flask/basics", "http"], HARD, 1),
    ("What is a blueprint?", ["flask/routing"], None, 1),
    ("Äpfel and pears?", [], None, 1),
    ("How is a session kept?", ["flask/sessions", "http"], HARD, 2),
    ("how is a cookie kept?", ["http"], EASY, 2),
    ("Zebra?", ["flask"], EASY, 3),
]


@pytest.fixture
def full(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven questions in three releases, listed two to a page."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    questions = [
        (release, make_question(session, stem, tags=tags, difficulty=difficulty))
        for stem, tags, difficulty, release in QUESTIONS
    ]
    for release in (1, 2, 3):
        some = [question for number, question in questions if number == release]
        publish(session, some, by=None, at=AT)
    session.commit()


def pages(session: Session, selection: Selection) -> Iterator[list[Listed]]:
    after: str | None = None
    while True:
        page = list_questions(session, selection, after)
        yield page.questions
        if page.next is None:
            return
        after = page.next


def stems(session: Session, **selection: object) -> list[str]:
    found = pages(session, Selection(**selection))  # type: ignore[arg-type]
    return [question.stem for page in found for question in page]


MATCHES: list[tuple[dict[str, Any], set[int]]] = [
    ({}, {0, 1, 2, 3, 4, 5, 6}),
    ({"tags": ("flask",)}, {0, 1, 2, 4, 6}),
    ({"tags": ("flask/basics",)}, {0, 1}),
    ({"tags": ("flask", "http")}, {1, 4}),
    ({"tags": ("http", "flask", "flask/sessions")}, {4}),
    ({"difficulty": EASY}, {0, 5, 6}),
    ({"difficulty": HARD, "tags": ("http",)}, {1, 4}),
    ({"query": "kept"}, {4, 5}),
    ({"query": "view"}, {0, 1}),
    ({"query": "kept", "tags": ("flask",)}, {4}),
    ({"query": "kept", "difficulty": EASY}, {5}),
    ({"query": "no such words"}, set()),
    ({"query": "?!"}, set()),
    ({"tags": ("unknown",)}, set()),
    ({"tags": ("flask", "unknown")}, set()),
]


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("sort", SORTS)
def test_the_pages_hold_each_match_once(read_session: Session, sort: str) -> None:
    for selection, expected in MATCHES:
        wanted = sorted(QUESTIONS[index][0] for index in expected)
        assert sorted(stems(read_session, **selection, sort=sort)) == wanted, selection


@pytest.mark.usefixtures("full")
def test_recent_means_the_newest_release_first(read_session: Session) -> None:
    releases = {stem: release for stem, _, _, release in QUESTIONS}
    assert [releases[stem] for stem in stems(read_session)] == [3, 2, 2, 1, 1, 1, 1]
    assert [releases[stem] for stem in stems(read_session, tags=("flask",))] == [3, 2, 1, 1, 1]


@pytest.mark.usefixtures("full")
def test_titles_sort_without_regard_to_case_and_accents(read_session: Session) -> None:
    for tags in ((), ("flask",)):
        found = stems(read_session, sort="title", tags=tags)
        keys = [stem.lower().replace("ä", "a").rstrip("?!") for stem in found]
        assert keys == sorted(keys)


@pytest.mark.usefixtures("full")
def test_relevance_puts_the_better_match_first(session: Session, read_session: Session) -> None:
    body = "A cookie. " * 5
    publish(session, [make_question(session, "Cookies?", body)], by=None, at=AT)
    session.commit()
    assert stems(read_session, query="cookie", sort="relevance") == [
        "Cookies?",
        "how is a cookie kept?",
    ]


@pytest.mark.usefixtures("full")
def test_a_narrowed_search_finds_what_ranking_leaves_out(
    read_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the newest matches are ranked; a filter has to reach the older ones too."""
    monkeypatch.setattr(search, "RANKED_LIMIT", 2)
    common = {"query": "is", "sort": "relevance"}
    assert len(stems(read_session, **common)) == 2
    assert stems(read_session, **common, tags=("flask/routing",)) == ["What is a blueprint?"]
    assert len(stems(read_session, **common, difficulty=HARD)) == 2


@pytest.mark.usefixtures("full")
def test_a_total_is_given_where_it_costs_nothing(read_session: Session) -> None:
    totals: list[tuple[dict[str, Any], int | None]] = [
        ({}, 7),
        ({"tags": ("flask",)}, 5),
        ({"query": "kept", "sort": "relevance"}, 2),
        ({"query": "kept", "sort": "title"}, None),
        ({"difficulty": EASY}, None),
        ({"tags": ("flask", "http")}, None),
    ]
    for selection, total in totals:
        assert list_questions(read_session, Selection(**selection)).total == total, selection


@pytest.mark.usefixtures("full")
def test_no_page_is_found_by_counting_rows(session: Session, read_session: Session) -> None:
    skipped: list[object] = []

    @event.listens_for(read_engine(), "before_cursor_execute")
    def watch(_c: object, _cursor: object, sql: str, values: Any, _x: object, _m: bool) -> None:
        if "publication.stem" in sql:
            # SQLite's dialect always writes an offset; it comes last.
            skipped.append(values[-1] if "OFFSET" in sql else 0)

    for sort in ("recent", "title"):
        list(pages(read_session, Selection(sort=sort)))
        list(pages(read_session, Selection(sort=sort, tags=("flask",))))
    event.remove(read_engine(), "before_cursor_execute", watch)
    assert len(skipped) > 10
    assert set(skipped) == {0}


@pytest.mark.usefixtures("full")
def test_a_page_goes_on_where_the_last_one_ended_though_a_row_was_withdrawn(
    session: Session, read_session: Session
) -> None:
    first, second = list(pages(read_session, Selection()))[:2]
    cursor = list_questions(read_session, Selection()).next
    read_session.rollback()
    publish(session, [make_question(session, "Newer?")], by=None, at=AT)
    session.commit()
    assert list_questions(read_session, Selection(), cursor).questions == second
    assert first != second


def forged(*values: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "garbage!",
        "ä",
        "e30",
        "bnVsbA",
        "=" * 50,
        "A" * 5_001,
        forged("recent", 1),
        forged("recent", "a", 1),
        forged("recent", -1, 1),
        forged("recent", 2**31, 1),
        forged("recent", 1, 2**63),
        forged("recent", 1.5, 1),
        forged("recent", None, 1),
        forged("relevance", 0, 30),
    ],
)
def test_a_cursor_that_is_none_is_refused_with_a_remedy(read_session: Session, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="first page of the list"):
        list_questions(read_session, Selection(), cursor)


@pytest.mark.parametrize(
    "cursor", [forged("title", "\0", 1), forged("title", "x" * 121, 1), forged("title", 1, 1)]
)
def test_a_title_cursor_holds_text_that_every_database_takes(
    read_session: Session, cursor: str
) -> None:
    with pytest.raises(InvalidInput):
        list_questions(read_session, Selection(sort="title"), cursor)


@given(st.text(max_size=40))
def test_no_word_is_a_cursor_by_accident(word: str) -> None:
    try:
        cursor = Cursor.decode(word)
    except InvalidInput:
        return
    assert Cursor.decode(cursor.encode()) == cursor


@given(
    st.one_of(
        st.builds(Cursor, st.just("title"), st.text("abc ä?", max_size=120), st.integers(0, 99)),
        st.builds(Cursor, st.just("recent"), st.integers(0, 2**31 - 1), st.integers(0, 99)),
    )
)
def test_a_cursor_survives_an_address(cursor: Cursor) -> None:
    word = cursor.encode()
    assert word.isascii()
    assert not set(word) & set("&=?#+/ ")
    assert Cursor.decode(word) == cursor


def test_relevance_without_a_search_means_recent() -> None:
    assert Selection(sort="relevance").order == "recent"
    assert Selection(sort="relevance", query="x").order == "relevance"
