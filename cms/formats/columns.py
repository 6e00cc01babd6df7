"""The columns of a table that somebody else made, and what they mean.

What a column means is said by a mapping of its name, or of its number from 1,
to a meaning. `mapping_guess` tells what columns probably mean, by usual names
in several languages and by what stands in them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from cms.errors import InvalidInput, UnreadableFile
from cms.formats.encoding import opening, utf8
from cms.formats.incoming import Upload
from cms.text import normalize_line

if TYPE_CHECKING:
    from _csv import Reader


class Meaning(StrEnum):
    """What a column holds; the values are the words of a mapping."""

    stem = "stem"
    answer = "answer"
    context = "context"
    difficulty = "difficulty"
    tags = "tags"
    tag = "tag"
    sources = "sources"
    external_id = "external_id"
    uid = "uid"
    slug = "slug"
    ignore = "ignore"


# Each meaning in words.
MEANINGS: dict[Meaning, str] = {
    Meaning.stem: "the question",
    Meaning.answer: "the answer (Markdown)",
    Meaning.context: "its context (Markdown)",
    Meaning.difficulty: "the difficulty",
    Meaning.tags: "tags, with commas or semicolons between them",
    Meaning.tag: "one tag",
    Meaning.sources: "addresses of sources, one on each line",
    Meaning.external_id: "the number or name by which the file knows it",
    Meaning.uid: "the uid in this bank",
    Meaning.slug: "the slug in this bank",
    Meaning.ignore: "is left out",
}
# Those that any number of columns may have.
REPEATABLE = frozenset({Meaning.tag, Meaning.tags, Meaning.ignore})

# Usual names of columns; compared without case, space and punctuation.
_NAMES: dict[Meaning, str] = {
    Meaning.stem: "stem question questions questiontext front term prompt title name frage fragen "
    "vorderseite begriff pregunta anverso término termino pergunta frente domanda fronte recto "
    "intitulé vraag вопрос 問題 问题 质问 質問",
    Meaning.answer: "answer answers answertext back definition response solution modelanswer "
    "antwort antworten rückseite lösung erklärung respuesta reverso definición solución resposta "
    "verso definição risposta retro definizione réponse définition antwoord ответ 答え 答案 回答",
    Meaning.context: "context details code snippet kontext contexto contexte contesto",
    Meaning.difficulty: "difficulty level schwierigkeit schwierigkeitsgrad stufe dificultad "
    "dificuldade nivel nível difficulté niveau difficoltà livello",
    Meaning.tags: "tags labels keywords schlagworte schlagwörter stichworte etiquetas "
    "palabrasclave étiquettes etichette",
    Meaning.tag: "tag category topic subject section chapter deck kategorie thema kapitel fach "
    "categoría categoria tema catégorie sujet argomento",
    Meaning.sources: "source sources url link reference references quelle quellen fuente fuentes "
    "fonte fontes enlace lien",
    Meaning.external_id: "id nr no number identifier externalid questionid nummer número numero "
    "guid",
    Meaning.uid: "uid",
    Meaning.slug: "slug",
}
_MEANING_OF = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}

_SEPARATORS = ("\t", ";", ",")
_SAMPLE = 65_536  # characters of a file that are looked at
_SAMPLE_ROWS = 50
_SHOWN_ROWS = 3
_SHOWN_CELL = 200  # characters of a cell that is shown
_COLUMNS_LIMIT = 200
_FEWEST_ROWS = 2
_LONGEST_NAME = 60
# How other formats of text begin that have separators in them.
_BEGINNINGS = re.compile(r"\s*(?:[\[{<#]|---|//|::|\$CATEGORY)")
_TABULAR = (".csv", ".tsv", ".tab")
_QUOTED_CELL = re.compile(rb'(?:^|\t)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the `key` that a mapping has for it, its name ('' without one), some values."""

    key: str
    name: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """What a table looks like; `has_header` tells whether its first row seems to be names."""

    separator: str
    has_header: bool
    columns: tuple[Column, ...]


# --- recognizing ------------------------------------------------------------------


def looks_like_table(upload: Upload) -> bool:
    """Whether a file is a table by names of its columns, by its tabs, or by its own name."""
    text = opening(upload, _SAMPLE)
    if "\0" in text or _BEGINNINGS.match(text):
        return False
    found = _sniffed(text)
    if found is None:
        return False
    separator, rows = found
    meanings = [meaning_of(cell) for cell in rows[0]]
    if Meaning.stem in meanings and len(set(meanings)) > 1:
        return True
    even = len({len(row) for row in rows}) == 1
    if upload.name.lower().endswith(_TABULAR):
        return even or len(rows) > _FEWEST_ROWS
    if separator == "\t":
        return even and len(rows) >= _FEWEST_ROWS
    # Commas stand in prose, too: here a column has to ask below a row of names.
    return even and len(rows) > _FEWEST_ROWS and _seems_header(rows) and _asks(rows[1:])


def _sniffed(text: str) -> tuple[str, list[list[str]]] | None:
    """Return the separator and the first rows of a text that looks like a table."""
    best: tuple[str, list[list[str]]] | None = None
    most = 0.0
    for separator in _SEPARATORS:
        rows = _first_rows(text, separator)
        if not rows or not 1 < len(rows[0]) <= _COLUMNS_LIMIT:
            continue
        even = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if even > max(most, 0.5):
            most, best = even, (separator, rows)
    return best


def _first_rows(text: str, separator: str) -> list[list[str]]:
    """Return the first rows that are not empty; the last one may be cut, so it is left out."""
    lines = io.StringIO(text, newline="")
    rows: list[list[str]] = []
    quoted = separator != "\t" or _has_quoted_cells(text.encode(), whole=False)
    reader = _reader(lines, separator, quoted=quoted)
    try:
        for row in reader:
            if any(row):
                rows.append(row)
            if len(rows) > _SAMPLE_ROWS:
                break
    except csv.Error:
        if len(text) < _SAMPLE - 4:
            return []
    if len(text) >= _SAMPLE - 4 and len(rows) > 1:
        rows.pop()
    return rows


def _has_quoted_cells(data: bytes, *, whole: bool) -> bool:
    """Whether quotes of a file with tabs hold cells together, as spreadsheets write them.

    Learning programs write cells without any quoting: there a quote is a
    character like others. A file that breaks the rules of quoting is theirs.
    """
    if not _QUOTED_CELL.search(data):
        return False
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    try:
        for _ in csv.reader(lines, delimiter="\t", strict=True):
            pass
    except csv.Error as error:
        return not whole and "unexpected end of data" in str(error)
    return True


# --- columns and what they mean -----------------------------------------------------


def columns_of(upload: Upload, *, header: bool | None = None) -> Columns:
    """Return the columns of a table, each with its first values.

    `header` says whether the first row has names, None to have it guessed.

    :raises UnreadableFile: if the file is no text, or no table
    """
    utf8(upload)
    found = _sniffed(opening(upload, _SAMPLE))
    if found is None:
        raise UnreadableFile(
            upload.name,
            "This is no table: its first rows have not the same number of cells, with tab, "
            "semicolon or comma between them. Save it as CSV or TSV from the program that made it.",
            place="line 1",
        )
    separator, rows = found
    width = len(rows[0])
    if header is None:
        header = _seems_header(rows)
    names = [normalize_line(cell) for cell in rows[0]] if header else [""] * width
    shown = [row for row in rows[header:] if len(row) == width][:_SHOWN_ROWS]
    columns = tuple(
        Column(
            key=_key(names, index),
            name=names[index][:_LONGEST_NAME],
            samples=tuple(normalize_line(row[index])[:_SHOWN_CELL] for row in shown),
        )
        for index in range(width)
    )
    return Columns(separator, header, columns)


def _key(names: Sequence[str], index: int) -> str:
    """Return a column's name if that is one, not too long and no other's; else its number."""
    name = names[index]
    usable = 0 < len(name) <= _LONGEST_NAME and not name.isdecimal() and not set(name) & set("=,")
    return name if usable and names.count(name) == 1 else str(index + 1)


def _seems_header(rows: Sequence[Sequence[str]]) -> bool:
    first, rest = rows[0], rows[1:]
    if any(meaning_of(cell) in {Meaning.stem, Meaning.answer} for cell in first):
        return True
    cells = [normalize_line(cell) for cell in first]
    plain = all(0 < len(cell) <= 30 and not cell.endswith("?") for cell in cells)
    asked = any(cell.rstrip().endswith("?") for row in rest for cell in row)
    return plain and asked and len(set(cells)) == len(cells)


def _asks(rows: Sequence[Sequence[str]]) -> bool:
    """Whether most cells of one column end with a question mark."""
    asked = (
        sum(cell.rstrip().endswith("?") for cell in column) for column in zip(*rows, strict=True)
    )
    return 2 * max(asked, default=0) > len(rows)


def meaning_of(name: str) -> Meaning | None:
    """Return what a column or property of a usual name holds; None for other names."""
    return _MEANING_OF.get(re.sub(r"[\W_]+", "", name[:100].casefold()))


def mapping_guess(columns: Columns) -> dict[str, Meaning]:
    """Return what the columns probably mean, by their keys; `ignore` where nothing tells."""
    found = {column.key: Meaning.ignore for column in columns.columns}
    used: set[Meaning] = set()
    for column in columns.columns:
        meaning = meaning_of(column.name)
        if meaning is not None and (meaning not in used or meaning in REPEATABLE):
            found[column.key] = meaning
            used.add(meaning)
    for meaning in (Meaning.stem, Meaning.answer):
        rest = [each for each in columns.columns if found[each.key] == Meaning.ignore]
        if meaning not in used and rest:
            # Without any names the first column asks and the second answers.
            by_shape = _asking(rest) if meaning == Meaning.stem else _longest(rest)
            found[(by_shape if columns.has_header else rest[0]).key] = meaning
    return found


def _asking(columns: Sequence[Column]) -> Column:
    """Return the column with the most question marks, the first of equals."""
    return max(columns, key=lambda each: sum(text.endswith("?") for text in each.samples))


def _longest(columns: Sequence[Column]) -> Column:
    return max(columns, key=lambda each: sum(map(len, each.samples)))


def is_certain(columns: Columns, guess: Mapping[str, Meaning]) -> bool:
    """Whether names alone, not the shape, told the question and the answer of a guess."""
    told = {meaning_of(column.name) for column in columns.columns}
    return columns.has_header and {Meaning.stem, Meaning.answer} <= told & set(guess.values())


def mapping_of(words: str) -> dict[str, Meaning]:
    """Return the mapping that words such as 'Frage=stem,Antwort=answer' say.

    :raises InvalidInput: if they say none
    """
    mapping: dict[str, Meaning] = {}
    for pair in filter(str.strip, words.split(",")):
        key, equals, meaning = (part.strip() for part in pair.rpartition("="))
        if not equals or not key or meaning not in list(Meaning):
            raise InvalidInput(
                f"'{pair.strip()[:100]}' does not say what a column means. Write its name or its "
                f"number, '=' and one of {', '.join(Meaning)}, as in Frage=stem,Antwort=answer "
                "or 1=stem,2=answer.",
                field="columns",
            )
        mapping[key] = Meaning(meaning)
    return mapping


def words_of(mapping: Mapping[str, Meaning]) -> str:
    """Return a mapping as `mapping_of` reads it."""
    return ",".join(f"{key}={meaning}" for key, meaning in mapping.items())


# --- rows ---------------------------------------------------------------------------


def reader_of(data: bytes, separator: str) -> Reader:
    """Return a reader of a whole table, UTF-8, that decodes it piece by piece."""
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    quoted = separator != "\t" or _has_quoted_cells(data, whole=True)
    return _reader(lines, separator, quoted=quoted)


def _reader(lines: Iterable[str], separator: str, *, quoted: bool) -> Reader:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=separator, strict=True, quoting=quoting)
