"""Markdown as the bank shows it: safe whatever it holds, with a right outline, and readable."""

from __future__ import annotations

import re
import threading
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.markup import (
    RENDER_LIMIT,
    Sample,
    plain_inline,
    plain_text,
    render,
    render_inline,
    samples,
    summarize,
)

ATTRIBUTES = {
    "a": {"href", "title", "rel"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "div": {"class", "tabindex"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
    **{f"h{level}": {"id"} for level in (3, 4, 5, 6)},
    **{tag: set() for tag in ("blockquote", "br", "code", "em", "hr", "li", "p", "s", "strong")},
    **{tag: set() for tag in ("table", "tbody", "thead", "tr", "ul")},
}

ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt\n>alert(1)</sCrIpT\n>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "<svg/onload=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext></mtext><mglyph><svg><mtext><textarea><a title='</textarea><img onerror=x>'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>@import 'http://evil.example'</style>",
    "<base href=http://evil.example>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<form action=/login><input name=password></form>",
    "<p id=main class=top style='position:fixed'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<details open ontoggle=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;&#x61;vascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\nscript:alert(1)>)",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:image/png;base64,AAAA)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://example.org/1)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    '![x" onerror="alert(1)](http://e.example/p.png)',
    "[x](http://e.example \"title' onmouseover='alert(1)\")",
    '[x](http://e.example/"onmouseover="alert(1))',
    "<javascript:alert(1)>",
    "<http://e.example/'onclick='alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    '```" onload="alert(1)\n<script>alert(1)</script>\n```',
    "```<script>alert(1)</script>\ncode\n```",
    "```html\n<script>alert('</code></pre><script>')</script>\n```",
    "`<img src=x onerror=alert(1)>`",
    "# <img src=x onerror=alert(1)>",
    '# x" onclick="alert(1)',
    "|<script>|b|\n|:-|-:|\n|<img src=x onerror=alert(1)>|2|",
    "1000000000. <script>alert(1)</script>",
    "\0<scr\0ipt>alert(1)</scr\0ipt>",
]
PIECES = st.one_of(
    st.sampled_from(ATTACKS),
    st.sampled_from(["\n\n", "\n", "> ", "- ", "1. ", "# ", "|", "|-|-|\n", "    ", "\\"]),
    st.sampled_from(["`", "```", "```html run\n", "*", "_", "~~", "[", "](", ")", "!["]),
    st.sampled_from(["<", ">", '"', "'", "&", "&lt;", "&#", ";"]),
    st.text(max_size=8),
)


class Judge(HTMLParser):
    """Reads HTML as a browser would, and refuses what no rendered text may hold."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ATTRIBUTES, f"<{tag}>"
        for name, value in attrs:
            assert name in ATTRIBUTES[tag], f"<{tag} {name}>"
            if name == "href":
                address = re.sub(r"[\x00-\x20]", "", value or "")
                scheme = re.match(r"([a-z][a-z0-9+.-]*):", address, re.IGNORECASE)
                assert scheme is None or scheme[1].lower() in {"http", "https", "mailto"}, value
            if name == "id":
                assert re.fullmatch(r"text-[a-z0-9-]+", value or ""), value
            if name == "class":
                assert not set((value or "").split()) & {"top", "skip", "page", "button"}, value

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")


def judge(html: str) -> None:
    judge = Judge()
    judge.feed(html)
    judge.close()


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_becomes_text_or_nothing(attack: str) -> None:
    judge(render(attack))


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_mixture_of_attacks_gets_through(markdown: str) -> None:
    judge(render(markdown))


def test_the_judge_refuses_what_it_should() -> None:
    for html in (
        "<script>",
        "<p onclick=x>",
        "<a href=' java\nscript:x'>",
        "<p id=main>",
        "<!-- -->",
    ):
        with pytest.raises(AssertionError):
            judge(html)


@given(st.text(max_size=60))
def test_a_line_holds_no_element_but_code(line: str) -> None:
    html = render_inline(line)
    assert "<" not in html.replace("<code>", "").replace("</code>", "")
    assert html.count("<code>") == html.count("</code>")


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("a *b* **c** ~~d~~", "<p>a <em>b</em> <strong>c</strong> <s>d</s></p>"),
        ("raw <b>html</b>", "<p>raw &lt;b&gt;html&lt;/b&gt;</p>"),
        ("https://example.org", "<p>https://example.org</p>"),
        (
            "<https://example.org>",
            '<p><a href="https://example.org" rel="nofollow noopener">https://example.org</a></p>',
        ),
        (
            "![a cat](https://example.org/c.png)",
            '<p><a href="https://example.org/c.png" rel="nofollow noopener">a cat</a></p>',
        ),
        (
            "[![a cat](https://example.org/c.png)](https://example.org)",
            '<p><a href="https://example.org" rel="nofollow noopener">a cat</a></p>',
        ),
        (
            "![](https://example.org/c.png)",
            '<p><a href="https://example.org/c.png" rel="nofollow noopener">'
            "https://example.org/c.png</a></p>",
        ),
    ],
)
def test_inline_markup(markdown: str, html: str) -> None:
    assert render(markdown) == html


@pytest.mark.parametrize(
    ("markdown", "outline"),
    [
        ("# A\n## B\n# C", ["h3", "h4", "h3"]),
        ("## A\n#### B\n## C\n### D", ["h3", "h4", "h3", "h4"]),
        ("###### A\n# B", ["h3", "h3"]),
        ("# 1\n## 2\n### 3\n#### 4\n##### 5\n###### 6", ["h3", "h4", "h5", "h6", "h6", "h6"]),
    ],
)
def test_headings_begin_below_the_page_and_skip_no_level(markdown: str, outline: list[str]) -> None:
    assert re.findall(r"<(h\d)", render(markdown)) == outline


def test_headings_have_ids_of_their_own() -> None:
    html = render("# Über Flask\n# Über Flask\n# `?`\n# *Why* `g`?", anchor="answer-2")
    assert re.findall(r'id="([^"]*)"', html) == [
        "answer-2-uber-flask",
        "answer-2-uber-flask-2",
        "answer-2-section",
        "answer-2-why-g",
    ]


def test_code_has_a_head_and_is_highlighted_by_classes() -> None:
    html = render("```python\nreturn 'x'  # <b>\n```")
    assert '<div class="code"><div class="code-head">python</div><pre tabindex="0"><code>' in html
    assert '<span class="k">return </span><span class="s">\'x\'  </span>' in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize(
    ("fence", "opening"),
    [
        ("```python run\nx\n```", '<div class="code code-run"><div class="code-head">python</div>'),
        ("```output\nx\n```", '<div class="code code-output"><div class="code-head">output</div>'),
        ("```Klingon\nx\n```", '<div class="code"><div class="code-head">klingon</div>'),
        ("```\nx\n```", '<div class="code"><div class="code-head">code</div>'),
        ("    x", '<div class="code"><div class="code-head">code</div>'),
    ],
)
def test_the_head_says_what_the_code_is(fence: str, opening: str) -> None:
    assert render(fence).startswith(opening)


@given(st.sampled_from(["python", "html", "console", "diff", "json"]), st.text(max_size=80))
def test_highlighting_changes_no_character(language: str, code: str) -> None:
    fence = f"~~~~~~{language}\n{code.replace('~', '')}\n~~~~~~"

    class Text(HTMLParser):
        def handle_data(self, data: str) -> None:
            parts.append(data)

    parts: list[str] = []
    Text().feed(render(fence))
    plain = plain_text(fence)
    assert "".join(parts).removeprefix(language).strip("\n") == plain.strip("\n")


def test_a_table_scrolls_in_its_box_and_aligns_by_classes() -> None:
    html = render("|a|b|c|\n|:-|:-:|-:|\n|1|2|3|")
    assert html.startswith('<div class="table" tabindex="0"><table>')
    assert re.findall(r'<td class="(\w+)">', html) == ["start", "center", "end"]
    assert "style" not in html


@pytest.mark.parametrize("function", [render, plain_text])
@pytest.mark.parametrize("text", ["x" * (RENDER_LIMIT + 1), "ä" * (RENDER_LIMIT // 2 + 1)])
def test_a_text_beyond_the_limit_is_refused(function: object, text: str) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match="longer than 200,000 bytes"):
        function(text)


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("What is `g`?", "What is <code>g</code>?"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("5 < 6 & *x*", "5 &lt; 6 &amp; *x*"),
        ("one ` alone", "one ` alone"),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
    ],
)
def test_a_stem_has_code_and_nothing_else(line: str, html: str) -> None:
    assert render_inline(line) == html


def test_a_stem_without_its_backticks() -> None:
    assert plain_inline("What is `g`, and ` not?") == "What is g, and ` not?"


def test_plain_text_is_what_a_reader_sees() -> None:
    markdown = (
        "# Title\n\nSome *words*, a [link](https://example.org) and `code`,\nbroken.\n\n"
        "- one\n- two\n\n![alt](https://example.org/x.png)\n\n|a|b|\n|-|-|\n|1||\n\n"
        "```python\nx = 1\n```\n\n> <b>raw</b> &amp; so on"
    )
    assert plain_text(markdown).split("\n") == [
        "Title",
        "Some words, a link and code, broken.",
        "one",
        "two",
        "alt",
        "a | b",
        "1",
        "x = 1",
        "<b>raw</b> & so on",
    ]


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("", ""),
        ("Short.", "Short."),
        ("Yes.\nIt does, since the first version.", "Yes. It does, since the first version."),
        (
            "A first line that is long enough to stand alone in a list.\n"
            "A second one that adds what no list needs to say.",
            "A first line that is long enough to stand alone in a list. "
            "A second one that adds what no list needs to say.",
        ),
        (
            "A first line that is long enough, with its sixty and more letters, for one.\nNo.",
            "A first line that is long enough, with its sixty and more letters, for one.",
        ),
        ("word " * 60, "word " * 35 + "word…"),
        ("One sentence, which is long" + " enough" * 12 + ". " + "more " * 40, None),
        ("x" * 300, "x" * 179 + "…"),
    ],
)
def test_a_summary_is_one_short_line(text: str, summary: str | None) -> None:
    found = summarize(text)
    assert len(found) <= 180
    if summary is None:
        assert found == text[: text.index(".") + 1]
    else:
        assert found == summary


@given(st.text(max_size=400), st.integers(min_value=20, max_value=200))
def test_a_summary_never_exceeds_its_limit(text: str, limit: int) -> None:
    found = summarize(text, limit)
    assert len(found) <= limit
    assert "\n" not in found


def test_threads_share_the_parser() -> None:
    texts = [f"# {n}\n\n```python\nx = {n}\n```\n\n|{n}|\n|-|\n" * 5 for n in range(8)]
    expected = [render(text) for text in texts]
    wrong: list[int] = []

    def work(n: int) -> None:
        for _ in range(20):
            if render(texts[n]) != expected[n]:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


SAMPLE_CASES = [
    ("```python run\na\n```", [Sample("a\n", None, 2)]),
    ("```Python  run\na\n```\n\n```output\nb\n```", [Sample("a\n", "b\n", 2, 6)]),
    ("```python run\na\n```\n```output\n```", [Sample("a\n", "", 2, 5)]),
    ("Text.\n\n~~~python run\na\n~~~\nMore.\n\n```output\nb\n```", [Sample("a\n", None, 4)]),
    ("- x\n\n  ```python run\n  a\n  ```\n\n```output\nb\n```", [Sample("a\n", None, 4)]),
    ("> ```python run\n> a\n> ```\n> ```output\n> b\n> ```", [Sample("a\n", "b\n", 2, 5)]),
    ("```python run\n```python run\nb\n```", [Sample("```python run\nb\n", None, 2)]),
    ("````\n```python run\na\n```\n````", []),
    ("```python\nrun\n```\n\n```bash run\na\n```\n\n    python run", []),
    ("```pythonrun\na\n```", []),
]


@pytest.mark.parametrize(("markdown", "found"), SAMPLE_CASES)
def test_samples_are_the_python_fences_marked_run_with_the_output_right_after_them(
    markdown: str, found: list[Sample]
) -> None:
    assert samples(markdown) == found


def test_a_sample_is_known_by_its_code_and_what_it_should_print() -> None:
    bodies = [
        "```python run\na\n```",
        "```python run\nb\n```",
        "```python run\na\n```\n```output\n```",
    ]
    hashes = [samples(body)[0].hash for body in bodies]
    assert len(set(hashes)) == 3
    assert samples(f"Moved.\n\n{bodies[0]}")[0].hash == hashes[0]


def test_a_proof_stands_in_the_head_of_the_block_that_it_is_about_as_text() -> None:
    body = "```python run\na\n```\n\n```python run\nb\n```"
    _, second = samples(body)
    html = render(body, proofs={second.hash: "run <b>"})
    assert '<div class="code-head">python</div><pre tabindex="0"><code>a\n' in html
    assert (
        '<div class="code-head">python <span class="ran">run &lt;b&gt;</span></div>'
        '<pre tabindex="0"><code>b\n'
    ) in html
    assert 'class="ran"' not in render(body, proofs={"0" * 64: "run"})
