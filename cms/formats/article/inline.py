"""One line of prose as Markdown: it shows exactly what the article says.

Text that Markdown would take for markup is escaped, and what is certainly code
(`__name__`, `url_for()`, `<title>`) goes into backticks. Every pattern here is
linear in the length of its input: quantifiers are possessive or bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from cms.formats.escaping import escape

_BACKTICKS = re.compile("`++")
_SPACES = re.compile(r"[ \t\u00a0]++")

_URL = r"(?:https?://|www\.)[^\s<>\"“”]++"
# What already is markup in a Markdown source: addresses, escapes, a link's target.
_MARKUP = re.compile(rf"{_URL}|\\[!-/:-@\[-`{{-~]|\]\([^()\s]*+(?: \"[^\"\n]*+\")?\)")

_NAME = r"[A-Za-z_]\w*+"
# A possible piece of code in prose; `_is_code` decides. Typographic quotes are
# no part of code: text that holds them is left for an editor to look at.
_TOKEN = re.compile(
    rf"""
      (?P<url> {_URL} )
    | (?P<template> \{{\{{ [^{{}}`\n]{{1,80}} \}}\}} | \{{% [^%`\n]{{1,80}} %\}} )
    | (?P<tag> </? [A-Za-z][\w-]*+ (?: \s [^<>`\n]{{0,200}} )? /?> )
    | (?<![\w.@/:\\-]) (?P<name> @? {_NAME} (?: \.{_NAME} )*+ ) (?!@)
      (?P<tail> \( [^()`\n“”‘’]{{0,80}} \) | \[ [^\[\]`\n“”‘’]{{0,40}} \] )?
      (?P<value> [ ]=[ ] (?: (?:True|False|None|\d++)\b | '[^'`\n]{{0,60}}' | "[^"`\n]{{0,60}}" ) )?
    """,
    re.VERBOSE,
)
_NO_START_AFTER = re.compile(r"[\w.@/:`-]")
_DUNDER = re.compile(r"(?<![A-Za-z0-9])__[A-Za-z0-9]\w{0,80}__(?![A-Za-z0-9])")
_BLANK_TO_FILL_IN = re.compile("___")
_CODE_IN_PARENTHESES = re.compile("['\"=_]")

_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3})(?=\S)([^*]++)(?<=[^\s\\])\1")
_LINK = re.compile(r"!?(?<!\\)\[([^\[\]]*+)(?<!\\)\]\([^()\s]*+(?: \"[^\"\n]*+\")?\)")
_PLACE = re.compile("\0(\\d+)\0")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def code_spans(text: str, *, markup: bool) -> list[tuple[int, int]]:
    """Return (start, end) of every code span: backticks up to the next run of the same length.

    In Markdown a backslash takes the first backtick out of the run that would
    begin a span; inside a span it means nothing.
    """
    runs = [(found.start(), found.end()) for found in _BACKTICKS.finditer(text)]
    later: dict[int, list[int]] = {}
    for index in reversed(range(len(runs))):
        start, end = runs[index]
        later.setdefault(end - start, []).append(index)
    spans, index = [], 0
    while index < len(runs):
        start, end = runs[index]
        if markup and _is_escaped(text, start):
            start += 1
        same_length = later.get(end - start, [])
        while same_length and same_length[-1] <= index:
            same_length.pop()
        if same_length:
            index = same_length[-1]
            spans.append((start, runs[index][1]))
        index += 1
    return spans


def _is_escaped(text: str, position: int) -> bool:
    before = position
    while before and text[before - 1] == "\\":
        before -= 1
    return (position - before) % 2 == 1


def pieces(text: str, *, markup: bool) -> Iterator[tuple[bool, str]]:
    """Split `text` into (is literal, piece): code spans and, in Markdown, markup are literal."""
    position = 0
    for start, end in [*code_spans(text, markup=markup), (len(text), len(text))]:
        if markup:
            for found in _MARKUP.finditer(text, position, start):
                yield False, text[position : found.start()]
                yield True, found.group()
                position = found.end()
        yield False, text[position:start]
        yield True, text[start:end]
        position = end


def inline(text: str, *, markup: bool) -> str:
    """Return one line of prose as Markdown.

    With `markup` the line already is Markdown: only code that lacks its
    backticks gets them. Without, every character shows as it is.
    """
    result = ""
    split = [piece for piece in pieces(_SPACES.sub(" ", text), markup=markup) if piece[1]]
    for (literal, piece), (_, following) in zip_longest(split, split[1:], fillvalue=(True, "")):
        result += piece if literal else _prose(piece, markup, result[-1:], following[:1])
    return result


def mark_code(text: str) -> str:
    """Return plain text (a stem) with what is certainly code in backticks, nothing escaped."""
    return inline(text, markup=True)


def plain(text: str, *, keep_backticks: bool = False) -> str:
    """Return one line of Markdown as plain text: no escapes, emphasis or link targets."""
    spans: list[str] = []
    bare, position = "", 0
    for start, end in code_spans(text, markup=True):
        # NUL is in no text that comes here; it keeps a place for what code says.
        bare += f"{text[position:start]}\0{len(spans)}\0"
        span = text[start:end]
        spans.append(span if keep_backticks else _inside(span))
        position = end
    bare = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", bare + text[position:]))
    return _PLACE.sub(lambda found: spans[int(found[1])], _ESCAPE.sub(r"\1", bare))


def _inside(span: str) -> str:
    """Return what a code span holds."""
    width = len(span) - len(span.lstrip("`"))
    inner = span[width : len(span) - width]
    return inner.strip(" ") if "`" in inner else inner


def _prose(text: str, markup: bool, before: str, after: str) -> str:
    """Write prose that stands between two characters: code beside backticks cannot get its own."""
    result, position = "", 0
    for found in _TOKEN.finditer(text):
        code = _certain_code(found)
        start, end = found.start(), found.start() + len(code)
        touches = start == 0 and bool(_NO_START_AFTER.match(before))
        if not code or touches or (end == len(text) and after == "`"):
            continue
        gap = text[position:start]
        if position and not gap:
            result = f"{result[:-1]}{code}`"
        else:
            result += (gap if markup else escape(gap)) + f"`{code}`"
        position = end
    rest = text[position:]
    return result + (rest if markup else escape(rest))


def _certain_code(found: re.Match[str]) -> str:
    """Return the beginning of a token that is certainly code, '' if none is."""
    if found["url"]:
        return ""
    if not found["name"]:
        return found.group()
    name, tail, value = found["name"], found["tail"] or "", found["value"] or ""
    if _BLANK_TO_FILL_IN.search(name):
        return ""
    bare = name.strip("_")
    distinct = "_" in bare or bool(_DUNDER.search(name))
    dotted = "." in name
    if tail.startswith("("):
        if tail == "()" or _CODE_IN_PARENTHESES.search(tail):
            return name + tail
    elif tail and (dotted or distinct or "'" in tail or '"' in tail):
        return name + tail
    if tail:
        return name if distinct else ""
    if value and (dotted or distinct):
        return name + value
    return name if distinct or (name.startswith("@") and dotted) else ""
