"""Notes as questions: ours exactly, those of other people as well as their fields tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from slugify import slugify

from cms.errors import InvalidInput
from cms.formats.anki.cloze import cloze_sides
from cms.formats.anki.notetype import DROPS, NAME
from cms.formats.anki.package import FoundNote
from cms.formats.anki.readfields import item_of, line_of
from cms.formats.assets import asset_item
from cms.formats.checks import Gate
from cms.formats.html import to_markdown
from cms.formats.incoming import Damage, Reading, Row
from cms.formats.item import (
    PATH_PATTERN,
    SLUG_LIMIT,
    STEM_LIMIT,
    UID_PATTERN,
    AnswerItem,
    Item,
    ProvenanceItem,
)
from cms.formats.strict_json import JSONFault
from cms.text import normalize_line

# Tags that Anki gives by itself: they tell of a learner, not of the question.
_OF_LEARNERS = frozenset({"leech", "marked"})
_OWN_FIELDS = frozenset({"Question", "Answer", "UID"})
_UNNAMED_DECKS = frozenset({"", "Default"})
_UID = re.compile(UID_PATTERN)
_PATH = re.compile(PATH_PATTERN)
_SOUND = re.compile(r"\[(?:sound:([^\[\]]{1,300})|anki:[^\[\]]{1,300})\]")
_LINE_ENDS = re.compile(r"<br[^<>]*+>|</?(?:div|p|pre|li)\b[^<>]*+>")
_SHOWN = 5  # names in a note of the report


class NoteReader:
    """Turns notes into rows of a reading; `media` gives a file by its name, if there is one."""

    def __init__(self, source: str, media: Callable[[str], bytes | None], reading: Reading) -> None:
        self._source = source
        self._media = media
        self._reading = reading
        self._gate = Gate()
        self._images: dict[str, str] = {}
        self._kept: set[str] = set()
        self._left_out: Counter[str] = Counter()
        self._sounds: Counter[str] = Counter()
        self._retired = 0

    def rows(self, notes: Iterator[FoundNote]) -> Iterator[Row]:
        """Yield a row for each note, and say in the end what was left out."""
        for number, note in enumerate(notes, start=1):
            place = f"note {number}"
            if note.notetype.name.startswith(NAME) and note.fields.keys() >= _OWN_FIELDS:
                row = self._own(place, note)
            else:
                row = self._gate.row(place, *self._foreign(note))
                self._warn_of_a_stem(row)
            if row is not None:
                row.through_html = True
                yield row
        self._tell()

    # --- ours --------------------------------------------------------------------

    def _own(self, place: str, note: FoundNote) -> Row | None:
        if note.fields.get("Retired"):
            self._retired += 1
            return None
        try:
            item, absent = item_of(note.fields, self._image)
        except JSONFault as fault:
            return Row(f"{place}, {fault.place}", error=fault.problem)
        item.tags = list(self._tags(note.tags))
        return self._gate.row(place, item, drops=DROPS | absent)

    # --- anybody's ---------------------------------------------------------------

    def _foreign(self, note: FoundNote) -> tuple[Item]:
        fields = {name: self._silent(html) for name, html in note.fields.items()}
        (_, front), *others = fields.items() if fields else [("", "")]
        answers = []
        if note.notetype.is_cloze:
            front, back = cloze_sides(front)
            others.insert(0, ("", back))
        stem, context = self._stem_and_context(front)
        parts = [(name, to_markdown(html, self._image)) for name, html in others]
        parts = [(name, body) for name, body in parts if body]
        if parts:
            (_, body), *more = parts
            # The second field is what everybody asks for; a further one says what it is.
            body = "\n\n".join([body, *(f"**{_bold(name)}**\n\n{text}" for name, text in more)])
            answers.append(AnswerItem(body=body))
        root, *below = note.deck or ("",)
        tags = list(self._tags(note.tags))
        if below and (path := _path("::".join(below))):
            tags.append(path)
        is_uid = _UID.fullmatch(note.guid.lower())
        provenance = ProvenanceItem(
            source=normalize_line(root)[:500] if root not in _UNNAMED_DECKS else self._source,
            external_id=None if is_uid else note.guid[:200] or None,
        )
        item = Item(
            uid=note.guid.lower() if is_uid else None,
            stem=stem,
            context=context,
            tags=tags,
            answers=answers,
            provenance=provenance,
        )
        return (item,)

    def _stem_and_context(self, html: str) -> tuple[str, str]:
        """Return the stem, and the first field as context where a line of text is not all of it."""
        body, line = to_markdown(html, self._image), line_of(html)
        if not line and body:
            return "What does this show?", body
        is_line = "\n" not in body and "![" not in body and len(line) <= STEM_LIMIT
        if is_line:
            return line, ""
        first = next(
            filter(None, map(line_of, re.split(r"<br[^<>]*+>|</?(?:div|p|pre)\b[^<>]*+>", html))),
            line,
        )
        stem = first if len(first) <= STEM_LIMIT else f"{first[: STEM_LIMIT - 1]}…"
        return stem, body

    def _warn_of_a_stem(self, row: Row) -> None:
        if row.item is not None and row.item.stem == "What does this show?":
            row.damages.append(
                Damage(
                    "stem",
                    "The card asked by an image alone. Say in words what is asked.",
                    row.item.stem,
                )
            )

    def _tags(self, tags: tuple[str, ...]) -> Iterator[str]:
        for tag in tags:
            if tag.lower() not in _OF_LEARNERS and (path := _path(tag)):
                yield path

    # --- what is no text ---------------------------------------------------------

    def _silent(self, html: str) -> str:
        for found in _SOUND.finditer(html):
            self._sounds[found[1] or "speech"] += 1
        return _SOUND.sub("", html)

    def _image(self, address: str) -> str:
        """Return what the bank calls an image, and keep it; '' for one that it cannot have."""
        if re.match("https?://", address, re.IGNORECASE):
            return address
        if address not in self._images:
            self._images[address] = self._taken_in(address)
        return self._images[address]

    def _taken_in(self, address: str) -> str:
        data = self._media(address)
        if data is None:
            self._left_out[f"'{address[:80]}' is not in the file"] += 1
            return ""
        try:
            item = asset_item(data)
        except InvalidInput as error:
            self._left_out[f"'{address[:80]}': {error}".rstrip(".")] += 1
            return ""
        shown = f"asset:{item.name}"
        # Two files of a package may be the same image.
        if shown not in self._kept:
            self._kept.add(shown)
            self._reading.assets.append(item)
        return shown

    def _tell(self) -> None:
        notes = self._reading.notes
        if self._retired:
            notes.append(
                f"{self._retired:,} retired notes were left out: an import retires nothing."
            )
        if self._left_out:
            notes.append(f"Images left out, their words kept: {_listed(self._left_out)}.")
        if self._sounds:
            notes.append(f"Sounds left out, which a bank cannot hold: {_listed(self._sounds)}.")


def _listed(names: Mapping[str, int]) -> str:
    shown = ", ".join(list(names)[:_SHOWN])
    others = len(names) - _SHOWN
    return shown + (f" and {others:,} more" if others > 0 else "")


def _path(tag: str) -> str:
    """Return a tag of Anki as a path of the bank's: 'Flask::The Basics' is 'flask/the-basics'."""
    parts = [part if _PATH.fullmatch(part) else slugify(part) for part in tag.split("::")]
    return "/".join(filter(None, parts))[:SLUG_LIMIT].rstrip("/")


def _bold(name: str) -> str:
    return to_markdown(name.replace("&", "&amp;").replace("<", "&lt;"))
