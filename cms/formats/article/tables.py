"""Tables that lost their lines: columns kept apart by spaces, or cells as paragraphs.

A table is rebuilt only where its structure is certain; everything else stays
as the lines that it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cms.formats.article.inline import inline
from cms.text import match_key

Table = list[list[str]]

_COLUMNS = re.compile(r"\t[ \t]*|[ ]{2,}")
_KEY_AND_TEXT = re.compile(
    r"(?P<key>[A-Z][A-Z0-9_-]++|\d++|[a-z][^\W_]*+_\w++|[\w.]++\(\))\s++(?P<text>[A-Z“\"‘'].*)"
)
# A header's cell is a short name: data in the first line would make a wrong header.
_HEADER = re.compile(r"[A-Z](?:[\w()/&%#-]*+ ){0,4}[\w()/&%#-]*+")
_CELL_WORDS = 25
FEWEST_CELLS = 6

_SUBJECTS = (
    re.compile(
        r"\b(?:difference|differences|distinction|comparison)\s++between\s++(?P<a>.+?)\s++and\s++(?P<b>.+)",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<a>.+?)\s++(?:vs\.?|versus|differ from|different from)\s++(?P<b>.+)", re.I),
    re.compile(r"\bcompare\s++(?P<a>.+?)\s++(?:and|with|to)\s++(?P<b>.+)", re.IGNORECASE),
    re.compile(r"\bdistinguish(?:es)?\s++(?P<a>.+?)\s++from\s++(?P<b>.+)", re.IGNORECASE),
)
_LEADING = re.compile(r"^(?:(?:how|do|does|is|are|what|explain|a|an|the)\s++)++", re.IGNORECASE)
_AFTER_SUBJECT = re.compile(r"[?,.;]|\s(?:in|for|with)\s")


def spaced_table(lines: Sequence[str]) -> Table | None:
    """Return the rows (header first) of lines whose columns are kept apart by spaces or tabs.

    Certain are: as many columns in every line as in the header; or two
    columns, where every line begins with a key such as 'GET' and a sentence
    follows it.
    """
    if len(lines) < 3:
        return None
    rows = [_COLUMNS.split(line.strip()) for line in lines]
    header = rows[0]
    if len(header) < 2 or not all(_HEADER.fullmatch(cell) for cell in header):
        return None
    if all(len(row) == len(header) for row in rows):
        return rows
    if len(header) != 2:
        return None
    keyed = [_KEY_AND_TEXT.fullmatch(" ".join(row)) for row in rows[1:]]
    if not all(keyed):
        return None
    return [header, *([found["key"], found["text"]] for found in keyed if found)]


def subjects(title: str) -> tuple[str, str] | None:
    """Return the two things that a question compares, None if it compares nothing."""
    for pattern in _SUBJECTS:
        found = pattern.search(title[:300])
        if found:
            first = _LEADING.sub("", found["a"].strip())
            second = _LEADING.sub("", _AFTER_SUBJECT.split(found["b"], maxsplit=1)[0].strip())
            return (first, second) if first and second else None
    return None


def is_cell(text: str) -> bool:
    """Whether a paragraph is short enough to have been a cell, and announces nothing."""
    return len(text.split()) <= _CELL_WORDS and not text.endswith(":")


def alternating_table(title: str, cells: Sequence[str]) -> Table | None:
    """Return the rows of a comparison whose cells became paragraphs, row by row.

    The title names what is compared. Certain is a header that names both; or
    paragraphs that name just one of them, all of the first at even places and
    all of the second at odd ones, some of each.
    """
    compared = subjects(title)
    if compared is None or len(cells) < FEWEST_CELLS:
        return None
    names = [match_key(name) for name in compared]
    keys = [match_key(cell) for cell in cells]
    if keys[:2] == names and len(cells) % 2 == 0:
        return _in_rows(cells, 2)
    if keys[1:3] == names and len(cells) % 3 == 0:
        return _in_rows(cells, 3)
    if len(cells) % 2:
        return None
    places: tuple[set[int], set[int]] = (set(), set())
    for index, key in enumerate(keys):
        named = [_names(key, name) for name in names]
        if named.count(True) == 1:
            places[named.index(True)].add(index % 2)
    if places != ({0}, {1}):
        return None
    return [list(compared), *_in_rows(cells, 2)]


def render(table: Table, *, markup: bool) -> str:
    """Return the table in GitHub's Markdown; its first row is the header."""
    lines = [
        "| " + " | ".join(inline(cell, markup=markup).replace("|", "\\|") for cell in row) + " |"
        for row in table
    ]
    return "\n".join([lines[0], "|" + " --- |" * len(table[0]), *lines[1:]])


def _names(key: str, name: str) -> bool:
    return f" {name} " in f" {key} "


def _in_rows(cells: Sequence[str], width: int) -> Table:
    return [list(cells[start : start + width]) for start in range(0, len(cells), width)]
