"""Code as HTML in which the kinds of its words are marked by short classes."""

from __future__ import annotations

import functools
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_by_name, get_all_lexers
from pygments.token import Token as Kind
from pygments.token import _TokenType

# Characters of a code block that is highlighted: a lexer's cost per character has no bound.
HIGHLIGHT_LIMIT = 20_000

# What a reader can tell apart, by the first of these that a token descends from.
_CLASSES = {
    Kind.Comment: "c",
    Kind.Keyword: "k",
    Kind.Operator.Word: "k",
    Kind.Name.Class: "f",
    Kind.Name.Decorator: "d",
    Kind.Name.Function: "f",
    Kind.Name.Tag: "k",
    Kind.Name.Attribute: "d",
    Kind.Literal.Number: "n",
    Kind.Literal.String: "s",
    Kind.Generic.Deleted: "del",
    Kind.Generic.Inserted: "ins",
    Kind.Generic.Output: "c",
    Kind.Generic.Prompt: "c",
}

CODE_CLASSES = frozenset(_CLASSES.values())
"""The classes that highlighted code has."""


def highlighted(code: str, language: str) -> str:
    """Return code as HTML, its kinds of words marked by the short classes of `CODE_CLASSES`."""
    if language not in _languages() or language == "output" or len(code) > HIGHLIGHT_LIMIT:
        return escape(code, quote=False)
    parts: list[str] = []
    run: list[str] = []
    current = ""
    # A lexer of its own for each call: some keep state while they work.
    for kind, text in _lexer(language)(stripnl=False, ensurenl=False).get_tokens(code):
        name = _class_of(kind)
        if name != current and not text.isspace():
            parts.append(_marked("".join(run), current))
            run, current = [], name
        run.append(text)
    parts.append(_marked("".join(run), current))
    return "".join(parts)


def _marked(text: str, name: str) -> str:
    safe = escape(text, quote=False)
    return f'<span class="{name}">{safe}</span>' if name and text else safe


@functools.cache
def _lexer(language: str) -> type[Lexer]:
    """Return the lexer of a language: Pygments looks through all of them whenever it is asked."""
    found: type[Lexer] = find_lexer_class_by_name(language)
    return found


@functools.cache
def _class_of(kind: _TokenType) -> str:
    for ancestor in reversed(kind.split()):
        if ancestor in _CLASSES:
            return _CLASSES[ancestor]
    return ""


@functools.cache
def _languages() -> frozenset[str]:
    """The names that Pygments knows: asking it for another one searches every plugin."""
    lexers = get_all_lexers(plugins=False)
    return frozenset(alias for _, aliases, _, _ in lexers for alias in aliases)
