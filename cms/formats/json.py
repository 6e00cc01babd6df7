"""JSON: the whole bank without loss, as one document or with one question per line."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from cms.errors import UnreadableFile
from cms.formats.assets import Wanted
from cms.formats.checks import (
    Fault,
    Gate,
    deck_faults,
    tag_faults,
)
from cms.formats.encoding import opening, utf8
from cms.formats.format import Format
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import (
    AssetItem,
    AssetName,
    BankItem,
    DeckItem,
    Item,
    Line,
    Number,
    TagItem,
    TombstoneItem,
    Uid,
)
from cms.formats.normalizing import normalized_deck, normalized_tag
from cms.formats.outgoing import Export, gathered
from cms.formats.strict_json import TOO_DEEP, JSONFault, convert, loads

VERSION = 1
_BEGINNING = re.compile(r'\s*(?:\{\s*"|\[\s*\{)')
# A first line is tried as JSON up to this size: a few answers of the greatest length.
_FIRST_LINE = 1_000_000


class BankFile(Struct, kw_only=True, forbid_unknown_fields=True):
    """A JSON export from its first brace to its last."""

    format: Literal["question-bank"]
    version: Literal[1]
    bank: BankItem = msgspec.field(default_factory=BankItem)
    tags: list[TagItem] = []
    decks: list[DeckItem] = []
    questions: list[Item]
    withdrawn: list[TombstoneItem] | UnsetType = UNSET
    assets: list[AssetItem] = []


class AssetLine(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of JSONL that is an image; `asset` is its name."""

    asset: AssetName
    data: bytes
    alt: Line = ""


class TombstoneLine(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of JSONL that stands for a question which left; `withdrawn` is always true."""

    uid: Uid
    withdrawn: bool
    release: Number
    merged_into: Uid | None = None


# --- one document ----------------------------------------------------------------


def detect(upload: Upload) -> bool:
    """Whether the file begins as a document of JSON and is not one object per line."""
    return bool(_BEGINNING.match(opening(upload))) and not detect_lines(upload)


def read(upload: Upload) -> Reading:
    """Read a JSON export. Its head is checked at once, its questions one by one as they are read.

    :raises UnreadableFile: if the document, or anything in it but a question,
        is not as the contract says.
    """
    data = utf8(upload)
    try:
        members, questions = _split(data)
        head = _head(data, members)
    except JSONFault as fault:
        raise UnreadableFile(upload.name, fault.problem, place=fault.place) from None
    return Reading(
        rows=_rows(questions),
        tags=head.tags,
        decks=head.decks,
        notes=withdrawn_note(0 if head.withdrawn is UNSET else len(head.withdrawn)),
        assets=head.assets,
    )


def _split(data: bytes) -> tuple[dict[str, Raw], list[Raw]]:
    """Return the document's members and its questions, all still undecoded.

    Nothing is copied and nothing nested is built: however many questions
    there are, only one at a time becomes Python objects.
    """
    try:
        members = msgspec.json.decode(data, type=dict[str, Raw])
        if "questions" not in members:
            raise JSONFault("The key 'questions' is missing. Is this an export of a bank?")
        return members, msgspec.json.decode(members["questions"], type=list[Raw])
    except RecursionError:
        raise JSONFault(TOO_DEEP) from None
    except msgspec.DecodeError:
        _explain(data)
        raise JSONFault(
            "NaN or Infinity stands here, which JSON does not have. Remove it."
        ) from None


def _explain(data: bytes) -> None:
    """Raise the fault of a document that msgspec refused, with its line and column."""
    document = loads(data.decode())
    if not isinstance(document, dict):
        raise JSONFault('A bank is one object that begins with {"format": "question-bank".')
    if not isinstance(document.get("questions"), list):
        raise JSONFault("This must be a list of questions.", "$.questions")


def _head(data: bytes, members: dict[str, Raw]) -> BankFile:
    """Return the document without its questions, checked."""
    # Cut out, not left out: parsed again, the rest shows a key that stands twice.
    head = loads(data.replace(members["questions"], b"[]", 1).decode())
    if head.get("format") != "question-bank":
        raise JSONFault("This must be 'question-bank': the file is not a bank's.", "$.format")
    if head.get("version") != VERSION:
        raise JSONFault(
            f"This program reads version {VERSION}. Export the file again in that version.",
            "$.version",
        )
    bank = convert(head, BankFile)
    bank.tags = checked_tags(bank.tags, "$.tags")
    bank.decks = checked_decks(bank.decks, "$.decks")
    return bank


def checked_tags(tags: list[TagItem], place: str) -> list[TagItem]:
    """Return tags as the bank keeps them; `place` is the path of their list.

    :raises JSONFault: at what is wrong with one, or at two of one slug.
    """
    tags = [normalized_tag(tag) for tag in tags]
    for index, tag in enumerate(tags):
        _refuse(f"{place}[{index}]", tag_faults(tag))
    _refuse_repeated(f"{place}[{{}}].slug", [tag.slug for tag in tags])
    return tags


def checked_decks(decks: list[DeckItem], place: str) -> list[DeckItem]:
    """Return decks as the bank keeps them; the rest is as in `checked_tags`."""
    decks = [normalized_deck(deck) for deck in decks]
    for index, deck in enumerate(decks):
        _refuse(f"{place}[{index}]", deck_faults(deck))
    _refuse_repeated(f"{place}[{{}}].slug", [deck.slug for deck in decks])
    return decks


def _refuse(place: str, faults: Iterable[Fault]) -> None:
    for path, problem in faults:
        raise JSONFault(problem, f"{place}.{path}")


def _refuse_repeated(place: str, slugs: list[str]) -> None:
    first: dict[str, int] = {}
    for index, slug in enumerate(slugs):
        if first.setdefault(slug, index) != index:
            raise JSONFault(
                f"'{slug}' stands at {place.format(first[slug])} already. Remove one of the two.",
                place.format(index),
            )


def _rows(questions: list[Raw]) -> Iterator[Row]:
    gate = Gate("{}.{}".format)
    for index, question in enumerate(questions):
        place = f"$.questions[{index}]"
        try:
            yield gate.row(place, convert(loads(str(question, "utf-8")), Item))
        except JSONFault as fault:
            yield Row(fault.place.replace("$", place, 1), error=fault.problem)


def write(export: Export) -> Iterator[bytes]:
    """Write a JSON export, each tag, deck, question and tombstone on a line of its own."""
    return gathered(_pieces(export))


def _pieces(export: Export) -> Iterator[bytes]:
    encode = msgspec.json.encode
    yield b'{"format":"question-bank","version":%d,\n"bank":' % VERSION
    yield encode(export.bank)
    yield from _listed(b"tags", map(encode, export.tags))
    yield from _listed(b"decks", map(encode, export.decks))
    wanted = Wanted(export)
    yield from _listed(b"questions", (entry.document for entry in wanted.entries()))
    if export.withdrawn is not None:
        yield from _listed(b"withdrawn", map(encode, export.withdrawn))
    images = map(encode, wanted.items())
    if (first := next(images, None)) is not None:
        yield from _listed(b"assets", chain([first], images))
    yield b"}\n"


def _listed(key: bytes, values: Iterable[bytes]) -> Iterator[bytes]:
    yield b',\n"%s":[' % key
    separator = b"\n"
    for value in values:
        yield separator + value
        separator = b",\n"
    yield b"]" if separator == b"\n" else b"\n]"


# --- one question per line -------------------------------------------------------


def detect_lines(upload: Upload) -> bool:
    """Whether the first line is a question or a tombstone."""
    first, _, _ = opening(upload, _FIRST_LINE).lstrip().partition("\n")
    try:
        keys = msgspec.json.decode(first, type=dict[str, Raw]).keys()
    except (msgspec.DecodeError, RecursionError):
        # A broken line is JSONL's to explain if the name says so and it is no document.
        named = upload.name.lower().endswith(".jsonl")
        return named and first.startswith('{"') and '"format"' not in first
    return not keys.isdisjoint({"stem", "withdrawn"}) and "questions" not in keys


def read_lines(upload: Upload) -> Reading:
    """Read JSONL, a line at a time."""
    reading = Reading(rows=())
    reading.rows = _line_rows(utf8(upload), reading)
    return reading


def _line_rows(data: bytes, reading: Reading) -> Iterator[Row]:
    gate = Gate("{}, $.{}".format)
    withdrawn = 0
    for number, line in enumerate(io.BytesIO(data), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            value = loads(line.decode().rstrip())
            if isinstance(value, dict) and "withdrawn" in value:
                convert(value, TombstoneLine)
                withdrawn += 1
            elif isinstance(value, dict) and "asset" in value:
                image = convert(value, AssetLine)
                reading.assets.append(AssetItem(name=image.asset, data=image.data, alt=image.alt))
            else:
                yield gate.row(place, convert(value, Item))
        except JSONFault as fault:
            yield Row(f"{place}, {fault.place.removeprefix('line 1, ')}", error=fault.problem)
    reading.notes += withdrawn_note(withdrawn)


def write_lines(export: Export) -> Iterator[bytes]:
    """Write JSONL: questions in the order of the export, then tombstones, then images."""
    return gathered(_lines(export))


def _lines(export: Export) -> Iterator[bytes]:
    wanted = Wanted(export)
    for entry in wanted.entries():
        yield entry.document + b"\n"
    for tombstone in export.withdrawn or ():
        line = TombstoneLine(
            uid=tombstone.uid,
            withdrawn=True,
            release=tombstone.release,
            merged_into=tombstone.merged_into,
        )
        yield msgspec.json.encode(line) + b"\n"
    for item in wanted.items():
        image = AssetLine(asset=item.name, data=item.data, alt=item.alt)
        yield msgspec.json.encode(image) + b"\n"


def withdrawn_note(count: int) -> list[str]:
    """Return what a report says of tombstones in a file: a sentence, or nothing without any."""
    if not count:
        return []
    what = "1 withdrawn question is" if count == 1 else f"{count:,} withdrawn questions are"
    return [f"{what} listed; an import retires nothing, so nothing was done about that."]


JSON = Format(
    name="json",
    title="JSON (lossless)",
    extension="json",
    media_type="application/json",
    detect=detect,
    read=read,
    write=write,
    holds="everything: an import into an empty bank gives an equal bank",
    checked_with="`jsonschema`, against the published schema",
)
# A line holds a question or an image, so nothing tells of the bank: its title, its decks, or what a
# tag is called beyond its path. A full JSON export has them.
JSONL = Format(
    name="jsonl",
    title="JSON Lines: one question per line",
    extension="jsonl",
    media_type="application/jsonl",
    detect=detect_lines,
    read=read_lines,
    write=write_lines,
    drops=frozenset({"bank", "decks", "tags.uid", "tags.name", "tags.description"}),
    holds="whole questions, for programs that read line by line",
    checked_with="`jsonschema`, against the published schema",
)
