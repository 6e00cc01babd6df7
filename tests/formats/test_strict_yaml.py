"""YAML: what is read, what is refused with its line, and that every reader agrees on ours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cms.formats.strict_json import JSONFault
from cms.formats.strict_yaml import dumps, loads
from cms.text import normalize_text
from tests.formats.strategies import any_text

# What looks like something else to a reader of YAML 1.1 or 1.2.
SURPRISES = (
    *("no", "NO", "yes", "on", "off", "y", "true", "null", "~", "", "2026-11-22", "12:30"),
    *("2026-11-22T10:00:00Z", "007", "0o14", "0x1F", "1_000", "1e3", "1.5", ".5", "2.10", "-1"),
    *(".inf", ".nan", "<<", "=", "a: b", "a #b", "- a", "? a", "* a", "&a", "!a", "%a", "@a"),
    *("`a`", "|", ">", "[a", "{a", "'a'", '"a"', "a:", ":a", "#a", "---", "...", " a ", "a, b"),
    *("x" * 500, "word " * 200, "\U0001f600", "a\u2028b", "a\u00a0b", "\ufeffa", "a\tb", "\\n"),
    *("a\nb", "a\n\nb", " a\nb", "a \nb", "a\n  b", "a\n---\nb", "a\n# b", "a\n", "\n", "\ta\nb"),
)


@pytest.mark.parametrize("text", SURPRISES)
def test_a_text_is_the_same_text_to_every_reader(text: str) -> None:
    written = dumps({"key": text, "list": [text], "after": "a"})
    expected = {"key": text, "list": [text], "after": "a"}
    assert loads(written) == expected
    assert yaml.safe_load(written) == expected
    assert "..." not in written.splitlines()
    assert "---" not in written.splitlines()


def plain_data(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3)
        ),
        max_leaves=6,
    )


texts = any_text.map(normalize_text)


@given(data=plain_data(texts))
def test_whatever_is_written_is_read_again_by_us_and_by_others(data: Any) -> None:
    written = dumps(data)
    assert loads(written) == data
    assert yaml.safe_load(written) == data


@given(data=plain_data(texts | st.integers() | st.booleans() | st.none()))
def test_numbers_and_nulls_are_read_by_others_as_what_they_are(data: Any) -> None:
    assert yaml.safe_load(dumps(data)) == data


def test_several_lines_are_a_block_long_ones_stay_whole_and_emoji_are_not_escaped() -> None:
    long = "word " * 100 + "end"
    assert dumps({"claim": "One.\n\nTwo 😀."}) == "claim: |-\n  One.\n\n  Two 😀.\n"
    assert dumps({"stem": long}) == f"stem: {long}\n"


def test_a_date_and_a_moment_are_written_as_other_readers_know_them() -> None:
    data = {"on": date(2026, 11, 22), "at": datetime(2026, 11, 22, 10, 0, 0, 5, tzinfo=UTC)}
    assert dumps(data) == "'on': 2026-11-22\nat: 2026-11-22T10:00:00.000005Z\n"
    assert yaml.safe_load(dumps(data)) == data


def test_equal_parts_are_written_out_each_time() -> None:
    part = {"a": ["b"]}
    assert dumps([part, part]) == "- a:\n  - b\n- a:\n  - b\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "a: no\nb: 2026-11-22\nc: 2.10\nd: 007\ne: true",
            ["no", "2026-11-22", "2.10", "007", "true"],
        ),
        ("a: 'null'\nb: \"~\"\nc: |\n  x\n   y\n", ["null", "~", "x\n y\n"]),
        ("a: >\n  one\n  two\n", ["one two\n"]),
        ("a: [x, 1]\nb: {c: d}", [["x", "1"], {"c": "d"}]),
        ("a:\nb: null\nc: ~\nd: x", ["x"]),
        ("a: x # a remark\n# another\n", ["x"]),
        ("a: https://a.example/#b", ["https://a.example/#b"]),
        ("x-mine: 1\na: {x-b: [1], c: d}", [{"c": "d"}]),
    ],
)
def test_scalars_are_texts_and_what_is_null_is_absent(text: str, value: list[Any]) -> None:
    assert list(loads(text).values()) == value


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", "---\n", "null"])
def test_an_empty_document_is_nothing(text: str) -> None:
    assert loads(text) is None


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3", 3, "The key 'a' stands twice"),
        ("a:\n  b: 1\n  b: 2", 3, "The key 'b' stands twice"),
        ("x-a: 1\nx-a: 2", 2, "The key 'x-a' stands twice"),
        ("a: &b x\nc: *b", 1, "Anchors (&) and aliases (*) are not read"),
        ("a: x\nc: *b", 2, "Anchors (&) and aliases (*) are not read"),
        ("&b a: x", 1, "Anchors (&) and aliases (*) are not read"),
        ("a: !!python/object:os.system x", 1, "Tags (!) are not read"),
        ("a: !x y", 1, "Tags (!) are not read"),
        ("a: 1\n[b]: 2", 2, "A key has to be a word"),
        ("a: What is this: a test?", 1, "has to stand in quotes"),
        ("a: x\nb: 'y", 2, "This is not YAML"),
        ("a: x\n\tb: y", 2, "This is not YAML"),
        ("a: x\n--- \nb: y", 2, "A second document begins here"),
        ("é: x\nb: \ufffe", 2, "The character U+FFFE may not stand in YAML"),
        ('a: "\\ud83d"', 1, "invalid Unicode character"),
    ],
)
def test_what_is_refused_is_explained_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(JSONFault) as caught:
        loads(text)
    assert said in caught.value.problem
    assert caught.value.place == f"line {line}"
    with pytest.raises(JSONFault) as caught:
        loads(text, first_line=11)
    assert caught.value.place == f"line {line + 10}"


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(code + 1)}: &{chr(code + 1)} [*{chr(code)}, *{chr(code)}]\n" for code in range(97, 121)
)


@pytest.mark.parametrize(
    "bomb",
    [
        *("[" * 100_000, "a: {" * 100_000, "- " * 100_000, "? " * 100_000, LAUGHS),
        "".join(" " * depth + "a:\n" for depth in range(2_000)),
        "a: " + "'" * 100_001,
    ],
    ids=["flow list", "flow map", "list", "keys", "laughs", "map", "quotes"],
)
def test_a_bomb_is_refused_at_once(bomb: str) -> None:
    with pytest.raises(JSONFault):
        loads(bomb)


@given(any_text)
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    place = "line 1"
    try:
        loads(normalize_text(text))
    except JSONFault as fault:
        place = fault.place
    assert place.startswith("line ")
