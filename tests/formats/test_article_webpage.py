"""Saved web pages: their content as Markdown, their lines by number, the rest told."""

from __future__ import annotations

import pytest

from cms.formats.article import detect
from cms.formats.item import LINE_LIMIT
from tests.formats.articles import body, item, outline, read, upload


def first_answer(html: str) -> str:
    """Return the answer of a page with one question, of which `html` is the answer."""
    (row,) = read(f"<h3>Q1. What is it?</h3>{html}", "page.html").rows
    return body(row)


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>One\n  <b>bold</b>, <i>slanted</i> word.</p>", "One **bold**, *slanted* word."),
        ("<p>line<br>next</p>", "line\\\nnext"),
        ("<ul><li>a<ol start=3><li>b</li><li></li></ol></li></ul>", "- a\n  3. b"),
        ("<ol><li>a<pre>x = 1</pre></li></ol>", "1. a\n\n   ```\n   x = 1\n   ```"),
        ("<blockquote><p>said</p></blockquote>", "> said"),
        ("<dl><dt>term</dt><dd>what it is</dd></dl>", "**term**\n\nwhat it is"),
        (
            "<table><tr><td>a|b</td><td>c_d</td></tr></table>",
            "|  |  |\n| --- | --- |\n| a\\|b | `c_d` |",
        ),
        ("<pre>def f():\n    return '```'\n</pre>", "````\ndef f():\n    return '```'\n````"),
        ('<pre class="lang-py"><code>a<br>b</code></pre>', "```py\na\nb\n```"),
        ("<p><code>x = 1<br>y = 2</code></p>", "```\nx = 1\ny = 2\n```"),
        ("<p>Use <code>x</code> and <code>a`b</code>.</p>", "Use `x` and `` a`b ``."),
        ("<p>import os</p><p>x = os.sep</p>", "```python\nimport os\n\nx = os.sep\n```"),
        ("<p>a</p><pre></pre><p></p>", "a"),
        ("<p>1 &lt; 2 &amp;amp; **x** # y</p>", "1 < 2 \\&amp; \\*\\*x\\*\\* # y"),
        ("<p># no heading</p><p>- no list</p>", "\\# no heading\n\n\\- no list"),
        ("<p>&lt;b&gt; is not bold</p>", "`<b>` is not bold"),
        (
            "<p><a href='https://x.example/a b(c)'>a\nlink</a></p>",
            "[a link](https://x.example/a%20b%28c%29)",
        ),
        (
            "<p><a href='javascript:alert(1)'>x</a> <a href='#y'>y</a> <a href='//['>z</a></p>",
            "x y z",
        ),
        ("<p>a <img src='x.png'> b</p>", "a [Image] b"),
        ("<p>a</p><script>x</script><style>y</style><svg>z</svg>", "a"),
    ],
)
def test_html_becomes_markdown(html: str, markdown: str) -> None:
    assert first_answer(html) == markdown


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<ol><li><strong>What is a?</strong><p>A.</p></li>"
            "<li><strong>What is b?</strong><ul><li>B</li></ul></li></ol>",
            [(1, "What is a?", "A."), (2, "What is b?", "- B")],
        ),
        (
            "<div><details><summary><b>Q1. What is a?</b></summary><p>A.</p></details>"
            "<details><summary><b>Q2. What is <code>b_c</code>?</b></summary>B.</details></div>",
            [(1, "What is a?", "A."), (2, "What is `b_c`?", "B.")],
        ),
        (
            "<div><dl><dt>What is a?</dt><dd>Ans: A.</dd><dt>What is b?</dt><dd>B.</dd></dl></div>",
            [(1, "What is a?", "A."), (2, "What is b?", "B.")],
        ),
        (
            "<?xml version='1.0'?>\n<!-- saved -->\n<html><body><h3>Q: What is a?</h3><p>A: A.</p>"
            "<hr><h3>Q: What is b?</h3><p>B.</p></body></html>",
            [(1, "What is a?", "A."), (2, "What is b?", "B.")],
        ),
        (
            "<body><article><h2>What is a?</h2><p>A.</p></article>"
            "<article><h2>What is b?</h2><p>B.</p></article>"
            "<article><h2>What is c?</h2><p>C.</p></article></body>",
            [(1, "What is a?", "A."), (2, "What is b?", "B."), (3, "What is c?", "C.")],
        ),
        (
            "<body><div>Menu</div><div role='main'><p>1. What is a?</p><p>It is the first.</p>"
            "<p>2. What is b?</p><p>It is the second.</p></div></body>",
            [(1, "What is a?", "It is the first."), (2, "What is b?", "It is the second.")],
        ),
    ],
)
def test_questions_are_found_in_a_page_of_any_shape(
    html: str, expected: list[tuple[int, str, str]]
) -> None:
    assert outline(html) == expected
    assert detect(upload(html, "page.html"))


def test_places_are_lines_of_the_file() -> None:
    html = "<div>\n<script>\nx\n</script>\n\n<h3>Q1. What is a?</h3>\n<p>A.</p>\n<p>B.\n\n\n</p>\n"
    rows = read(html + "<pre>x\ny</pre><h3>Q2. What is b?</h3><p>B.</p></div>").rows
    assert [row.place for row in rows] == ["line 6", "line 13"]


@pytest.mark.parametrize(
    ("head", "source", "url", "date"),
    [
        ("<title>T - Site</title><h1>The Things</h1>", "The Things", "", ""),
        ("<title>T - Site</title>", "T - Site", "", ""),
        ("<p>Last Updated : <b>5 May, 2024</b></p>", "page", "", "2024-05-05"),
        ("<p>By us in <time datetime='2024-05-06T01:02'>May</time>.</p>", "page", "", "2024-05-06"),
        (
            "<meta property='og:url' content='https://x.example/q'>"
            "<meta property='article:published_time' content='2024-05-07'>",
            "page",
            "https://x.example/q",
            "2024-05-07",
        ),
        ("<link rel='canonical' href='/q'>", "page", "", ""),
        ("<link rel='canonical' href='https://[x'>", "page", "", ""),
        ("<link rel='canonical' href='https://x.example/a b'>", "page", "", ""),
        (f"<h1>{'Things ' * 100}</h1>", ("Things " * 100)[:LINE_LIMIT].strip(), "", ""),
    ],
)
def test_a_page_says_where_its_questions_came_from(
    head: str, source: str, url: str, date: str
) -> None:
    html = f"<html><body>{head}<h3>Q1. What is a?</h3><p>A.</p></body></html>"
    (row,) = read(html, "page.html").rows
    origin = item(row).provenance
    assert origin is not None
    assert (origin.source, origin.url, origin.date) == (source, url, date)


def test_a_text_may_name_its_address() -> None:
    reading = read("Things\nSource: https://x.example/things\n\nQ1. What is a?\nA.")
    (row,) = reading.rows
    origin = item(row).provenance
    assert origin is not None
    assert origin.url == "https://x.example/things"
    assert "the address, kept as provenance" in reading.notes[1]


def test_links_without_a_full_address_are_told() -> None:
    html = "<h3>Q1. What is a?</h3><p><a href='/x'>x</a> and <a href='#y'>y</a></p>"
    assert read(html).notes[-1] == "2 links without a full address were kept as their text alone."
