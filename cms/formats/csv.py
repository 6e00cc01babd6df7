"""CSV: one row per question, for spreadsheets (RFC 4180, UTF-8, CRLF, header row).

A text that a spreadsheet would run as a formula gets an apostrophe in front,
and reading takes it away again. In a file that somebody else made, a text that
really begins so ('=…) loses that apostrophe. What spreadsheets do to plain text
is beyond a format: unless told that quoted cells are text they turn 007 into 7
and 1e5 into 100000, and LibreOffice drops tabs from what it keeps as ODS.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, Struct

from cms.errors import UnreadableFile
from cms.formats.checks import Gate
from cms.formats.encoding import opening, utf8
from cms.formats.format import BANK_FACTS, QUESTION_FACTS, Format, Purpose
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import AnswerItem, Item, Line, OptionItem, SourceItem, Uid
from cms.formats.outgoing import Export, gathered
from cms.formats.strict_json import JSONFault, convert, loads
from cms.text import normalize_line
from cms.vocabulary import Difficulty, Status

# Each column, and what an update leaves alone where the column is absent.
COLUMNS: dict[str, frozenset[str]] = {
    "uid": frozenset(),
    "revision": frozenset({"revision"}),
    "status": frozenset(),
    "slug": frozenset({"slug"}),
    "stem": frozenset({"stem"}),
    "context": frozenset({"context"}),
    "answer": frozenset({"answers[0].body"}),
    "more_answers": frozenset({"answers[1:]"}),
    "difficulty": frozenset({"difficulty"}),
    "tags": frozenset({"tags"}),
    "sources": frozenset({"answers[0].sources"}),
    "corrections": frozenset(),
    "updated_at": frozenset(),
    "url": frozenset(),
    "options": frozenset({"options"}),
}
# Of the facts, some are written for people: no cell sets a status, and spreadsheets respell times.
DROPS = (
    QUESTION_FACTS
    | BANK_FACTS
    | {
        "assets",
        "answers[0].uid",
        "answers[0].label",
        "answers.applies_to",
        "answers[1:].sources",
        "answers.sources.title",
        "answers.sources.accessed_on",
        "corrections",
        "provenance",
        "content_hash",
    }
)
# The most UTF-16 code units that a spreadsheet keeps in a cell: Excel's workbooks,
# and LibreOffice when it opens a CSV file or keeps it as ODS. Both cut silently.
CELL_LIMITS = (32_767, 65_535)

# Characters of a file in which its header is looked for.
_HEADER_LIMIT = 65_536

# What spreadsheets run or swallow at the start of a cell: formulas, in full-width
# forms too, and tab and CR. A run of apostrophes before it makes it inert.
_LIVE = re.compile(r"'*(?:[\t\r]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")

# The module's own limit of 131,072 characters is less than an answer may have.
csv.field_size_limit(2**31 - 1)


class MoreAnswer(Struct, kw_only=True, forbid_unknown_fields=True):
    """A further answer as the cell `more_answers` holds it."""

    uid: Uid | None = None
    label: Line = ""
    body: str


# --- cells -----------------------------------------------------------------------


def inert(text: str) -> str:
    """Return `text` so that no spreadsheet runs it; `original` is the way back."""
    return "'" + text if _LIVE.match(text) else text


def original(cell: str) -> str:
    """Return what a cell said before `inert`.

    `inert` puts one apostrophe before every text that begins with any number of
    them and then something live, so the first of such a run is never the text's.
    """
    return cell[1:] if cell.startswith("'") and _LIVE.match(cell) else cell


def raw(text: str) -> str:
    """Return `text` as it is, live or not.

    Only a text that begins with an apostrophe before something live gets one
    more, as in `inert`: otherwise reading would take its own.
    """
    return inert(text) if text.startswith("'") else text


def is_cut(cell: str) -> bool:
    """Whether a cell is exactly as long as a spreadsheet keeps one: it was cut there."""
    if len(cell) < min(CELL_LIMITS) // 2:
        return False
    size = len(cell.encode("utf-16-le")) // 2
    # A character of two units that lies across the limit goes as a whole.
    return size in CELL_LIMITS or (size + 1 in CELL_LIMITS and size > len(cell))


def _quoted(cell: str) -> str:
    """Return a cell of text for the file. `csv.writer` takes three times as long."""
    while is_cut(cell):
        cell += " "  # Reading drops the space again; without it the cell would look cut.
    return '"' + cell.replace('"', '""') + '"' if cell else ""


# --- writing ---------------------------------------------------------------------


def write(export: Export) -> Iterator[bytes]:
    """Write a header and a row per question."""
    return gathered(_lines(export))


def _lines(export: Export) -> Iterator[bytes]:
    safe = raw if export.options.get("raw") else inert
    if export.options.get("bom"):
        yield "\ufeff".encode()
    yield ",".join(COLUMNS).encode() + b"\r\n"
    for entry in export.entries:
        item = entry.item
        first = item.answers[0] if item.answers else AnswerItem()
        more = [{"uid": a.uid, "label": a.label, "body": a.body} for a in item.answers[1:]]
        cells = (
            item.uid or "",
            "" if item.revision is None else str(item.revision),
            Status.published if item.status is UNSET else item.status,
            _quoted(safe(item.slug or "")),
            _quoted(safe(item.stem)),
            _quoted(safe(item.context)),
            _quoted(safe(first.body)),
            _quoted(json.dumps(more, ensure_ascii=False)) if more else "",
            item.difficulty or "",
            _quoted(safe(";".join(item.tags))),
            _quoted("\n".join(source.url for source in first.sources)),
            str(len(item.corrections)),
            "" if item.updated_at is None else _rfc3339(item.updated_at),
            _quoted(entry.url),
            _quoted(msgspec.json.encode(item.options).decode()) if item.options else "",
        )
        yield ",".join(cells).encode() + b"\r\n"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


# --- reading ---------------------------------------------------------------------


def detect(upload: Upload) -> bool:
    """Whether the first line has the name of a question's column, and mostly such names."""
    header, _ = _header(opening(upload))
    known = sum(name in COLUMNS for name in header)
    return not {"uid", "stem"}.isdisjoint(header) and 2 * known >= len(header)


def read(upload: Upload) -> Reading:
    """Read rows by the names in the header; `,`, `;` and tab separate.

    :raises UnreadableFile: if the header lacks what identifies a question, or
        has names that mean nothing here.
    """
    data = utf8(upload)
    header, separator = _header(opening(upload, _HEADER_LIMIT))
    problem = _header_problem(header)
    if problem:
        raise UnreadableFile(upload.name, problem, place="line 1")
    return Reading(rows=_rows(data, header, separator))


def _header(text: str) -> tuple[list[str], str]:
    """Return the names in the first row, and the separator that finds most known ones."""
    found = []
    for separator in (",", ";", "\t"):
        try:
            lines = io.StringIO(text, newline="")
            cells = next(csv.reader(lines, delimiter=separator, strict=True), [])
        except csv.Error:
            cells = []
        names = [normalize_line(cell).lower() for cell in cells]
        found.append((sum(name in COLUMNS for name in names), names, separator))
    _, names, separator = max(found, key=lambda each: each[0])
    return names, separator


def _header_problem(header: list[str]) -> str | None:
    names = ", ".join(COLUMNS)
    shown = ", ".join(name[:40] or "(no name)" for name in header[:30]) or "nothing"
    if not header or {"uid", "stem"}.isdisjoint(header):
        return (
            f"The header has neither 'stem' nor 'uid'; found: {shown}; known: {names}. "
            "Name the column of the questions 'stem'."
        )
    unknown = [
        name[:40] or "(no name)"
        for name in header
        if name not in COLUMNS and not name.startswith("x-")
    ]
    if unknown:
        return (
            f"Unknown in the header: {', '.join(unknown[:30])}; known: {names}. Correct or remove "
            "such a column, or let its name begin with 'x-' to have it ignored."
        )
    repeated = sorted(name for name in COLUMNS if header.count(name) > 1)
    if repeated:
        return f"Twice in the header: {', '.join(repeated)}. Remove one of each two."
    return None


def _rows(data: bytes, header: list[str], separator: str) -> Iterator[Row]:
    gate = Gate(_where)
    absent = {drop for name in COLUMNS if name not in header for drop in COLUMNS[name]}
    if absent >= COLUMNS["answer"] | COLUMNS["more_answers"] | COLUMNS["sources"]:
        absent.add("answers")
    # newline="" leaves line ends in cells alone, and lines are counted as editors count them.
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    reader = csv.reader(lines, delimiter=separator, strict=True)
    next(reader)
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(
                place,
                error=f"The quotes do not match here ({error}). A cell with a quote, a separator "
                "or a line break stands in quotes, and each quote in it is doubled.",
            )
            continue
        if not any(cells):
            continue  # Spreadsheets leave empty rows at the end.
        if len(cells) != len(header):
            yield Row(
                place,
                error=f"The row has {len(cells)} cells, the header {len(header)}. A cell with a "
                "separator or a line break in it has to stand in quotes.",
            )
            continue
        row = dict(zip(header, cells, strict=True))
        cut = [name for name in COLUMNS if is_cut(row.get(name, ""))]
        if cut:
            yield Row(
                f"{place}, column {cut[0]}",
                error=f"truncated: the cell has {len(row[cut[0]]):,} characters, exactly where "
                "spreadsheets cut. Edit this text at the desk, or import it as JSON.",
                truncated=True,
            )
            continue
        try:
            item = _item(row)
        except JSONFault as fault:
            yield Row(f"{place}, column {fault.place}", error=fault.problem)
            continue
        # A new question has nothing that could be left alone, and no slug can be cleared.
        drops = DROPS if item.uid is None else DROPS | absent
        yield gate.row(place, item, drops=drops if item.slug else drops | {"slug"})


def _item(row: dict[str, str]) -> Item:
    """Return what a row says.

    :raises JSONFault: with a column's name as its place.
    """
    cells = {name: original(cell) for name, cell in row.items() if name in COLUMNS}
    short = dict.fromkeys(COLUMNS, "") | {name: cell.strip() for name, cell in cells.items()}
    if not short["uid"] and "stem" not in cells:
        raise JSONFault("With neither uid nor stem nobody knows which question is meant.", "uid")
    if short["revision"] and not re.fullmatch("[0-9]{1,9}", short["revision"]):
        raise JSONFault("This is no revision's number. Leave it as exported, or empty.", "revision")
    difficulty = short["difficulty"].lower()
    if difficulty and difficulty not in list(Difficulty):
        raise JSONFault(f"'{difficulty}' is none of {', '.join(Difficulty)}.", "difficulty")
    return Item(
        uid=short["uid"] or None,
        slug=short["slug"] or None,
        stem=cells.get("stem", ""),
        context=cells.get("context", ""),
        difficulty=Difficulty(difficulty) if difficulty else None,
        tags=[tag for tag in map(str.strip, short["tags"].split(";")) if tag],
        answers=_answers(cells, short),
        options=_options(short["options"]),
        revision=int(short["revision"]) if short["revision"] else None,
    )


def _options(cell: str) -> list[OptionItem]:
    if not cell:
        return []
    try:
        return convert(loads(cell), list[OptionItem])
    except JSONFault as fault:
        raise JSONFault(fault.problem, f"options, {fault.place}") from None


def _answers(cells: dict[str, str], short: dict[str, str]) -> list[AnswerItem]:
    """Return the answers; where the file has no such column, the first without its body."""
    more = []
    if short["more_answers"]:
        try:
            found = convert(loads(short["more_answers"]), list[MoreAnswer])
        except JSONFault as fault:
            raise JSONFault(fault.problem, f"more_answers, {fault.place}") from None
        more = [AnswerItem(uid=each.uid, label=each.label, body=each.body) for each in found]
    if more and "answer" in cells and not short["answer"]:
        raise JSONFault(
            "It is empty, but more_answers is not. Move one of those here, "
            "or empty both to remove all answers.",
            "answer",
        )
    sources = [SourceItem(url=url) for url in map(str.strip, short["sources"].splitlines()) if url]
    if "answer" in cells and not (more or sources or short["answer"]):
        return []
    return [AnswerItem(body=cells.get("answer", ""), sources=sources), *more]


def _where(place: str, path: str) -> str:
    """Return the cell that a path of the Item stands in: 'answers[0].body' in `answer`."""
    if path.startswith("answers[0].sources"):
        column = "sources"
    elif path.startswith("answers[0]"):
        column = "answer"
    elif path.startswith("answers["):
        column = "more_answers"
    else:
        column = path.partition("[")[0]
    return f"{place}, column {column}"


CSV = Format(
    name="csv",
    title="CSV for spreadsheets",
    extension="csv",
    media_type="text/csv; charset=utf-8; header=present",
    purpose=Purpose.edit,
    detect=detect,
    read=read,
    write=write,
    drops=DROPS,
    holds="a row for each question, to be edited in a spreadsheet and brought back",
    checked_with="LibreOffice, `frictionless`, Python's `csv`",
    options={
        "raw": "Write cells that a spreadsheet would run as formulas as they are.",
        "bom": "Begin with a byte order mark, by which Excel knows UTF-8.",
    },
)
