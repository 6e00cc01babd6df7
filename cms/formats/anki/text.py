"""The text that Anki exports ('Notes in Plain Text'), and files made like it.

Lines at the top that begin with '#' say how to read the rest: `#separator:tab`,
`#html:true`, `#guid column:1`, `#notetype column:2`, `#deck column:3`, `#tags column:6`,
`#columns:…`, and, for all rows, `#notetype:…`, `#deck:…` and `#tags:…`
(https://docs.ankiweb.net/importing/text-files.html). Rows are quoted like CSV.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from cms.errors import UnreadableFile
from cms.formats.anki.notetype import FIELDS, NAME
from cms.formats.anki.package import FoundNote, Notetype
from cms.formats.encoding import decode, opening
from cms.formats.incoming import Reading, Row, Upload

if TYPE_CHECKING:
    from cms.formats.anki.notes import NoteReader

SEPARATORS = {
    "tab": "\t",
    "comma": ",",
    "semicolon": ";",
    "colon": ":",
    "pipe": "|",
    "space": " ",
}
_HEADER = re.compile(
    r"#(?P<key>separator|html|columns|tags|notetype|deck|if matches|"
    r"(?:guid|notetype|deck|tags) column):(?P<value>[^\n]*+)\n?",
    re.IGNORECASE,
)
# A header that no other kind of text begins with.
_CERTAIN = re.compile(r"#(?:separator|html|(?:guid|notetype|deck|tags) column):", re.IGNORECASE)
_CLOZE = re.compile(r"\{\{c\d{1,4}::")


@dataclass(frozen=True, slots=True)
class _Head:
    """What the lines at the top say. `columns` gives the place, from 0, of what is no field."""

    separator: str = "\t"
    html: bool = False
    columns: dict[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    of_all: dict[str, str] = field(default_factory=dict)
    lines: int = 0


def detect(upload: Upload) -> bool:
    """Whether a text begins with a header of Anki's."""
    return bool(_CERTAIN.match(opening(upload)))


def read(upload: Upload) -> Reading:
    """Read notes; a file without any header is taken as two or more columns between tabs.

    :raises UnreadableFile: when it is no text, or a header says what cannot be
    """
    from cms.formats.anki.notes import NoteReader

    text = decode(upload).replace("\r\n", "\n").replace("\r", "\n")
    head, rest = _head(upload, text)
    if not head.lines and not _is_table(rest):
        raise UnreadableFile(
            upload.name,
            "Neither a header of Anki's nor columns between tabs are here. Export "
            "'Notes in Plain Text' in Anki, with 'Include HTML and media references'.",
            place="line 1",
        )
    reading = Reading(rows=())
    source = upload.name.removesuffix(".txt").removesuffix(".anki") or upload.name
    reader = NoteReader(source, lambda _name: None, reading)
    reading.rows = _rows(reader, head, rest)
    return reading


def _head(upload: Upload, text: str) -> tuple[_Head, str]:
    said: dict[str, str] = {}
    lines = position = 0
    while found := _HEADER.match(text, position):
        said[found["key"].lower()] = found["value"].strip()
        position, lines = found.end(), lines + 1
    name = said.get("separator", "tab")
    separator = SEPARATORS.get(name.lower(), name)
    if len(separator) != 1:
        raise UnreadableFile(
            upload.name,
            f"'{name[:40]}' is no separator. Write one of {', '.join(SEPARATORS)}.",
            place="#separator",
        )
    columns = {}
    for key in ("guid", "notetype", "deck", "tags"):
        value = said.get(f"{key} column", "")
        if value and not (value.isdecimal() and 0 < int(value[:9]) < 1_000):
            raise UnreadableFile(
                upload.name,
                f"'{value[:40]}' is no column's number. Count them from 1.",
                place=f"#{key} column",
            )
        if value:
            columns[key] = int(value) - 1
    names = tuple(said["columns"].split(separator)) if said.get("columns") else ()
    of_all = {key: said[key] for key in ("notetype", "deck", "tags") if said.get(key)}
    html = said.get("html", "").lower() == "true"
    return _Head(separator, html, columns, names, of_all, lines), text[position:]


def _is_table(text: str) -> bool:
    """Whether the first lines all have the same number of tabs, at least one."""
    counts = {line.count("\t") for line in text.split("\n", 20)[:20] if line.strip()}
    return len(counts) == 1 and counts != {0}


def _rows(reader: NoteReader, head: _Head, text: str) -> Iterator[Row]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=head.separator, strict=False)
    yield from reader.rows(_notes(head, rows))


def _notes(head: _Head, rows: Iterator[list[str]]) -> Iterator[FoundNote]:
    special = set(head.columns.values())
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue

        def cell(key: str, cells: list[str] = cells) -> str:
            place = head.columns.get(key)
            stated = cells[place] if place is not None and place < len(cells) else ""
            return stated or head.of_all.get(key, "")

        places = [place for place in range(len(cells)) if place not in special]
        values = [cells[place] if head.html else escape(cells[place]) for place in places]
        notetype = cell("notetype")
        yield FoundNote(
            guid=cell("guid"),
            notetype=Notetype(
                notetype,
                (),
                # A text does not say what its notetypes are; only a cloze has deletions.
                is_cloze=bool(values) and bool(_CLOZE.search(values[0])),
            ),
            fields=dict(zip(_names(head, notetype, places), values, strict=True)),
            tags=tuple(cell("tags").split()),
            deck=tuple(cell("deck").split("::")),
        )


def _names(head: _Head, notetype: str, places: list[int]) -> list[str]:
    """Return what the fields of a row are called; of our own notetype that is known."""
    if notetype == NAME and len(places) >= len(FIELDS):
        own = list(FIELDS)
        return [own[n] if n < len(own) else f"Field {n + 1}" for n in range(len(places))]
    names: list[str] = []
    for number, place in enumerate(places, start=1):
        name = head.names[place].strip() if place < len(head.names) else ""
        names.append(name if name and name not in names else f"Field {number}")
    return names
