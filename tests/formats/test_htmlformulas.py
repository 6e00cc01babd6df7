"""Formulas in the HTML that other programs keep."""

from __future__ import annotations

import pytest

from cms.formats.html import to_html, to_markdown


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("$x<y$ and $$z$$", r"<p>\(x&lt;y\) and \[z\]</p>"),
        ("$$\nx\n$$", r"<p>\[x\]</p>"),
        ("the $n$th, $a_b*c$", r"<p>the \(n\)th, \(a_b*c\)</p>"),
        ("`\\(x\\)` and \\$5, \\$6", r"<p><code>\(x\)</code> and $5, $6</p>"),
    ],
)
def test_formulas_go_to_html_and_come_back(markdown: str, html: str) -> None:
    assert to_html(markdown) == html
    assert to_markdown(html) == markdown


def test_text_that_only_looks_like_a_formula_is_none_there() -> None:
    assert to_html(r"\\(x\\)") == r"<p>\<span></span>(x\<span></span>)</p>"


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("[$]x^2[/$]", "$x^2$"),
        ("<p>[$$]x[/$$]</p>", "$$\nx\n$$"),
        ("[latex]$x$[/latex]", "$x$"),
        ("[latex]$$x$$[/latex]", "$$\nx\n$$"),
        (r"a [latex]\begin{math}x\end{math}[/latex] b", "a $x$ b"),
        (r"2\(x\)y", "2 $x$ y"),
        (r"<b>\( x \)</b>", "**$x$**"),
        (r"a \[x\] b", "a $$x$$ b"),
        (r"\(\)", r"\\(\\)"),
        (r"\(a$b\)", r"\\(a\$b\\)"),
        (r"<pre>\(x\)</pre>", "```\n\\(x\\)\n```"),
    ],
)
def test_formulas_of_other_programs_become_dollars(html: str, markdown: str) -> None:
    assert to_markdown(html) == markdown


@pytest.mark.parametrize("piece", [r"\(", r"\[\(", "[latex]", "[$]", r"\(x"])
def test_hostile_marks_are_looked_at_once(piece: str) -> None:
    assert to_markdown(piece * 20_000)
