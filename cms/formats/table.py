"""A table of somebody else's: CSV or TSV whose columns have other names than ours, or none.

`read_mapped` reads it by a mapping of its columns to what they mean; one by
numbers alone is that of a file without a header. `read` goes by the names of the
columns, where those tell.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cms.errors import InvalidInput, UnreadableFile
from cms.formats import csv as ours
from cms.formats.checks import Gate
from cms.formats.columns import (
    MEANINGS,
    REPEATABLE,
    Columns,
    Meaning,
    columns_of,
    is_certain,
    looks_like_table,
    mapping_guess,
    reader_of,
    words_of,
)
from cms.formats.encoding import utf8
from cms.formats.format import Format
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import LINE_LIMIT, AnswerItem, Item, ProvenanceItem, SourceItem
from cms.formats.labels import difficulty_named, tag_path
from cms.text import normalize_line

_SPLIT = re.compile(r"[;,\n]")
# What a table says of a question, if it has a column for it; an update leaves the rest alone.
_SAID: dict[Meaning, tuple[str, ...]] = {
    Meaning.answer: ("answers", "answers[0].body"),
    Meaning.context: ("context",),
    Meaning.difficulty: ("difficulty",),
    Meaning.tags: ("tags",),
    Meaning.tag: ("tags",),
    Meaning.sources: ("answers[0].sources",),
    Meaning.slug: ("slug",),
}
DROPS = (ours.DROPS | {"options", "answers[1:]"}) - {"provenance"}


def detect(upload: Upload) -> bool:
    """Whether a file is a table, and not one of ours."""
    return not ours.detect(upload) and looks_like_table(upload)


def read(upload: Upload) -> Reading:
    """Read a table whose columns have telling names.

    :raises UnreadableFile: if it has none; it says how to name what they mean
    """
    columns = columns_of(upload)
    guess = mapping_guess(columns)
    if not is_certain(columns, guess):
        shown = ", ".join(column.name or column.key for column in columns.columns[:10])
        raise UnreadableFile(
            upload.name,
            f"Its columns ({shown}) do not tell which holds the questions and which the answers. "
            f"Say what they mean, such as {words_of(guess)} (one of {', '.join(Meaning)} each).",
            place="line 1",
        )
    return read_mapped(upload, guess)


def read_mapped(
    upload: Upload, mapping: Mapping[str, str], *, header: bool | None = None
) -> Reading:
    """Read a table by what its columns mean; those that are not mapped are left out.

    A key of `mapping` is a column's name, or its number from 1. `header` tells
    whether the first row has names; None means that it has if a key is one.

    :raises UnreadableFile: if the file is no table
    :raises InvalidInput: if the mapping does not fit it, or names no question
    """
    meanings = {key.strip(): Meaning(meaning) for key, meaning in mapping.items()}
    if header is None:
        header = not all(key.isdecimal() for key in meanings)
    columns = columns_of(upload, header=header)
    by_position = _by_position(columns, meanings)
    reading = Reading(rows=())
    kept = [
        f"‘{column.name or 'column ' + column.key}’ as {MEANINGS[meaning]}"
        for column, meaning in zip(columns.columns, by_position, strict=True)
        if meaning != Meaning.ignore
    ]
    out = [
        column.name or f"column {column.key}"
        for column, meaning in zip(columns.columns, by_position, strict=True)
        if meaning == Meaning.ignore
    ]
    reading.notes.append(f"Columns were read so: {'; '.join(kept)}.")
    if out:
        reading.notes.append(f"Left out, as no meaning was given to it: {', '.join(out)}.")
    source = re.sub(r"\.(?:csv|tsv|tab|txt)$", "", upload.name, flags=re.IGNORECASE)
    table = _Table(by_position, columns, source[:LINE_LIMIT], reading.notes)
    reading.rows = table.rows(utf8(upload), header=header)
    return reading


def mapped(mapping: Mapping[str, str], *, header: bool | None = None) -> Format:
    """Return the format that reads tables by one mapping, as `read_mapped` does."""
    return replace(TABLE, read=lambda upload: read_mapped(upload, mapping, header=header))


def _by_position(columns: Columns, mapping: Mapping[str, Meaning]) -> list[Meaning]:
    """Return the meaning of each column.

    :raises InvalidInput: if a key is no column, or the question or something else is not clear
    """
    names = [column.name.casefold() for column in columns.columns]
    meanings = [Meaning.ignore] * len(names)
    for key, meaning in mapping.items():
        if key.casefold() in names:
            index = names.index(key.casefold())
        elif key.isdecimal() and len(key) < 4 and 0 < int(key) <= len(names):
            index = int(key) - 1
        else:
            shown = ", ".join(column.name or column.key for column in columns.columns)
            raise InvalidInput(
                f"The table has no column '{key[:100]}'. It has: {shown}. "
                "A column can be named by its number, too, from 1.",
                field="columns",
            )
        meanings[index] = meaning
    counted = Counter(meanings)
    for meaning, number in counted.items():
        if number > 1 and meaning not in REPEATABLE:
            raise InvalidInput(
                f"{number} columns are said to hold {MEANINGS[meaning]}. Choose one.",
                field="columns",
            )
    if not counted[Meaning.stem]:
        raise InvalidInput(
            "No column is said to hold the question. Give one the meaning 'stem'.", field="columns"
        )
    return meanings


class _Table:
    """The state of one reading: what the rows left out so far."""

    def __init__(
        self, meanings: Sequence[Meaning], columns: Columns, source: str, notes: list[str]
    ) -> None:
        self._meanings = meanings
        self._names = [column.name or f"column {column.key}" for column in columns.columns]
        self._separator = columns.separator
        self._source = source
        self._notes = notes
        self._unknown_levels: Counter[str] = Counter()
        said = {field for meaning in meanings for field in _SAID.get(meaning, ())}
        every = {field for fields in _SAID.values() for field in fields}
        if Meaning.sources in meanings:
            said.add("answers")
        self._drops = DROPS | (every - said)

    def rows(self, data: bytes, *, header: bool) -> Iterator[Row]:
        gate = Gate(self._where)
        reader = reader_of(data, self._separator)
        waits = header
        while True:
            place = f"line {reader.line_num + 1}"
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                yield Row(place, error=f"The quotes do not match here ({error}). {_QUOTING}")
                continue
            if not any(cells):
                continue
            if waits:
                waits = False
                continue
            yield self._row(gate, place, cells)
        for level, number in self._unknown_levels.most_common(5):
            rows = "1 row" if number == 1 else f"{number:,} rows"
            self._notes.append(
                f"The difficulty ‘{level}’ of {rows} is none that is known here (easy, medium, "
                "hard): those have none."
            )

    def _row(self, gate: Gate, place: str, cells: list[str]) -> Row:
        if len(cells) != len(self._meanings):
            return Row(
                place,
                error=f"The row has {len(cells)} cells, the first one {len(self._meanings)}. "
                + _QUOTING,
            )
        for name, cell in zip(self._names, cells, strict=True):
            if ours.is_cut(cell):
                return Row(
                    f"{place}, {name}",
                    error=f"truncated: the cell has {len(cell):,} characters, exactly where "
                    "spreadsheets cut. Take this text from where it came from.",
                    truncated=True,
                )
        item = self._item(cells)
        drops = self._drops if item.slug else self._drops | {"slug"}
        return gate.row(place, item, drops=drops - {"answers[0].body"} if item.answers else drops)

    def _item(self, cells: list[str]) -> Item:
        item = Item(stem="")
        answer = AnswerItem()
        for meaning, cell in zip(self._meanings, cells, strict=True):
            text = ours.original(cell)
            short = normalize_line(text)
            match meaning:
                case Meaning.stem:
                    item.stem = text
                case Meaning.answer:
                    answer.body = text
                case Meaning.context:
                    item.context = text
                case Meaning.sources:
                    answer.sources = [SourceItem(url=url) for url in text.split()]
                case Meaning.uid:
                    item.uid = short or None
                case Meaning.slug:
                    item.slug = short or None
                case Meaning.external_id:
                    item.provenance = (
                        ProvenanceItem(source=self._source, external_id=short) if short else None
                    )
                case Meaning.difficulty:
                    item.difficulty = difficulty_named(short) if short else None
                    if short and item.difficulty is None:
                        self._count_level(short[:40])
                case Meaning.tag:
                    item.tags += filter(None, [tag_path(*short.split("/"))])
                case Meaning.tags:
                    parts = (part.split("/") for part in _SPLIT.split(text))
                    item.tags += filter(None, (tag_path(*part) for part in parts))
                case Meaning.ignore:
                    pass
        # A source without an answer would make one that is empty.
        item.answers = [answer] if answer.body.strip() else []
        return item

    def _count_level(self, level: str) -> None:
        if level in self._unknown_levels or len(self._unknown_levels) < 1_000:
            self._unknown_levels[level] += 1

    def _where(self, place: str, path: str) -> str:
        """Return the cell that a path of the Item stands in, by the name that the file has."""
        field = "answer" if path.startswith("answers[0].body") else path.partition("[")[0]
        if path.startswith("answers[0].sources"):
            field = "sources"
        if path == "provenance.external_id":
            field = "external_id"
        for name, meaning in zip(self._names, self._meanings, strict=True):
            if meaning == field:
                return f"{place}, {name}"
        return f"{place}, {field}"


_QUOTING = (
    "A cell with a separator or a line break in it has to stand in quotes, "
    "and each quote in it is doubled."
)

TABLE = Format(
    name="table",
    title="Table (CSV or TSV with columns of any name, read-only)",
    extension="table",
    media_type="text/csv",
    detect=detect,
    read=read,
    drops=DROPS,
    holds="questions, answers, tags, difficulty and sources of tables that others made",
    checked_with="tables of LibreOffice and learning programs",
)
