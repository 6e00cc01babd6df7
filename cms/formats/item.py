"""The Item: the one shape in which a question's content travels.

A Revision stores its `Content`, a Publication's document is an `Item`, and
every format reads and writes Items. Field names and order are those of the
JSON contract (docs/formats.md). Nothing here knows the database or the web.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cms.vocabulary import CorrectionKind, CorrectionStatus, Difficulty, Status


class SourceItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """A citation of an answer or of a correction."""

    url: str
    title: str = ""
    accessed_on: date | None = None


class AnswerItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """One model answer; `body` is Markdown."""

    uid: str | None = None
    label: str = ""
    body: str = ""
    applies_to: str = ""
    sources: list[SourceItem] = []


class CorrectionItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """One public erratum. `answer` is the uid of the answer meant, `fixed_in` a revision number."""

    uid: str | None = None
    number: int | None = None
    kind: CorrectionKind
    claim: str
    explanation: str = ""
    fix: str = ""
    status: CorrectionStatus = CorrectionStatus.accepted
    answer: str | None = None
    credit: str = ""
    sources: list[SourceItem] = []
    decided_at: datetime | None = None
    fixed_in: int | None = None


class ProvenanceItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a question came from; what a later import of the same source matches."""

    source: str
    url: str = ""
    date: str = ""
    license: str = ""
    attribution: str = ""
    external_id: str | None = None
    ordinal: int | None = None


class Content(Struct, kw_only=True, forbid_unknown_fields=True):
    """What an edit can change; a Revision's content, with `tags` as tag uids there.

    In an Item the same field holds tag slugs such as 'flask/basics'. `stem` is
    plain text in which backticks mark code; `context` and answer bodies are
    Markdown. The first answer is the canonical one.
    """

    uid: str | None = None
    slug: str | None = None
    stem: str
    context: str = ""
    difficulty: Difficulty | None = None
    tags: list[str] = []
    answers: list[AnswerItem] = []


class Item(Content, kw_only=True, forbid_unknown_fields=True):
    """A question as it is exported and imported.

    `revision`, `content_hash`, `release` and the times are the exporting
    bank's; an import uses revision and hash to find the base of an edit.
    `status` stands only in exports of the working copy.
    """

    corrections: list[CorrectionItem] = []
    provenance: ProvenanceItem | None = None
    revision: int | None = None
    content_hash: str | None = None
    release: int | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    status: Status | UnsetType = UNSET


class TagItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """A tag; `slug` is its whole path, such as 'flask/basics'."""

    uid: str | None = None
    slug: str
    name: str = ""
    description: str = ""


class DeckItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """A saved selection; `questions` are the uids of its explicit, ordered members."""

    slug: str
    title: str
    description: str = ""
    filter: dict[str, Any] = {}
    questions: list[str] = []
    full: bool | UnsetType = UNSET


class BankItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """The head of an export. `generated_at` is the release's time: same release, same bytes."""

    title: str = ""
    url: str = ""
    release: int = 0
    generated_at: datetime | None = None


class TombstoneItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """A question that left the bank, or the selection, since a release."""

    uid: str
    release: int
    merged_into: str | None = None


def content_hash(content: Content) -> str:
    """Return the SHA-256 (hex) of a revision's content: tags as uids, in sorted order."""
    plain = Content(
        uid=content.uid,
        slug=content.slug,
        stem=content.stem,
        context=content.context,
        difficulty=content.difficulty,
        tags=sorted(content.tags),
        answers=content.answers,
    )
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()


# --- reading -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in: its base name and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """A passage that looks damaged; an editor has to mend or acknowledge it.

    `kind` is a short word ('hole', 'quotes', 'truncated' …), `message` says what
    is wrong and what to do, `passage` is the exact text meant.
    """

    kind: str
    message: str
    passage: str = ""


@dataclass(slots=True)
class Row:
    """One question as a file states it, or the reason why it cannot be read.

    `place` names it for people ('line 7', '$.questions[3]'). `drops` are the
    fields that this row says nothing about: an update leaves them alone.
    Exactly one of `item` and `error` is set.
    """

    place: str
    item: Item | None = None
    error: str | None = None
    drops: frozenset[str] = frozenset()
    damages: list[Damage] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """What a reader makes of a file. `rows` may be a generator: read it once.

    `notes` are sentences for the report: what was left out, and why.
    """

    rows: Iterable[Row]
    tags: list[TagItem] = field(default_factory=list)
    decks: list[DeckItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# --- writing -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One question on its way out: its JSON document, decoded only where a format needs it."""

    document: bytes
    url: str = ""

    @property
    def item(self) -> Item:
        return msgspec.json.decode(self.document, type=Item)


@dataclass(slots=True)
class Export:
    """Everything that a writer gets. `entries` is read once, in order, and may be long.

    `withdrawn` is None in a full export. `options` are the format's own
    switches as named in its declaration ('raw', 'bom').
    """

    bank: BankItem
    entries: Iterable[Entry]
    tags: list[TagItem] = field(default_factory=list)
    decks: list[DeckItem] = field(default_factory=list)
    withdrawn: list[TombstoneItem] | None = None
    options: Mapping[str, bool] = field(default_factory=dict)


def stripped(item: Item, drops: frozenset[str]) -> Item:
    """Return a copy of `item` without what a format declares that it drops.

    A drop is a field of Item ('context'), of every answer
    ('answers.applies_to'), of the canonical answer ('answers[0].label'), of the
    further ones ('answers[1:].sources') or of every answer's sources
    ('answers.sources.title').
    """
    raw = msgspec.to_builtins(item)
    defaults = {f.name: f for f in msgspec.structs.fields(Item)}
    for name in drops & set(defaults):
        raw.pop(name, None)
    for index, answer in enumerate(raw.get("answers", ())):
        for name in ("uid", "label", "body", "applies_to", "sources"):
            if answer_drops(drops, index, name):
                answer.pop(name, None)
        for source in answer.get("sources", ()):
            for name in ("title", "accessed_on"):
                if f"answers.sources.{name}" in drops:
                    source.pop(name, None)
    return msgspec.convert(raw, Item)


def answer_drops(drops: frozenset[str], index: int, name: str) -> bool:
    """Whether `drops` covers the field `name` of the answer at `index`."""
    where = "answers[0]" if index == 0 else "answers[1:]"
    return f"answers.{name}" in drops or f"{where}.{name}" in drops


def lines(chunks: Iterable[str]) -> Iterator[bytes]:
    """Encode text chunks as UTF-8."""
    for chunk in chunks:
        yield chunk.encode()
