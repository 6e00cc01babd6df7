"""Differences for people: what was taken away, what was put in, what two people left different."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.formats.item import AnswerItem, Content, SourceItem
from cms.services.diff import Segment, compare, conflicts, words

TEXT = st.text(alphabet="ab \n.,:é", max_size=60)


def told(old: str, new: str) -> str:
    """A difference in one line: [-taken-] {+put in+}."""
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[each.kind].format(each.text) for each in words(old, new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", ""),
        ("same", "same", "same"),
        ("", "new", "{+new+}"),
        ("old", "", "[-old-]"),
        ("port 5000 is", "port 8000 is", "port [-5000-]{+8000+} is"),
        ("on 127.0.0.1.", "on 127.0.0.2.", "on [-127.0.0.1-]{+127.0.0.2+}."),
        ("one\ntwo\nthree", "one\n2\nthree", "one\n[-two-]{+2+}\nthree"),
        ("one\n", "one\ntwo\n", "one\n{+two\n+}"),
        ("naïve café", "naïve cafe", "naïve [-café-]{+cafe+}"),
    ],
)
def test_words_that_changed_are_marked(old: str, new: str, expected: str) -> None:
    assert told(old, new) == expected


@given(TEXT, TEXT)
def test_a_difference_holds_both_texts_whole(old: str, new: str) -> None:
    segments = words(old, new)
    assert "".join(s.text for s in segments if s.kind != "added") == old
    assert "".join(s.text for s in segments if s.kind != "removed") == new
    assert all(s.text for s in segments)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a b " * 50_000, "b a " * 50_000),
        ("\n".join(map(str, range(50_000))), "\n".join(map(str, range(50_000, 0, -1)))),
    ],
    ids=["one long line", "many lines"],
)
def test_long_texts_are_compared_in_bounded_time(old: str, new: str) -> None:
    started = time.process_time()
    segments = words(old, new)
    assert time.process_time() - started < 5
    assert "".join(s.text for s in segments if s.kind != "removed") == new


def base() -> Content:
    return Content(
        slug="q",
        stem="Stem?",
        tags=["b", "a"],
        answers=[
            AnswerItem(uid="1" * 8, body="One"),
            AnswerItem(
                uid="2" * 8, label="Short", body="Two", sources=[SourceItem(url="https://x.org")]
            ),
        ],
    )


def test_equal_contents_do_not_differ() -> None:
    other = base()
    other.tags.reverse()
    assert compare(base(), other) == []


def test_every_part_that_differs_is_named() -> None:
    new = base()
    new.stem, new.difficulty, new.tags = "Stem!", "easy", ["a", "c"]  # type: ignore[assignment]
    new.answers[1].sources = []
    new.answers[0].body = "Uno"
    found = {change.label: (change.old, change.new) for change in compare(base(), new)}
    assert found == {
        "Stem": ("Stem?", "Stem!"),
        "Difficulty": ("", "easy"),
        "Tags": ("a, b", "a, c"),
        "Answer 1": ("One", "Uno"),
        "Answer 2 ‘Short’: sources": ("https://x.org", ""),
    }


def test_moved_answers_are_one_difference() -> None:
    new = base()
    new.answers.reverse()
    assert [(c.label, c.old, c.new) for c in compare(base(), new)] == [
        ("Order of the answers", "One\nShort", "Short\nOne")
    ]


def test_a_removed_and_a_new_answer_are_told_by_their_texts() -> None:
    new = base()
    new.answers[1] = AnswerItem(body="Three")
    found = [(change.label, change.old, change.new) for change in compare(base(), new)]
    assert found == [
        ("Answer 2", "", "Three"),
        ("Answer 2 ‘Short’", "Two", ""),
        ("Answer 2 ‘Short’: label", "Short", ""),
        ("Answer 2 ‘Short’: sources", "https://x.org", ""),
    ]


def test_a_conflict_shows_mine_theirs_and_where_both_began() -> None:
    mine, theirs = base(), base()
    mine.stem, theirs.stem = "Mine?", "Theirs?"
    theirs.context = mine.context = "The same"
    (conflict,) = conflicts(mine=mine, theirs=theirs, base=base())
    assert (conflict.key, conflict.base) == ("stem", "Stem?")
    assert [s.text for s in conflict.segments_of_mine if s.kind == "added"] == ["Mine"]
    assert [s.text for s in conflict.segments_of_theirs if s.kind == "added"] == ["Theirs"]
    (without,) = conflicts(mine=mine, theirs=theirs, base=None)
    assert without.base is None
    assert [s.text for s in without.segments_of_mine if s.kind == "removed"] == ["Theirs"]


def test_it_is_told_which_side_alone_changed_a_part() -> None:
    mine, theirs = base(), base()
    mine.stem, theirs.context = "Mine?", "Theirs"
    found = conflicts(mine=mine, theirs=theirs, base=base())
    assert [(each.label, each.only_mine, each.only_theirs) for each in found] == [
        ("Stem", True, False),
        ("Context", False, True),
    ]


@pytest.mark.parametrize(
    ("kind", "lines", "first", "last", "folded"),
    [
        ("same", 12, False, False, (3, 6, 3)),
        ("same", 11, False, False, (11, 0, 0)),
        ("same", 12, True, False, (0, 9, 3)),
        ("same", 12, False, True, (3, 9, 0)),
        ("same", 5, True, True, (5, 0, 0)),
        ("added", 12, False, False, (12, 0, 0)),
    ],
)
def test_lines_far_from_a_change_are_folded(
    kind: str, lines: int, first: bool, last: bool, folded: tuple[int, int, int]
) -> None:
    text = "".join(f"line {n}\n" for n in range(lines))
    found = Segment(kind, text).folded(first=first, last=last)
    assert "".join(found) == text
    assert tuple(part.count("\n") for part in found) == folded
