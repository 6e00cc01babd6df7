"""The Item: the one shape in which a question's content travels.

A Revision stores its `Content`, a Publication's document is an `Item`, and
every format reads and writes Items. Field names and order are those of the
JSON contract (docs/formats.md). Nothing here knows the database or the web.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from cms.vocabulary import CorrectionKind, CorrectionStatus, Difficulty, Status

STEM_LIMIT = 500  # characters of a stem
LINE_LIMIT = 500  # characters of a label, a title or any other single line
SLUG_LIMIT = 120  # characters of a slug or of a tag's whole path
URL_LIMIT = 2_000  # characters of a web address
FILTER_TAGS_LIMIT = 50  # tags in each part of a deck's filter
FILTER_TEXT_LIMIT = 200  # characters of the text that a deck's filter looks for
MEMBERS_LIMIT = 10_000  # explicit members of a deck
ANSWER_LIMIT = 200_000  # bytes (UTF-8) of an answer or any other Markdown
OPTIONS_LIMIT = 20  # options of a multiple-choice question
OPTION_LIMIT = 4_000  # bytes (UTF-8) of an option, or of what is said to whoever chose it

UID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SLUG_PATTERN = "[a-z0-9-]+"
PATH_PATTERN = f"{SLUG_PATTERN}(?:/{SLUG_PATTERN})*"
ASSET_PATTERN = r"[0-9a-f]{64}\.(?:png|jpg|gif|webp|svg)"
URL_PATTERN = r"[Hh][Tt][Tt][Pp][Ss]?://\S+"


def _described(pattern: str, limit: int) -> Meta:
    """What the published schema says of a text; `cms.formats.checks` enforces it.

    The decoder does not: it would refuse text that is only not normalized yet,
    in words that nobody understands.
    """
    return Meta(extra_json_schema={"pattern": f"^{pattern}$", "maxLength": limit})


Uid = Annotated[str, _described(UID_PATTERN, 36)]
Slug = Annotated[str, _described(SLUG_PATTERN, SLUG_LIMIT)]
TagPath = Annotated[str, _described(PATH_PATTERN, SLUG_LIMIT)]
Url = Annotated[str, _described(URL_PATTERN, URL_LIMIT)]
AssetName = Annotated[str, _described(ASSET_PATTERN, 70)]
Stem = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": STEM_LIMIT})]
Line = Annotated[str, Meta(extra_json_schema={"maxLength": LINE_LIMIT})]
# What an integer column holds on every database.
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]
# A time without a zone would be ambiguous.
Moment = Annotated[datetime, Meta(tz=True)]


# Parts of a question never refer to what holds them, so there is no cycle to look for (`gc`): that
# search would visit every part of a large import again and again.
class SourceItem(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A citation of an answer or of a correction."""

    url: Url
    title: Line = ""
    accessed_on: date | None = None


class AnswerItem(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One model answer; `body` is Markdown."""

    uid: Uid | None = None
    label: Line = ""
    body: str = ""
    applies_to: Line = ""
    sources: list[SourceItem] = []


class OptionItem(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One choice of a multiple-choice question; all but `correct` ones are distractors.

    `text` and `feedback`, which whoever chose it reads, are Markdown.
    """

    text: str
    correct: bool = False
    feedback: str = ""


class CorrectionItem(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One public erratum. `answer` is the uid of the answer meant, `fixed_in` a revision number."""

    uid: Uid | None = None
    number: Number | None = None
    kind: CorrectionKind
    claim: str
    explanation: str = ""
    fix: str = ""
    status: CorrectionStatus = CorrectionStatus.accepted
    answer: Uid | None = None
    credit: Line = ""
    sources: list[SourceItem] = []
    decided_at: Moment | None = None
    fixed_in: Number | None = None


class ProvenanceItem(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Where a question came from; what a later import of the same source matches."""

    source: Line
    url: str = ""
    date: str = ""
    license: Line = ""
    attribution: Line = ""
    external_id: str | None = None
    ordinal: Number | None = None


class Content(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What an edit can change; a Revision's content, with `tags` as tag uids there.

    In an Item the same field holds tag slugs such as 'flask/basics'. `stem` is
    plain text in which backticks mark code; `context` and answer bodies are
    Markdown. The first answer is the canonical one. A question with `options` is
    a multiple-choice question, too, beside its model answer.
    """

    uid: Uid | None = None
    slug: Slug | None = None
    stem: Stem
    context: str = ""
    difficulty: Difficulty | None = None
    tags: list[TagPath] = []
    answers: list[AnswerItem] = []
    options: list[OptionItem] = []


class Item(Content, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A question as it is exported and imported.

    `revision`, `content_hash`, `release` and the times are the exporting
    bank's; an import uses revision and hash to find the base of an edit.
    `status` stands only in exports of the working copy.
    """

    corrections: list[CorrectionItem] = []
    provenance: ProvenanceItem | None = None
    revision: Number | None = None
    content_hash: str | None = None
    release: Number | None = None
    published_at: Moment | None = None
    updated_at: Moment | None = None
    status: Status | UnsetType = UNSET


class TagItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """A tag; `slug` is its whole path, such as 'flask/basics'."""

    uid: Uid | None = None
    slug: TagPath
    name: Line = ""
    description: str = ""


class DeckFilter(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a deck takes from the shelf besides its explicit members.

    A question has to have every tag of `all`, one of `any` (if there are some)
    and none of `none`, where a tag stands for its descendants too; one of the
    difficulties (if there are some); and every word of `text`, the last as the
    beginning of one. A filter in which nothing is said selects nothing.
    """

    all: list[TagPath] = []
    any: list[TagPath] = []
    none: list[TagPath] = []
    difficulty: list[Difficulty] = []
    text: Annotated[str, Meta(extra_json_schema={"maxLength": FILTER_TEXT_LIMIT})] = ""

    def __bool__(self) -> bool:
        return bool(self.all or self.any or self.none or self.difficulty or self.text)

    @property
    def tags(self) -> list[str]:
        """Every tag that it names."""
        return [*self.all, *self.any, *self.none]


class DeckItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """A saved selection; `questions` are the uids of its explicit, ordered members.

    They come first, in their order, then what the filter selects.
    """

    slug: Slug
    title: Line
    description: str = ""
    filter: DeckFilter = msgspec.field(default_factory=DeckFilter)
    questions: list[Uid] = []
    full: bool | UnsetType = UNSET


class AssetItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """An image. `name` is the SHA-256 (hex) of `data` and the ending of its type: '4f…9c.png'.

    Markdown shows it as `![words](asset:4f…9c.png)`; `alt` are the words that it
    is described by where a text does not describe it otherwise.
    """

    name: AssetName
    data: bytes
    alt: Line = ""


class BankItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """The head of an export. `generated_at` is the release's time: same release, same bytes."""

    title: str = ""
    url: str = ""
    release: Number = 0
    generated_at: Moment | None = None


class TombstoneItem(Struct, kw_only=True, forbid_unknown_fields=True):
    """A question that left the bank, or the selection, since a release."""

    uid: Uid
    release: Number
    merged_into: Uid | None = None


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
        options=content.options,
    )
    said = msgspec.to_builtins(plain)
    if not plain.options:
        del said["options"]  # Revisions were hashed before a question could have any.
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def stripped(item: Item, drops: frozenset[str]) -> Item:
    """Return a copy of `item` without what a format declares that it drops.

    A drop is a field of Item ('context'), of every answer
    ('answers.applies_to'), of the canonical answer ('answers[0].label'), of the
    further ones ('answers[1:].sources'), all of the further ones ('answers[1:]')
    or a field of every answer's sources ('answers.sources.title').
    """
    raw = msgspec.to_builtins(item)
    for name in drops & raw.keys():
        del raw[name]
    if "answers[1:]" in drops:
        raw["answers"] = raw.get("answers", [])[:1]
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
