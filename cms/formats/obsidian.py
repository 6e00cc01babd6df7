"""Obsidian: a note for each question, as a card of the plugin 'Spaced Repetition'.

Written for version 1.15 of the plugin (github.com/st3v3nmw/obsidian-spaced-repetition,
src/parser.ts) with its default settings: the tag `#flashcards`, a line `?` between
front and back, no marker for the end of a card. Such a card ends at the first
blank line outside of a fence at the margin, so a blank line becomes an empty
comment, which parts paragraphs as well; what the plugin would take for a
separator is written so that it does not.

A vault is exported into again and again. What the plugin wrote about a card, and
what its owner wrote below `MARK`, stays: see `Vault`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from slugify import slugify

from cms.errors import UnreadableFile
from cms.formats import strict_yaml
from cms.formats.archive import Archive, packed
from cms.formats.encoding import decode
from cms.formats.format import QUESTION_FACTS, Folder, Format, Owned, Purpose
from cms.formats.html import ASSET_ADDRESS
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem, AssetItem, Item
from cms.formats.obsidian_card import card_text, escaped_line
from cms.formats.outgoing import Entry, Export
from cms.text import normalize_text, unique_name

RECORD = "question-bank.json"
"""The file of a vault's folder that lists what the last export wrote."""

MARK = (
    "%% Your own notes stand below this line: no export touches them. "
    "Above it only the schedule stays as it is. %%"
)
_MARK_BEGINS = "%% Your own notes stand below this line"

_FRONT = re.compile(r"---\n(?P<yaml>(?:[^\n]*\n)*?)---[ \t]*(?:\n|\Z)")
_OURS = frozenset({"uid", "source", "difficulty", "tags"})
_KEY = re.compile(r"(?P<key>[^\s:#][^:\n]*):")
_SCHEDULE = re.compile(r"<!--SR:[^\n<]*-->[^\n]*")
_CALLOUT = re.compile(r"> \[!sr\|[^\n]*\n> \Z")
_BLOCK_ID = re.compile(r" \^[A-Za-z0-9-]+\Z")

DROPS = QUESTION_FACTS | {
    "answers.uid",
    "answers.applies_to",
    "answers.sources.title",
    "answers.sources.accessed_on",
    "corrections",
    "provenance",
    "revision",
    "content_hash",
    "tags.uid",
    "tags.name",
    "tags.description",
}


# --- writing ---------------------------------------------------------------------


def write(export: Export) -> Iterator[bytes]:
    """Write a zip of notes, of the images in them, and of `RECORD`."""
    return packed(_files(export))


def _files(export: Export) -> Iterator[tuple[str, bytes]]:
    deck = export.deck.slug if export.deck else slugify(export.bank.title) or "bank"
    names: list[str] = []
    images: set[str] = set()
    taken: set[str] = set()
    for entry in export.entries:
        item = entry.item
        name = unique_name(item.slug or item.uid or "question", taken.__contains__)
        taken.add(name)
        names.append(f"{name}.md")
        text, shown = note_text(entry, item, deck, export)
        yield names[-1], text.encode()
        for asset in shown:
            if asset.name not in images:
                images.add(asset.name)
                yield asset.name, asset.data
    record = {
        "format": "question-bank-obsidian",
        "release": export.bank.release,
        "notes": sorted(names),
        "images": sorted(images),
    }
    yield RECORD, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def note_text(entry: Entry, item: Item, deck: str, export: Export) -> tuple[str, list[AssetItem]]:
    """Return the note of a question, and the images that it shows."""
    shown: dict[str, AssetItem] = {}

    def image(match: re.Match[str]) -> str:
        asset = export.asset(match[1])
        if asset is not None:
            shown[asset.name] = asset
        return match[1]

    def text(markdown: str) -> str:
        return card_text(ASSET_ADDRESS.sub(image, markdown))

    front: dict[str, object] = {"uid": item.uid or ""}
    if entry.url:
        front["source"] = entry.url
    if item.difficulty:
        front["difficulty"] = str(item.difficulty)
    front["tags"] = [f"flashcards/{deck}", *item.tags]
    lettered = [(chr(ord("A") + number), option) for number, option in enumerate(item.options)]
    options = "\n".join(
        f"- **{letter}** " + option.text.replace("\n", "\n  ") for letter, option in lettered
    )
    correct = ", ".join(f"**{letter}**" for letter, option in lettered if option.correct)
    front_side = [escaped_line(item.stem), text(item.context), text(options)]
    back_side = [correct, *(text(_answer(answer)) for answer in item.answers)]
    lines = [
        f"---\n{strict_yaml.dumps(front)}---\n",
        _paragraphs(front_side),
        "?",
        _paragraphs(back_side) or " <!-- -->",
        f"\n{MARK}\n",
    ]
    return "\n".join(lines), list(shown.values())


def _paragraphs(texts: list[str]) -> str:
    return "\n <!-- -->\n".join(filter(None, texts))


def _answer(answer: AnswerItem) -> str:
    label = f"**{answer.label}**\n\n" if answer.label else ""
    sources = "".join(f"\n- <{source.url}>" for source in answer.sources)
    return f"{label}{answer.body}" + (f"\n\nSources:\n{sources}" if sources else "")


# --- a vault that is there already --------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Note:
    """A note as it stands in a vault: its uid, its card, and what is not the export's."""

    uid: str
    kept_keys: str
    schedule: str
    on_own_line: bool
    own: str


class Vault:
    """A folder of notes that an export goes into again.

    A note that is there and one that is new are the same card if they have the
    same uid, whatever their files are called.
    """

    def __init__(self, folder: Upload) -> None:
        archive = Archive(folder)
        self._notes: dict[str, _Note] = {}
        self._uid_of: dict[str, str] = {}
        self._written: set[str] = set()
        for name in archive.names:
            note = _note(archive, name)
            if note is not None:
                self._notes[note.uid] = note
                self._uid_of[name] = note.uid

    def merged(self, name: str, data: bytes) -> bytes:
        """Return a new file as it shall stand: with the schedule and the notes of the old one."""
        if not name.endswith(".md"):
            return data
        text = data.decode()
        front = _FRONT.match(text)
        new = _stated_uid(text)
        held = self._notes.get(new)
        self._written.add(new)
        if held is None or front is None:
            return data
        card, _, _ = text[front.end() :].partition(f"\n{MARK}")
        card = card.rstrip("\n")
        if held.schedule:
            ends_in_code = card.endswith(("```", "~~~"))
            card += ("\n" if held.on_own_line or ends_in_code else " ") + held.schedule
        top = f"---\n{front['yaml']}{held.kept_keys}---\n"
        return f"{top}{card}\n\n{MARK}\n{held.own}".encode()

    def is_needed(self, name: str) -> bool:
        """Whether a note that the export no longer has must stay: its owner wrote in it."""
        uid = self._uid_of.get(name, "")
        return (
            uid in self._notes and uid not in self._written and bool(self._notes[uid].own.strip())
        )


def _note(archive: Archive, name: str) -> _Note | None:
    if "/" in name or not name.lower().endswith(".md"):
        return None
    try:
        text = normalize_text(decode(archive.read(name)))
    except UnreadableFile:
        return None
    front = _FRONT.match(text)
    uid = _stated_uid(text)
    if front is None or not uid:
        return None
    rest = text[front.end() :]
    at = rest.find(f"\n{_MARK_BEGINS}")
    card, below = (rest, "") if at < 0 else (rest[:at], rest[at + 1 :].partition("\n")[2])
    return _Note(uid, _kept_keys(front["yaml"]), *_schedule(card), below)


def _stated_uid(text: str) -> str:
    front = _FRONT.match(text)
    found = re.search(r"^uid:[ \t]*['\"]?([0-9a-f-]{36})", front["yaml"], re.M) if front else None
    return found[1] if found else ""


def _kept_keys(yaml: str) -> str:
    """Return the lines of a front matter that an export does not write, as they stand."""
    kept: list[str] = []
    ours = False
    for line in yaml.splitlines():
        key = _KEY.match(line)
        if key is not None:
            ours = key["key"].strip() in _OURS
        elif not line.startswith((" ", "-", "\t")):
            ours = False
        if not ours:
            kept.append(f"{line}\n")
    return "".join(kept)


def _schedule(card: str) -> tuple[str, bool]:
    """Return what the plugin wrote about a card, and whether it stands on lines of its own."""
    found = _SCHEDULE.search(card)
    if found is None:
        block = _BLOCK_ID.search(card.rstrip())
        return (block[0].strip(), False) if block else ("", False)
    before = card[: found.start()]
    callout = _CALLOUT.search(before[-200:])
    if callout:
        return callout[0] + found[0], True
    own_line = before.endswith("\n")
    block = _BLOCK_ID.search(before.rstrip()) if own_line else None
    return (f"{block[0].strip()}\n{found[0]}", False) if block else (found[0], own_line)


def owned(folder: Upload) -> Owned:
    """Return what an export wrote into a vault's folder: notes with a uid, and what `RECORD` lists.

    :raises UnreadableFile: as `Archive` does
    """
    archive = Archive(folder)
    notes = {name for name in archive.names if _note(archive, name) is not None}
    listed: set[str] = set()
    images: set[str] = set()
    if RECORD in archive.names:
        try:
            record = json.loads(decode(archive.read(RECORD)))
            listed = {str(name) for name in record["notes"]}
            images = {str(name) for name in record["images"]}.intersection(archive.names)
        except (UnreadableFile, ValueError, TypeError, LookupError, RecursionError):
            return Owned(frozenset(notes), frozenset())
        images.add(RECORD)
    # An image's name is its content: one in the way is the same one.
    same = {name for name in archive.names if re.fullmatch(r"[0-9a-f]{64}\.\w+", name)}
    return Owned(frozenset(notes | images | same), frozenset((notes & listed) | images))


OBSIDIAN = Format(
    name="obsidian.zip",
    title="Obsidian: notes for the plugin 'Spaced Repetition'",
    extension="obsidian.zip",
    media_type="application/zip",
    purpose=Purpose.learn,
    detect=lambda _upload: False,
    write=write,
    drops=DROPS,
    folder=Folder(
        files=("*.md", RECORD, "*.png", "*.jpg", "*.gif", "*.webp", "*.svg"),
        record=RECORD,
        owned=owned,
        held=Vault,
    ),
    holds="cards with images in a vault; a later export keeps schedules and the owner's notes",
    checked_with="the plugin's own parser (1.15.4)",
)
