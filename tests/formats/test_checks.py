"""The rules that every question meets, at the desk as in a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given

from cms.formats.checks import Gate, problems
from cms.formats.encoding import decode, opening, utf8
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem, Content, Item, SourceItem, stripped
from cms.formats.normalizing import normalized
from tests.formats.strategies import any_text, items, question


@given(item=items)
def test_what_the_bank_holds_is_its_own_normal_form(item: Item) -> None:
    assert normalized(item) == item


@given(text=any_text)
def test_normalizing_twice_changes_nothing_more(text: str) -> None:
    content = Content(stem=text, context=text, tags=[text, text], answers=[AnswerItem(body=text)])
    once = normalized(content)
    assert normalized(once) == once
    assert once.tags == list(dict.fromkeys(once.tags))


def test_normalizing_leaves_what_it_was_given_alone() -> None:
    given_item = Item(stem=" a ", answers=[AnswerItem(body="b\n")])
    assert normalized(given_item).stem == "a"
    assert given_item == Item(stem=" a ", answers=[AnswerItem(body="b\n")])


@pytest.mark.parametrize(
    ("moment", "utc"),
    [
        (
            datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            datetime(2025, 12, 31, 23, tzinfo=UTC),
        ),
        (
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            datetime(1, 1, 1, tzinfo=UTC),
        ),
    ],
)
def test_times_become_utc_even_at_the_edge_of_the_calendar(moment: datetime, utc: datetime) -> None:
    assert normalized(Item(stem="?", updated_at=moment)).updated_at == utc


def test_a_revisions_content_is_checked_by_the_same_rules() -> None:
    tag_uid = "01920002-0000-7000-8000-000000000001"
    assert problems(Content(stem="What?", tags=[tag_uid])) == []
    assert problems(Content(stem="", slug="No Slug", answers=[AnswerItem(label="Short")])) == [
        "slug: 'No Slug' may hold small letters a to z, digits and hyphens only.",
        "stem: It is empty. Write the question.",
        "answers[0].body: It is empty. Write the answer, or remove it with its sources.",
    ]


@pytest.mark.parametrize(("length", "fine"), [(200_000, True), (200_001, False)])
def test_the_limit_of_an_answer_is_in_bytes(length: int, fine: bool) -> None:
    content = Content(stem="?", answers=[AnswerItem(body="x" * length)])
    assert (problems(content) == []) is fine


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://flask.palletsprojects.com/", True),
        ("HTTP://localhost:5000/a?b=c#d", True),
        ("https://exämple.org/ü", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        ("https://", False),
        ("https://a b", False),
        ("", False),
        ("https://x.example/" + "y" * 2_000, False),
    ],
)
def test_a_source_is_a_web_address(url: str, fine: bool) -> None:
    content = Content(stem="?", answers=[AnswerItem(body="x", sources=[SourceItem(url=url)])])
    assert (problems(content) == []) is fine


def test_the_gate_leaves_unchecked_what_a_file_does_not_say() -> None:
    gate = Gate()
    assert gate.row("row 1", Item(stem="")).place == "row 1, stem"
    uid = "01920000-0000-7000-8000-000000000001"
    row = gate.row("row 2", Item(uid=uid, stem=""), drops=frozenset({"stem"}))
    assert row.item
    assert row.drops == {"stem"}
    again = gate.row("row 3", Item(uid=uid.upper(), stem="?"))
    assert again.error
    assert "at row 2" in again.error


@pytest.mark.parametrize(
    ("drops", "left"),
    [
        (set(), ["a", "b", "c"]),
        ({"answers"}, []),
        ({"answers[1:]"}, ["a"]),
        ({"answers[0].body"}, ["", "b", "c"]),
        ({"answers[1:].body"}, ["a", "", ""]),
        ({"answers.body", "decks"}, ["", "", ""]),
    ],
)
def test_what_is_stripped_is_what_is_declared(drops: set[str], left: list[str]) -> None:
    item = question(answers=[AnswerItem(body=body) for body in "abc"])
    assert [answer.body for answer in stripped(item, frozenset(drops)).answers] == left


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb", "a\r\nb"),
        (b"\xef\xbb\xbfa", "a"),
        (b"\xff\xfea\0", "a"),
        (b"\xfe\xff\0a", "a"),
        (b"", ""),
        ("\ufeffa".encode("utf-8-sig"), "\ufeffa"),
    ],
)
def test_text_is_decoded_by_its_mark_and_else_as_utf_8(data: bytes, text: str) -> None:
    file = Upload("file", data)
    assert decode(file) == opening(file) == utf8(file).decode() == text


def test_an_opening_is_read_past_bytes_that_are_no_text() -> None:
    assert opening(Upload("file", b"a\xffb")) == "ab"
    assert opening(Upload("file", "é".encode() * 3), 3) == "é"
