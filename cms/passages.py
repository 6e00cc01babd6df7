"""A quoted passage: where it stands in a text, and marking it on the page made of that text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from itertools import groupby

from cms.markup import plain_text

# What the sanitizer writes: tags whose attributes stand in double quotes, references, text.
_PIECES = re.compile(r'(<[^<>"]*+(?:"[^"]*+"[^<>"]*+)*+>)|&#?\w+;|[^<&]+|.', re.DOTALL)
_INLINE = re.compile(r"</?(?:a|code|em|s|span|strong)\b")


def find(text: str, passage: str, *, exact: bool = False) -> list[tuple[int, int]]:
    """Return where `passage` stands in `text`: pairs of start and end, which do not overlap.

    It is looked for letter by letter, and unless `exact`, where that finds
    nothing, with any white space for any other: lines may break elsewhere.
    """
    words = passage.split()
    if not words:
        return []
    found = [match.span() for match in re.finditer(re.escape(passage), text)]
    if not found and not exact:
        folded = r"\s++".join(map(re.escape, words))
        found = [match.span() for match in re.finditer(folded, text)]
    return found


@dataclass(frozen=True, slots=True)
class Mark:
    """A passage to mark, in Markdown or code; `target` is the id that the mark links to."""

    passage: str
    target: str
    title: str
    exact: bool = False


def mark(html: str, marks: Sequence[Mark]) -> str:
    """Return sanitized HTML with passages marked wherever their words are seen.

    Only text is wrapped, never a tag: a passage that runs through several
    elements gets a mark in each. Where two passages overlap the first one has
    the words. What is not seen as the passage says it stays as it was.
    """
    pieces = [(each[0], _seen(each)) for each in _PIECES.finditer(html)]
    seen = "".join(text for _, text in pieces)
    owners = [0] * len(seen)
    for number, each in enumerate(marks, start=1):
        for start, end in _found(seen, each):
            owners[start:end] = [owner or number for owner in owners[start:end]]
    if not any(owners):
        return html
    return "".join(_marked(pieces, owners, marks))


def _seen(piece: re.Match[str]) -> str:
    """Return what a reader sees of a piece: the edge of a block parts words as a space does."""
    if piece[1] is None:
        return unescape(piece[0])
    return "" if _INLINE.match(piece[0]) else " "


def _found(seen: str, sought: Mark) -> list[tuple[int, int]]:
    """Look for a passage as it is written (code), as it is read, and as the cells of a row."""
    written = sought.passage
    for words in (written, plain_text(written), written.replace("|", " ")):
        if places := find(seen, words, exact=sought.exact):
            return places
    return []


def _marked(
    pieces: Sequence[tuple[str, str]], owners: Sequence[int], marks: Sequence[Mark]
) -> Iterator[str]:
    position, links, reached = 0, 0, set[int]()
    for raw, text in pieces:
        here, position = owners[position : position + len(text)], position + len(text)
        if raw.startswith("<") and len(raw) > 1:
            links += raw.startswith("<a ") - raw.startswith("</a>")
            yield raw
            continue
        if raw != text:
            # A reference, such as '&lt;', is one character and stays whole.
            yield _wrapped(raw, here[0], links, reached, marks)
            continue
        offset = 0
        for owner, run in groupby(here):
            length = len(list(run))
            yield _wrapped(text[offset : offset + length], owner, links, reached, marks)
            offset += length


def _wrapped(raw: str, owner: int, links: int, reached: set[int], marks: Sequence[Mark]) -> str:
    """Return text in its mark; a link stands in no other link, and Tab stops at the first."""
    # White space between blocks may not hold an element, and needs none elsewhere.
    if not owner or raw.isspace():
        return raw
    if links:
        return f"<mark>{raw}</mark>"
    sought = marks[owner - 1]
    skipped = ' tabindex="-1"' if owner in reached else ""
    reached.add(owner)
    title, target = escape(sought.title), escape(sought.target)
    return f'<mark><a href="#{target}" title="{title}"{skipped}>{raw}</a></mark>'
