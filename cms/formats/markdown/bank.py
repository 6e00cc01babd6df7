"""The folder of a bank: its questions' files, and the lists beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from msgspec import UNSET, Struct, UnsetType

from cms.errors import UnreadableFile
from cms.formats import strict_yaml
from cms.formats.archive import Archive, is_archive, packed
from cms.formats.assets import Wanted, names_in
from cms.formats.checks import Gate
from cms.formats.encoding import decode, opening
from cms.formats.format import Owned
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import (
    ASSET_PATTERN,
    AssetItem,
    AssetName,
    BankItem,
    DeckItem,
    Line,
    TagItem,
    TombstoneItem,
)
from cms.formats.json import VERSION, checked_decks, checked_tags, withdrawn_note
from cms.formats.markdown.question import (
    ENDING,
    FOLDER,
    looks_like_question,
    may_be_question,
    plain,
    question_text,
    read_question,
    stated_uid,
)
from cms.formats.outgoing import Export
from cms.formats.strict_json import JSONFault, convert
from cms.text import normalize_text, unique_name

T = TypeVar("T")

BANK, TAGS, DECKS, ASSETS = "bank.yaml", "tags.yaml", "decks.yaml", "assets.yaml"
_LISTS = frozenset({BANK, TAGS, DECKS, ASSETS})

# Names that no question's file gets: Windows refuses the devices with any ending.
_RESERVED = frozenset(
    {"readme", "con", "prn", "aux", "nul"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)}
)
_NAMES_SHOWN = 5


class BankFile(BankItem, kw_only=True, forbid_unknown_fields=True):
    """`bank.yaml` but for its format and version; `questions` are file names, in order."""

    questions: list[str] = []
    withdrawn: list[TombstoneItem] | UnsetType = UNSET


class Description(Struct, kw_only=True, forbid_unknown_fields=True):
    """In `assets.yaml`, what describes an image where a text does not."""

    name: AssetName
    alt: Line


# --- writing ---------------------------------------------------------------------


def write(export: Export) -> Iterator[bytes]:
    """Write a zip of the bank's folder."""
    return packed(_files(export))


def _files(export: Export) -> Iterator[tuple[str, bytes]]:
    names: list[str] = []
    taken = set(_RESERVED)
    wanted = Wanted(export)
    for entry in wanted.entries():
        item = entry.item
        name = unique_name(item.slug or item.uid or "question", taken.__contains__)
        taken.add(name)
        names.append(name + ENDING)
        yield names[-1], question_text(item, name).encode()
    described: list[Description] = []
    for image in wanted.items():
        yield f"{FOLDER}/{image.name}", image.data
        if image.alt:
            described.append(Description(name=image.name, alt=image.alt))
    if described:
        yield ASSETS, _yaml(described)
    if export.tags:
        yield TAGS, _yaml(export.tags)
    if export.decks:
        yield DECKS, _yaml(export.decks)
    head = {"format": "question-bank", "version": VERSION, **plain(export.bank), "questions": names}
    if export.withdrawn is not None:
        head["withdrawn"] = plain(export.withdrawn)
    yield BANK, strict_yaml.dumps(head).encode()


def _yaml(structs: Iterable[Struct]) -> bytes:
    return strict_yaml.dumps([plain(each) for each in structs]).encode()


# --- reading ---------------------------------------------------------------------


def detect(upload: Upload) -> bool:
    """Whether it is a question's file, or an archive with one or with the head of a bank."""
    if not is_archive(upload):
        return looks_like_question(upload)
    try:
        archive = Archive(upload)
    except UnreadableFile:
        return False
    return any(_is_of_bank(archive, name) for name in archive.names)


def _is_of_bank(archive: Archive, name: str) -> bool:
    if name != BANK and not may_be_question(name):
        return False
    try:
        file = archive.read(name)
    except UnreadableFile:
        return False
    return "question-bank" in opening(file) if name == BANK else looks_like_question(file)


def read(upload: Upload) -> Reading:
    """Read an archive of a bank's folder, or the file of one question.

    :raises UnreadableFile: if the archive or one of its lists cannot be read,
        or a single file is no question
    """
    if not is_archive(upload):
        row = _row(Gate(), upload)
        if row is None:
            raise UnreadableFile(
                upload.name,
                "No question stands here: there is no front matter with a stem, "
                "and no heading '## Answer'.",
                place="line 1",
            )
        return Reading(rows=[row])
    archive = Archive(upload)
    try:
        head = _head(archive)
        tags = checked_tags(_loaded(archive, TAGS, list[TagItem]), f"{TAGS}, $")
        decks = checked_decks(_loaded(archive, DECKS, list[DeckItem]), f"{DECKS}, $")
        described = _loaded(archive, ASSETS, list[Description])
    except JSONFault as fault:
        raise UnreadableFile(upload.name, fault.problem, place=fault.place) from None
    notes = withdrawn_note(0 if head.withdrawn is UNSET else len(head.withdrawn))
    reading = Reading((), tags=tags, decks=decks, notes=notes)
    words = {each.name: each.alt for each in described}
    reading.rows = _rows(archive, head.questions, words, reading)
    return reading


def _head(archive: Archive) -> BankFile:
    """Return what `bank.yaml` says; an empty one where there is none.

    :raises JSONFault: with the file's name in its place
    """
    if BANK not in archive.names:
        return BankFile()
    values = _loaded(archive, BANK, dict[str, Any])
    if values.pop("format", None) != "question-bank":
        raise JSONFault(
            "This must be 'question-bank': the file is not a bank's.", f"{BANK}, $.format"
        )
    if values.pop("version", None) != str(VERSION):
        raise JSONFault(
            f"This program reads version {VERSION}. Export the bank again in that version.",
            f"{BANK}, $.version",
        )
    return _converted(values, BankFile, BANK)


def _loaded(archive: Archive, name: str, to: type[T]) -> T:
    """Return what a list beside the questions says; an empty one where there is none.

    :raises JSONFault: with the file's name in its place
    """
    if name not in archive.names:
        return to()
    try:
        text = normalize_text(decode(archive.read(name)))
    except UnreadableFile as error:
        raise JSONFault(error.problem, _place_of(error)) from None
    try:
        values = strict_yaml.loads(text)
    except JSONFault as fault:
        raise JSONFault(fault.problem, f"{name}, {fault.place}") from None
    return to() if values is None else _converted(values, to, name)


def _converted(values: Any, to: type[T], name: str) -> T:
    try:
        return convert(values, to, strict=False)
    except JSONFault as fault:
        raise JSONFault(fault.problem, f"{name}, {fault.place}") from None


def _rows(
    archive: Archive, order: list[str], words: dict[str, str], reading: Reading
) -> Iterator[Row]:
    """Yield the questions in the bank's order, and those that it does not name after them.

    What else is to be read of the archive, or said of it, is added to `reading` in the end.
    """
    gate = Gate()
    questions = {name for name in archive.names if may_be_question(name)}
    shown: dict[str, None] = {}
    left_out: list[str] = []
    listed = [name for name in dict.fromkeys(order) if name in questions]
    for name in listed + sorted(questions.difference(listed)):
        try:
            row = _row(gate, archive.read(name))
        except UnreadableFile as error:
            row = Row(_place_of(error), error=error.problem)
        if row is None:
            left_out.append(name)
            continue
        if row.item is not None:
            shown.update(dict.fromkeys(names_in(row.item)))
        yield row
    images = [name for name in shown if f"{FOLDER}/{name}" in archive.names]
    for name in images:
        try:
            data = archive.read(f"{FOLDER}/{name}").data
        except UnreadableFile as error:
            reading.notes.append(f"The image {name} was left out: {error.problem}")
        else:
            reading.assets.append(AssetItem(name=name, data=data, alt=words.get(name, "")))
    files = {f"{FOLDER}/{name}" for name in images}
    left_out = sorted({*archive.names} - questions - files - _LISTS) + left_out
    if left_out:
        others = len(left_out) - _NAMES_SHOWN
        named = ", ".join(left_out[:_NAMES_SHOWN]) + (f" and {others:,} more" * (others > 0))
        reading.notes.append(f"Left out, because no question stands there: {named}.")


def _row(gate: Gate, upload: Upload) -> Row | None:
    """Return the row of a file; None if no question stands there.

    :raises UnreadableFile: if the file is no text
    """
    try:
        item = read_question(upload)
    except JSONFault as fault:
        place = fault.place.removeprefix("$").removeprefix(".") or "front matter"
        return Row(f"{upload.name}, {place}", error=fault.problem)
    return None if item is None else gate.row(upload.name, item)


def _place_of(error: UnreadableFile) -> str:
    return f"{error.file}, {error.place}" if error.place else error.file


# --- a folder that is there already --------------------------------------------------


def owned(folder: Upload) -> Owned:
    """Return what an export wrote into a folder.

    It may replace what has a uid in its front matter, and delete what `bank.yaml`
    lists besides: whatever people added is not listed.

    :raises UnreadableFile: as `Archive` does
    """
    archive = Archive(folder)
    files = {name for name in archive.names if may_be_question(name) and _has_uid(archive, name)}
    lists: set[str] = set()
    listed: list[str] = []
    if BANK in archive.names:
        try:
            listed = _head(archive).questions
            lists = set(_LISTS.intersection(archive.names))
        except JSONFault:
            pass  # Whatever this file is, no export of ours wrote it as it stands.
    images = {name for name in archive.names if _is_image(name)} if listed else set()
    return Owned(
        frozenset(files | lists | images), frozenset(files.intersection(listed) | lists | images)
    )


def _is_image(name: str) -> bool:
    """Whether a file is called as an export calls an image: by its own bytes."""
    return bool(re.fullmatch(f"{FOLDER}/{ASSET_PATTERN}", name))


def _has_uid(archive: Archive, name: str) -> bool:
    try:
        return bool(stated_uid(archive.read(name)))
    except UnreadableFile:
        return False
