"""Passages: found in texts whose lines break elsewhere, marked on pages without harm."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.markup import render
from cms.passages import Mark, find, mark


@pytest.mark.parametrize(
    ("text", "passage", "found"),
    [
        ("The host is , and so on.", "is , and", ["is , and"]),
        ("is , and is , and", "is , and", ["is , and", "is , and"]),
        ("aaa", "aa", ["aa"]),
        ("The host\nis ,\n  and so on.", "host is , and", ["host\nis ,\n  and"]),
        ("The host is , and", "host\r\nis , and", ["host is , and"]),
        ("    if sent:", "\tif sent:", ["if sent:"]),
        ("A host. A  host.", "A host.", ["A host."]),
        ("The host is localhost.", "is , and", []),
        ("Any text", "", []),
        ("Any text", " \n", []),
        ("a.c abc", "a.c", ["a.c"]),
    ],
)
def test_a_passage_is_found_letter_by_letter_or_with_other_white_space(
    text: str, passage: str, found: list[str]
) -> None:
    assert [text[start:end] for start, end in find(text, passage)] == found


def test_an_exact_passage_is_not_found_with_other_white_space() -> None:
    passage = "def f():\nreturn 1"
    assert find(f"x\n{passage}\n", passage, exact=True) == [(2, 19)]
    assert find("def f():\n    return 1", passage, exact=True) == []
    assert find("def f():\n    return 1", passage) != []


def test_looking_for_a_passage_takes_time_by_the_texts_length() -> None:
    text = "a" + " " * 100_000 + "b"
    began = time.process_time()
    assert find(text * 3, "a c") == []
    assert find("a " * 50_000, "a a a a a c") == []
    assert time.process_time() - began < 5


def marked(markdown: str, *passages: str, exact: bool = False) -> str:
    marks = [
        Mark(passage, f"warning-{number}", "A word & more", exact)
        for number, passage in enumerate(passages, start=1)
    ]
    return mark(render(markdown), marks)


def words_of(html: str, target: str = "warning-1") -> str:
    """Return the text that is marked, pieces joined."""
    return "|".join(re.findall(rf'<mark><a href="#{target}"[^>]*>(.*?)</a></mark>', html, re.S))


@pytest.mark.parametrize(
    ("markdown", "passage", "words"),
    [
        ("The host is , and the port.", "is , and", "is , and"),
        ("One\ntwo three.", "One two", "One\ntwo"),
        ("A *long* way.", "A *long* way", "A |long| way"),
        ("Set `debug` to .", "Set `debug` to .", "Set |debug| to ."),
        ("a < b & , c", "b & , c", "b |&amp;| , c"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |", "a|b"),
        ("- is , and", "is , and", "is , and"),
        ("Is it `<b>` .", "`<b>` .", "&lt;|b|&gt;| ."),
        ("Nothing here.", "is , and", ""),
    ],
)
def test_the_words_of_a_passage_are_marked(markdown: str, passage: str, words: str) -> None:
    assert words_of(marked(markdown, passage)) == words


def test_code_is_marked_through_its_colors() -> None:
    html = marked(
        "```python\ndef f(name):\nreturn __name__\n```",
        "def f(name):\nreturn __name__",
        exact=True,
    )
    joined = words_of(html).replace("|", "")
    assert joined.replace("\n", "") == "def f(name):return __name__"


def test_a_mark_links_to_its_note_says_why_and_takes_one_step_of_the_tab_key() -> None:
    html = marked("A *long* way.", "A *long* way")
    assert html.count('href="#warning-1"') == 3
    assert html.count('title="A word &amp; more"') == 3
    assert html.count('tabindex="-1"') == 2
    assert html.index('tabindex="-1"') > html.index("warning-1")


def test_no_link_stands_in_a_link() -> None:
    html = marked("See [the docs](https://example.org/) , and", "the docs")
    assert "<mark>the docs</mark>" in html
    assert "#warning" not in html


def test_of_two_passages_the_first_has_the_words_that_both_have() -> None:
    html = marked("one two three", "two", "one two three")
    assert words_of(html, "warning-1") == "two"
    assert words_of(html, "warning-2") == "one | three"


def test_an_attribute_is_never_marked() -> None:
    html = marked('[x](https://example.org/ "is > , and") y', "is > , and")
    assert "<mark>" not in html


@given(st.text(alphabet="ab <>&\"'`*_[]()|-#\n1.", max_size=60), st.data())
def test_without_its_marks_a_page_is_what_it_was(markdown: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(markdown)))
    passage = markdown[start : data.draw(st.integers(start, len(markdown)))]
    plain = render(markdown)
    html = mark(plain, [Mark(passage, "warning-1", "Why")])
    bare = re.sub(
        r'<mark>(?:<a href="#warning-1"[^>]*>(.*?)</a>|(.*?))</mark>', r"\1\2", html, flags=re.S
    )
    assert bare == plain
