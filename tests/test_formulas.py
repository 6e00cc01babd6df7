"""Formulas in Markdown: what is one, how it is set, and that none does harm."""

from __future__ import annotations

import threading
import time

import pytest

from cms.markup import RENDER_LIMIT, plain_text, render
from cms.markup.formulas import FORMULA_LIMIT, FORMULA_PARTS

X = "<math><mi>x</mi></math>"
BLOCK = '<math display="block"><mi>x</mi></math>'


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("$x$", f"<p>{X}</p>"),
        ("$x$ is 5", f"<p>{X} is 5</p>"),
        ("($x$), **$x$**; $x$.", f"<p>({X}), <strong>{X}</strong>; {X}.</p>"),
        ("the $x$th, $x$s", f"<p>the {X}th, {X}s</p>"),
        ("in a line $$x$$ of text", f"<p>in a line {BLOCK} of text</p>"),
        ("text\n$$\nx\n$$\nmore", f"<p>text\n{BLOCK}\nmore</p>"),
        ("$$\nx\n$$", f'<div class="math" tabindex="0">{BLOCK}</div>'),
        ("$$ x $$", f'<div class="math" tabindex="0">{BLOCK}</div>'),
        ("$a<b$", "<p><math><mi>a</mi><mo>&lt;</mo><mi>b</mi></math></p>"),
        (
            r"$$\begin{aligned}x&=x\end{aligned}$$",
            '<div class="math" tabindex="0"><math display="block"><mtable displaystyle="true" '
            'scriptlevel="0"><mtr><mtd class="end"><mi>x</mi></mtd><mtd class="start"><mo>=</mo>'
            "<mi>x</mi></mtd></mtr></mtable></math></div>",
        ),
    ],
)
def test_a_formula_is_set_as_mathml(markdown: str, html: str) -> None:
    assert render(markdown) == html


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "between US$5/US$6 and $7-$8",
        "5$-6$ a piece",
        "$HOME/$USER and $HOME/bin:$PATH",
        "$A and $B, $FOO,$BAR, $a$b, ${A}${B}, $(id)$(id)",
        "the process $$ and $$ again",
        "$ x $",
        "$\nx$",
        r"\$x\$",
        "$x",
        "$",
        "",
    ],
)
def test_prices_and_shell_variables_stay_text(text: str) -> None:
    assert "<math" not in render(text)
    assert plain_text(text) == text.replace("\\", "").replace("\n", " ")


@pytest.mark.parametrize("markdown", ["`$x$`", "```\n$x$\n```", "    $$x$$", "```math\n$$x$$\n```"])
def test_what_stands_in_code_is_no_formula(markdown: str) -> None:
    assert "<math" not in render(markdown)


@pytest.mark.parametrize(
    "tex",
    [
        r"\unknown{x}",
        r"\frac{1}{",
        r"\href{javascript:alert(1)}{x}",
        r"\def\a{\a\a}\a",
        r"\hspace{9999em}",
        "{" * (FORMULA_PARTS + 1),
        r"\sqrt" * (FORMULA_PARTS + 1),
        "x" * (FORMULA_LIMIT + 1),
    ],
)
def test_a_formula_that_cannot_be_set_shows_its_source(tex: str) -> None:
    assert render(f"${tex}$") == f"<p><code>{tex}</code></p>"
    block = render(f"$$\n{tex}\n$$")
    assert block.startswith('<div class="code"><div class="code-head">tex</div>')
    assert "<math" not in block


def test_nothing_in_a_formula_gets_out_of_it() -> None:
    html = render(r"$\text{</math><script>alert(1)</script>}$")
    assert html == (
        "<p><math><mtext>&lt;/math&gt;&lt;script&gt;alert(1)&lt;/script&gt;</mtext></math></p>"
    )


def test_plain_text_has_the_source_of_formulas() -> None:
    assert plain_text("An $x^2$ and\n\n$$\n\\frac{1}{2}\n$$") == "An x^2 and\n\\frac{1}{2}"


def test_the_deepest_formula_needs_no_more_than_a_small_stack() -> None:
    half = FORMULA_PARTS // 2 - 1
    deepest = [
        "$" + r"\sqrt{" * half + "x" + "}" * half + "$",
        "$" + r"\sqrt" * (FORMULA_PARTS - 1) + " x$",
        "$" + "{" * FORMULA_PARTS + "}" * FORMULA_PARTS + "$",
    ]
    html: list[str] = []
    size = threading.stack_size(1_000_000)
    try:
        thread = threading.Thread(target=lambda: html.extend(map(render, deepest)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
    assert ["<math" in each for each in html] == [True] * 3


@pytest.mark.parametrize(
    "piece", ["$a", "$", r"\$", "$a ", "$$\n", "$x$ ", "$$a ", f"${'+' * 1_990}$ "]
)
def test_a_text_full_of_dollars_is_rendered_in_seconds(piece: str) -> None:
    began = time.process_time()
    html = render(piece * (RENDER_LIMIT // 4 // len(piece)))
    assert time.process_time() - began < 5
    assert len(html) < RENDER_LIMIT * 10
