"""Formulas in the HTML of other programs: between the marks of MathJax, or of older Ankis."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement

from cms.markup.formulas import FORMULA_LIMIT, may_follow, may_precede

TAG = "tex"
"""The element that stands for a formula until it is written; no program's HTML has one."""

# Each pair of marks, and whether the formula stands on lines of its own. What stands between
# them begins no other formula, so that hostile text is looked at once.
_PAIRS = (
    (r"\(", r"\)", False),
    (r"\[", r"\]", True),
    ("[$]", "[/$]", False),
    ("[$$]", "[/$$]", True),
    ("[latex]", "[/latex]", False),
)
_FORMULA = re.compile(
    "|".join(
        rf"{re.escape(begin)}((?:(?!{re.escape(begin)}|{re.escape(end)}).){{1,{FORMULA_LIMIT}}})"
        rf"{re.escape(end)}"
        for begin, end, _ in _PAIRS
    ),
    re.DOTALL,
)
# LaTeX's own marks inside of Anki's [latex].
_WRAPPED = re.compile(r"(\$\$?)(.*)\1|\\begin\{math\}(.*)\\end\{math\}", re.DOTALL)
_UNESCAPED = re.compile(r"(?<!\\)\$")


def may_hold_formulas(html: str) -> bool:
    """Whether a formula may stand in sanitized HTML: looking through a tree of it takes longer."""
    return any(begin in html for begin, _, _ in _PAIRS)


def mark_formulas(soup: BeautifulSoup) -> None:
    """Put an element 'tex' in the place of each formula that stands in text outside of code."""
    for text in soup.find_all(string=_FORMULA):
        if text.find_parent(["code", "pre"]) is None:
            text.replace_with(*_parts(soup, str(text)))


def _parts(soup: BeautifulSoup, text: str) -> list[NavigableString | Tag]:
    parts: list[NavigableString | Tag] = []
    done = 0
    for found in _FORMULA.finditer(text):
        assert found.lastindex is not None
        tex = found[found.lastindex].strip()
        block = _PAIRS[found.lastindex - 1][2]
        if inner := _WRAPPED.fullmatch(tex):
            block, tex = inner[1] == "$$", (inner[2] or inner[3]).strip()
        if not tex or _UNESCAPED.search(tex):
            continue
        before = text[done : found.start()]
        # Beside a letter or a digit a dollar would be one.
        parts.append(NavigableString(before + " " * (not may_precede(before[-1:]))))
        element = soup.new_tag(TAG, attrs={"block": "1"} if block else {})
        element.string = tex
        parts.append(element)
        if not may_follow(text, found.end()):
            parts.append(NavigableString(" "))
        done = found.end()
    return [*parts, NavigableString(text[done:])]


def written_formula(element: Tag) -> str:
    """Return an element 'tex' as Markdown in a line of text."""
    marks = "$$" if element.has_attr("block") else "$"
    return f"{marks}{' '.join(element.get_text().split())}{marks}"


def block_formula(nodes: Sequence[PageElement]) -> str:
    """Return a paragraph that is one formula on lines of its own as Markdown; '' if it is not."""
    shown = [each for each in nodes if not isinstance(each, NavigableString) or each.strip()]
    if len(shown) != 1 or not isinstance(shown[0], Tag):
        return ""
    element = shown[0]
    if element.name != TAG or not element.has_attr("block"):
        return ""
    lines = "\n".join(line for line in element.get_text().splitlines() if line.strip())
    return f"$$\n{lines}\n$$"
