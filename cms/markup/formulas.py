"""Formulas: where they stand in Markdown, as '$…$' and '$$…$$', and TeX as MathML."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from math_core import LatexError, LatexToMathML
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_inline_dollar

# Characters of a formula that is set, and commands, braces and marks in it: they may stand inside
# of one another, and what sets a formula takes 3 KB of a thread's stack for each.
FORMULA_LIMIT = 2_000
FORMULA_PARTS = 300

INLINE_FORMULAS = frozenset({"math_inline", "math_inline_double"})
"""The types of the parser's tokens for formulas in a line; one on lines of its own is 'math_block'.

Their `content` is the TeX, their `markup` the dollars.
"""

MATHML: dict[str, set[str]] = {
    "math": {"display"},
    "mfrac": {"linethickness"},
    "mi": {"mathvariant"},
    "mmultiscripts": set(),
    "mn": set(),
    "mo": {
        *("accent", "fence", "form", "largeop", "lspace", "maxsize", "minsize", "movablelimits"),
        *("rspace", "separator", "stretchy", "symmetric"),
    },
    "mover": {"accent"},
    "mpadded": {"depth", "height", "lspace", "voffset", "width"},
    "mphantom": set(),
    "mprescripts": set(),
    "mroot": set(),
    "mrow": set(),
    "mspace": {"depth", "height", "width"},
    "msqrt": set(),
    "mstyle": {"displaystyle", "scriptlevel"},
    "msub": set(),
    "msubsup": set(),
    "msup": set(),
    "mtable": {"displaystyle", "scriptlevel"},
    "mtd": {"columnspan", "rowspan"},
    "mtext": set(),
    "mtr": set(),
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
}
"""The presentation elements of MathML Core (https://www.w3.org/TR/mathml-core/), and attributes.

A style is none of them: what a cell aligns by is said by a class, 'start', 'center' or 'end'.
"""

_FORMULA_PART = re.compile(r"[\\{^_\[']")
_CELL_STYLE = re.compile(r' style="text-align: (left|center|right);[^"]*"')
_ALIGNMENTS = {"left": "start", "center": "center", "right": "end"}
# A space of hundreds of ems would push away all that follows.
_FAR = re.compile(r'="-?[0-9]{3}')
# No macros of a formula's own: they could make any depth of a few characters.
_mathml = LatexToMathML(max_expansions=0, fancy_error=False)

# Words that grow onto a formula: '$n$th', '$k$s'.
_SUFFIX = re.compile(r"(?:th|st|nd|rd|s)(?![\w$])")

_dollars = math_inline_dollar(allow_space=False, allow_double=True)


def formulas_plugin(parser: MarkdownIt) -> None:
    """Let a parser of Markdown know formulas; it writes them as `as_mathml` only where told to."""
    parser.use(dollarmath_plugin, allow_labels=False, allow_blank_lines=False)
    parser.inline.ruler.at("math_inline", _formula)


def as_mathml(tex: str, *, block: bool) -> str:
    """Return a formula as MathML; nothing where it cannot be read, or is too large.

    What comes out has to be cleaned like everything that a person wrote.
    """
    if len(tex) > FORMULA_LIMIT or len(_FORMULA_PART.findall(tex)) > FORMULA_PARTS:
        return ""
    try:
        mathml = _mathml.convert_with_local_state(tex, displaystyle=block)
    except LatexError:
        return ""
    if _FAR.search(mathml):
        return ""
    return _CELL_STYLE.sub(lambda found: f' class="{_ALIGNMENTS[found[1]]}"', mathml)


def may_precede(char: str) -> bool:
    """Whether a formula in Markdown may stand right after a character; '' is the beginning."""
    return not char.isalnum() and char not in {"_", "$"}


def may_follow(text: str, place: int) -> bool:
    """Whether what begins at a place of a text may stand right after a formula in Markdown."""
    char = text[place : place + 1]
    if char.isalnum():
        return bool(_SUFFIX.match(text, place))
    return char not in {"_", "$", "(", "{"}


def _formula(state: StateInline, silent: bool) -> bool:
    """Read '$…$' or '$$…$$' in a line; prices, shell variables and code stay text.

    Nothing that makes a word stands beside it, and no space inside of it at its ends.
    """
    start, text = state.pos, state.src
    if not may_precede(text[start - 1 : start]):
        return False
    if not _dollars(state, True):
        return False
    end = state.pos
    markup = "$$" if text.startswith("$$", start) else "$"
    inside = text[start + len(markup) : end - len(markup)]
    if (
        not may_follow(text, end)
        or inside.strip(" \t") != inside
        or (markup == "$" and "\n" in inside)
    ):
        state.pos = start
        return False
    if not silent:
        state.pos = start
        _dollars(state, False)
    return True
