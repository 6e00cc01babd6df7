"""The shelf's search as files: an index that a browser reads a few pieces of.

The words are those that the databases index (`cms.services.terms`), so that a name such as
`url_for`, 'C++' or 'C#' is found as it is there. Each word has the numbers of the questions that
have it, in pieces of a bounded size; a small directory says with which word each piece begins.
A beginning of words that fill more than a piece has an entry of its own: a search whose last word
is still being typed never reads more than two pieces for it.

    directory.json   {"questions": n, "pieces": [the first word of each], "documents": size}
    words-<n>.json   {word: [numbers, numbers of questions whose stem has it]}
    questions-<n>.json   [[slug, stem as HTML, day, number of its latest correction, difficulty], …]

Numbers are written as whichever is shorter: the differences from one to the next in base 36, or
a bitmap of all questions in base 64 behind a '!'. So a word costs at most a sixth of a byte
for each question of the bank, however common it is.
"""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.markup import render_inline
from cms.models import Publication
from cms.services.chunks import chunks
from cms.services.reading import latest_corrections
from cms.services.terms import index_text

PIECE = 60_000  # characters of a piece of the index
DOCUMENTS = 64  # questions in a file of what results show
BEGINNING = "*"
"""What stands behind the letters of an entry for all words that begin with them."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def index_files(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of the files of the index, the same for the same release."""
    found: dict[str, array[int]] = {}
    in_stems: dict[str, array[int]] = {}
    count = 0
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
            _enter(found, set(row.search_text.split()), count)
            _enter(in_stems, set(index_text([row.stem]).split()), count)
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
    beginnings = []
    for number, (first, piece) in enumerate(_pieces(found, in_stems, count)):
        beginnings.append(first)
        yield f"words-{number}.json", piece
    directory = {"questions": count, "pieces": beginnings, "documents": DOCUMENTS}
    yield "directory.json", msgspec.json.encode(directory)


def _enter(index: dict[str, array[int]], found: set[str], number: int) -> None:
    for word in found:
        if word in index:
            index[word].append(number)
        else:
            index[word] = array("I", (number,))


Entry = tuple[str, str]
"""The numbers of the questions that have a word, and of those whose stem has it, as written."""


def _pieces(
    found: dict[str, array[int]], in_stems: dict[str, array[int]], count: int
) -> Iterator[tuple[str, bytes]]:
    """Yield pieces of the index in the order of its words, each with its first word."""
    entries: dict[str, Entry] = {
        word: (_written(numbers, count), _written(in_stems.get(word, ()), count))
        for word, numbers in found.items()
    }
    for beginning, some in _beginnings(sorted(entries), entries):
        entries[f"{beginning}{BEGINNING}"] = (
            _written(_union(found, some), count),
            _written(_union(in_stems, some), count),
        )
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


def _union(index: dict[str, array[int]], some: Sequence[str]) -> list[int]:
    return sorted(set().union(*(index.get(word, ()) for word in some)))


def _size(word: str, entry: Entry) -> int:
    return len(word.encode()) + len(entry[0]) + len(entry[1]) + len('"":["",""],')


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
