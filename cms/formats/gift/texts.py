"""Texts of GIFT: backslashes, the marks between answers, kinds of text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cms.formats.html import to_markdown
from cms.formats.quiz import (
    ANSWERS_LIMIT,
    AS_HTML,
    TOO_MANY,
    kept_images,
)

_SPECIAL = re.compile(r"[\\~=#{}:]")
_ESCAPED = re.compile(r"\\([\\~=#{}:n])")


class GiftFault(Exception):
    """A block that cannot be read; `args` say what is wrong and what to do."""


def escaped(text: str) -> str:
    """Return a text with a backslash before what means something, on one line."""
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\n", r"\n")


def marks(text: str, mark: str) -> Iterator[int]:
    """Yield where a mark stands without a backslash in front; `mark` is a pattern."""
    for found in re.finditer(rf"\\.|{mark}", text, re.DOTALL):
        if not found[0].startswith("\\"):
            yield found.start()


def find(text: str, mark: str, start: int = 0) -> int:
    """Return where a mark stands first without a backslash in front, -1 if it does not."""
    found = next(marks(text[start:], re.escape(mark)), -1)
    return found if found < 0 else found + start


def split(text: str, mark: str, most: int) -> list[str]:
    """Return a text cut at its first `most` marks that have no backslash in front."""
    cut: list[str] = []
    while len(cut) < most and (at := find(text, mark)) >= 0:
        cut.append(text[:at])
        text = text[at + len(mark) :]
    return [*cut, text]


def parts(inside: str, mark: str) -> list[str]:
    """Return the answers in braces, each with its mark; the first may have none.

    :raises GiftFault: if there are more than a person writes
    """
    starts = sorted({0, *marks(inside, mark)})
    if len(starts) > ANSWERS_LIMIT:
        raise GiftFault(TOO_MANY)
    ends = [*starts[1:], len(inside)]
    found = (inside[start:end].strip() for start, end in zip(starts, ends, strict=True))
    return [part for part in found if part]


_KIND = re.compile(r"\[(html|markdown|moodle|plain)\]")


def kind_of(text: str, default: str) -> str:
    """Return the kind that a text says of itself, such as 'html', or the default."""
    stated = _KIND.match(text)
    return stated[1] if stated else default


def text_html(text: str, kind: str) -> str:
    """Return a text as HTML; `kind` holds where it does not say one itself."""
    text = text.strip()
    stated = _KIND.match(text)
    if stated:
        kind, text = stated[1], text[stated.end() :]
    return AS_HTML[kind](unescaped(text).strip())


def markdown(text: str, kind: str) -> str:
    """Return a text as Markdown; the rest is as in `text_html`."""
    return to_markdown(text_html(text, kind), kept_images(lambda _address: ""))


def unescaped(text: str) -> str:
    """Return a text without the backslashes of `escaped`; others stay, as Moodle keeps them."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


def tag_text(text: str) -> str:
    """Return what a comment's tag or id says: only the bracket has a backslash there."""
    return re.sub(r"\\(.)", r"\1", text).strip()
