"""Markdown as HTML and back: what a text says stays, whatever somebody's editor made of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.formats.html import DEEPEST, HTML_LIMIT, to_html, to_markdown
from cms.text import normalize_text
from tests.formats.strategies import any_text

IMAGE = f"{'0f' * 32}.png"

_word = st.text("abcé_*`[]<>&#~|-+.1:\"'$!\\", min_size=1, max_size=8)
_code = st.sampled_from(["`x`", "`` a`b ``", "`a | b`", "` `"])
_emphasis = st.sampled_from(["*a*", "**b c**", "~~d~~", "*e **f** g*", "**h `i`**", "***j***"])
_link = st.sampled_from(
    [
        "[a b](https://x.example/a_(b)?c=1&copy=2)",
        '[a](https://x.example "A \\"title\\"")',
        "<https://x.example/_a_>",
        f"![an image](asset:{IMAGE})",
        "![far \\[away\\]](https://x.example/i.png)",
    ]
)
_line = st.lists(_word | _code | _emphasis | _link | st.just("word"), min_size=1, max_size=5).map(
    " ".join
)
_paragraph = st.lists(_line, min_size=1, max_size=3).flatmap(
    lambda lines: st.sampled_from(["\n", "\\\n", "  \n"]).map(lambda end: end.join(lines))
)
_fence = st.builds(
    lambda mark, info, code: f"{mark}{info}\n{code}{mark}",
    st.sampled_from(["```", "~~~~"]),
    st.sampled_from(["", "python", "python run", "output", "c++", "html+jinja"]),
    st.sampled_from(["", "x = 1\n", "\tif a:\n\n        b()\n", "<b>&amp;</b>\n", "- x\n1. y\n"]),
)
_table = st.builds(
    lambda a, b: f"| {a} | head |\n| --- | :-: |\n| `c` | {b} |\n| d\\|e |",
    *(_line.map(lambda line: line.replace("|", "\\|")),) * 2,
)
_leaf = st.one_of(
    _paragraph, _fence, _table, _line.map("## {}".format), st.sampled_from(["---", "- ", "> "])
)


def _margin(text: str, first: str, rest: str) -> str:
    return first + text.replace("\n", f"\n{rest}")


def _nested(blocks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(blocks, min_size=1, max_size=3)
    between = st.sampled_from(["\n", "\n\n"])
    return st.one_of(
        st.builds(
            lambda some, end: end.join(_margin(each, "- ", "  ") for each in some), several, between
        ),
        st.builds(
            lambda some, end: end.join(_margin(each, "7. ", "   ") for each in some),
            several,
            between,
        ),
        several.map(lambda some: _margin("\n\n".join(some), "> ", "> ")),
        several.map("\n\n".join),
    )


usual_markdown = st.recursive(_leaf, _nested, max_leaves=6)


@given(any_text.map(normalize_text) | usual_markdown)
def test_markdown_says_the_same_after_a_way_through_html(text: str) -> None:
    html = to_html(text, "asset:{}".format)
    again = to_markdown(html, lambda address: address)
    assert to_html(again, "asset:{}".format) == html


@pytest.mark.parametrize(
    "markdown",
    [
        "One *slanted*, one **bold** word, ~~none~~ and `code`.",
        "first line\nsecond line\\\nthird line",
        "- a\n- b\n  - c\n    1. d\n- e",
        "- a\n\n  more of a\n\n- b",
        "3. three\n4. four",
        "- a\n\n* b",
        "> quoted\n>\n> - list",
        "```python run\nprint(1)\n```\n\n```output\n1\n```",
        "````\n```\n````",
        "| a | b |\n| --- | --- |\n| `x` | y\\|z |",
        "## Heading\n\nText with [a link](https://x.example/a_b) and snake_case_name.",
        "1\\. no list\n\\# no heading\n\\- no item",
        "\\*stars\\*, \\`ticks\\`, 2 \\* 3, \\<b>, \\&amp;, a\\[0\\](x)".replace("\\[0", "[0"),
    ],
)
def test_markdown_in_our_own_style_comes_back_letter_by_letter(markdown: str) -> None:
    assert to_markdown(to_html(markdown)) == markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("one<br>two<br><br>three", "one\\\ntwo\n\nthree"),
        ("<div>one</div><div>two</div><div><br></div><div>three</div>", "one\n\ntwo\n\nthree"),
        ("a&nbsp;b <b>bold </b>word", "a\u00a0b **bold** word"),
        ("x<b>“said”</b>y", "x“said”y"),
        ("<ul><li><p>a</p></li><li>b</li></ul>", "- a\n\n- b"),
        (
            "<table><tr><td>a</td></tr><tr><td>b</td><td>c<br>d</td></tr></table>",
            "|  |  |\n| --- | --- |\n| a |  |\n| b | c d |",
        ),
        ("<pre><code class='lang-py'>a<br>b</code></pre>", "```py\na\nb\n```"),
        ("<script>alert(1)</script><style>p{}</style>ok<img src=x onerror=alert(1)>", "ok"),
        ("<a href='javascript:alert(1)'>x</a>", "x"),
        ("<img src='https://x.example/i.png' alt='far'>", "![far](https://x.example/i.png)"),
        ("<img src='paste-1.jpg' alt='near'>", "near"),
        ("<span style='color: red'>H<sub>2</sub>O</span>", "H2O"),
        ("", ""),
    ],
)
def test_html_of_others_becomes_clean_markdown(html: str, markdown: str) -> None:
    assert to_markdown(html) == markdown


def test_an_image_of_the_bank_is_found_where_the_file_has_it() -> None:
    html = to_html(f"![words](asset:{IMAGE})", lambda name: f"media/{name}")
    assert html == f'<p><img src="media/{IMAGE}" alt="words"></p>'
    assert to_html(f"![words](asset:{IMAGE})") == "<p>words</p>"
    assert to_markdown(html, lambda _: f"asset:{IMAGE}") == f"![words](asset:{IMAGE})"


def test_code_can_be_highlighted_and_reads_the_same() -> None:
    code = "```python\ndef f():\n    return 1  # one\n```"
    html = to_html(code, highlight=True)
    assert '<span class="k">def' in html
    assert to_markdown(html) == code


@pytest.mark.parametrize(
    "html",
    [
        "<b>" * 50_000,
        "<div>" * 50_000,
        "<ul><li>" * 50_000,
        "<" * 20_000,
        "<a href='" * 20_000,
        "&" * 20_000,
        "`" * 20_000,
        " \n" * 50_000,
        "<br>" * 5_000,
        "<p>*_~`[" * 2_000,
        "<table>" * 2_000,
        "<li>x" * 2_000,
        "x" * (HTML_LIMIT + 1),
        "<!--" * 20_000,
    ],
    ids=lambda html: html[:9],
)
def test_hostile_html_ends_soon(html: str) -> None:
    begin = time.process_time()
    to_markdown(html)
    assert time.process_time() - begin < 3


def test_what_is_nested_too_deep_keeps_its_words() -> None:
    deep = "<blockquote>" * (DEEPEST + 1) + "words"
    assert to_markdown(deep) == "words"
