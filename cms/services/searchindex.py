"""The shelf's search as files: an index that a browser reads a few pieces of.

The words are those that the databases index (`cms.services.terms`), so that a name such as
`url_for`, 'C++' or 'C#' is found as it is there. Each word has the numbers of the questions that
have it, in pieces of a bounded size; a small directory says with which word each piece begins.
A beginning of words that fill more than a piece has an entry of its own: a search whose last word
is still being typed never reads more than two pieces for it.

    directory.json   {"questions": n, "pieces": [the first word of each], "documents": size}
    words-<n>.json   {word: [numbers, those of which it says more, those of which it says most]}
    questions-<n>.json   [[slug, stem as HTML, day, number of its latest correction, difficulty], …]

How much a word says of a question is what BM25 makes of how often it stands in how long a text,
in three steps: what a search puts first is nearly what SQLite does.

Numbers are written as whichever is shorter: the differences from one to the next in base 36, or
a bitmap of all questions in base 64 behind a '!'. So a word costs at most half a byte for each
question of the bank, however common it is.
"""

from __future__ import annotations

import base64
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.markup import render_inline
from cms.models import Publication
from cms.services.chunks import chunks
from cms.services.reading import latest_corrections

PIECE = 60_000  # characters of a piece of the index
DOCUMENTS = 64  # questions in a file of what results show
BEGINNING = "*"
"""What stands behind the letters of an entry for all words that begin with them."""

# The parameters of BM25 that SQLite has, and what a word has to reach for each step.
K1, B = 1.2, 0.75
LEAST = (0.0, 1.0, 1.5)

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

Index = dict[str, "tuple[array[int], array[int], array[int]]"]
"""The numbers of the questions that have a word, by how much it says of them at least."""
Entry = list[str]
"""The same for one word, as written."""


def index_files(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of the files of the index, the same for the same release."""
    index: Index = {}
    count = 0
    average = session.scalar(select(func.avg(func.length(Publication.search_text)))) or 1
    ids = session.scalars(select(Publication.id).order_by(Publication.id)).all()
    for number, some in enumerate(chunks(ids, DOCUMENTS)):
        rows = session.execute(
            select(
                Publication.uid,
                Publication.slug,
                Publication.stem,
                Publication.search_text,
                Publication.corrections,
                Publication.difficulty,
                Publication.updated_at,
            )
            .where(Publication.id.in_(some))
            .order_by(Publication.id)
        ).all()
        corrected = latest_corrections(session, [row.uid for row in rows if row.corrections])
        for row in rows:
            _enter(index, row.search_text, len(row.search_text) / float(average), count)
            count += 1
        shown = [
            (
                row.slug,
                render_inline(row.stem),
                f"{row.updated_at:%Y-%m-%dT%H:%M:%SZ}",
                corrected.get(row.uid, 0),
                row.difficulty,
            )
            for row in rows
        ]
        yield f"questions-{number}.json", msgspec.json.encode(shown)
    firsts = []
    for number, (first, piece) in enumerate(_pieces(index, count)):
        firsts.append(first)
        yield f"words-{number}.json", piece
    directory = {"questions": count, "pieces": firsts, "documents": DOCUMENTS}
    yield "directory.json", msgspec.json.encode(directory)


def _enter(index: Index, text: str, length: float, number: int) -> None:
    """Enter the words of a text; `length` is how long it is beside the others."""
    for word, times in Counter(text.split()).items():
        says = times * (K1 + 1) / (times + K1 * (1 - B + B * length))
        levels = index.get(word)
        if levels is None:
            levels = index[word] = (array("I"), array("I"), array("I"))
        for level, least in zip(levels, LEAST, strict=True):
            if says >= least:
                level.append(number)


def _pieces(index: Index, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield pieces of the index in the order of its words, each with its first word."""
    entries: dict[str, Entry] = {
        word: [_written(level, count) for level in levels] for word, levels in index.items()
    }
    for beginning, some in _beginnings(sorted(entries), entries):
        levels = ([index[word][level] for word in some] for level in range(len(LEAST)))
        entries[f"{beginning}{BEGINNING}"] = [
            _written(sorted(set().union(*level)), count) for level in levels
        ]
    piece: dict[str, Entry] = {}
    size = 0
    # Browsers compare strings by UTF-16 units.
    for word in sorted(entries, key=lambda each: each.encode("utf-16-be")):
        length = _size(word, entries[word])
        if piece and size + length > PIECE:
            yield next(iter(piece)), msgspec.json.encode(piece)
            piece, size = {}, 0
        piece[word] = entries[word]
        size += length
    if piece:
        yield next(iter(piece)), msgspec.json.encode(piece)


def _beginnings(
    ordered: Sequence[str], entries: dict[str, Entry], length: int = 1
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the beginnings of words that fill more than a piece, each with its words."""
    for beginning, group in groupby(ordered, key=lambda word: word[:length]):
        some = list(group)
        if sum(_size(word, entries[word]) for word in some) <= PIECE or len(beginning) < length:
            continue
        # A single letter of ours stands for itself in a search, as it begins a third of all words.
        if not (length == 1 and beginning.isascii()):
            yield beginning, some
        yield from _beginnings(some, entries, length + 1)


def _size(word: str, entry: Entry) -> int:
    return len(word.encode()) + sum(map(len, entry)) + len('"":["","",""],')


def _written(numbers: Sequence[int], count: int) -> str:
    if not numbers:
        return ""
    if 6 * len(numbers) < count or len(numbers) < 10:
        return _differences(numbers)
    bitmap = bytearray(count // 8 + 1)
    for number in numbers:
        bitmap[number >> 3] |= 1 << (number & 7)
    dense = "!" + base64.b64encode(bitmap).decode()
    return min(dense, _differences(numbers), key=len)


def _differences(numbers: Sequence[int]) -> str:
    return " ".join(_base36(following - number) for number, following in pairwise((-1, *numbers)))


def _base36(number: int) -> str:
    written = ""
    while number:
        number, digit = divmod(number, 36)
        written = _DIGITS[digit] + written
    return written
