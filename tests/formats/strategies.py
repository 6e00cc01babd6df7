"""Banks as Hypothesis makes them, and the few lines that write and read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

import msgspec
from hypothesis import strategies as st

from cms.formats import Format
from cms.formats.assets import asset_item
from cms.formats.checks import problems
from cms.formats.incoming import Upload
from cms.formats.item import (
    AnswerItem,
    BankItem,
    CorrectionItem,
    DeckFilter,
    DeckItem,
    Item,
    OptionItem,
    ProvenanceItem,
    SourceItem,
    TagItem,
    TombstoneItem,
)
from cms.formats.normalizing import normalized
from cms.formats.outgoing import Entry, Export
from cms.text import normalize_body, normalize_line
from cms.vocabulary import CorrectionKind, CorrectionStatus, Difficulty, Status
from tests.formats.pictures import DRAWING, ENDINGS, picture_of

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

# Pieces that mean something to some format, spreadsheet, browser or shell.
_PIECES = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "'", "''=x", "＝", "\t", " ", "    ", '"', '""', ",", ";"),
    *("\n", "\n\n", "\\", "\\n", "{", "}", "[", "]", "~", "#", ":", "::", "---", "```", "<b>"),
    *("</script><script>alert(1)</script>", "]]>", "&amp;", "&", "?", "%00", "\u2028", "\u00a0"),
    *("﻿", "\u200b", "é", "e\u0301", "😀", "漢", "\u202e", "$x$", "NULL", "TRUE", "007", "1/2"),
    *(f"![words](asset:{'0' * 64}.png)", f"assets/{'0' * 64}.png", "assets/./", "asset:"),
    *(
        "## Answer",
        "## Options",
        "- [x] ",
        "> ",
        "<!-- {} -->",
        "- item",
        "1. item",
        "| a | b |",
        "Q: x",
        "//",
        "x-",
        "null",
    ),
)
any_text = st.lists(
    st.sampled_from(_PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    max_size=8,
).map("".join)
lines = any_text.map(normalize_line)
some_line = lines.filter(bool)
markdown = any_text.map(normalize_body)
some_markdown = markdown.filter(bool)
slugs = st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True)
tag_paths = st.from_regex(r"[a-z0-9-]{1,8}(/[a-z0-9-]{1,8}){0,2}", fullmatch=True)
urls = st.from_regex(r"https?://[a-z]{1,8}\.example/[!-~é]{0,12}", fullmatch=True)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
numbers = st.integers(0, 2**31 - 1)
uids = st.uuids().map(str)

sources = st.lists(
    st.builds(
        SourceItem,
        url=urls,
        title=lines,
        accessed_on=st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    ),
    max_size=3,
)
answers = st.builds(
    AnswerItem, uid=uids, label=lines, body=some_markdown, applies_to=lines, sources=sources
)
options = st.builds(OptionItem, text=some_markdown, correct=st.booleans(), feedback=markdown)
corrections = st.builds(
    CorrectionItem,
    uid=uids,
    number=st.none() | numbers,
    kind=st.sampled_from(CorrectionKind),
    claim=some_markdown,
    explanation=markdown,
    fix=markdown,
    status=st.sampled_from(CorrectionStatus),
    answer=st.none() | uids,
    credit=lines,
    sources=sources,
    decided_at=st.none() | moments,
    fixed_in=st.none() | numbers,
)
provenances = st.builds(
    ProvenanceItem,
    source=some_line,
    url=st.just("") | urls,
    date=st.just("2024-05-01"),
    license=lines,
    attribution=lines,
    external_id=st.none() | some_line,
    ordinal=st.none() | numbers,
)
items = st.builds(
    Item,
    uid=uids,
    slug=st.none() | slugs,
    stem=some_line,
    context=markdown,
    difficulty=st.none() | st.sampled_from(Difficulty),
    tags=st.lists(tag_paths, max_size=3, unique=True),
    answers=st.lists(answers, max_size=3),
    options=st.lists(options, max_size=3),
    corrections=st.lists(corrections, max_size=2),
    provenance=st.none() | provenances,
    revision=st.none() | st.integers(0, 10**9 - 1),
    content_hash=st.none() | st.just("0" * 64),
    release=st.none() | numbers,
    published_at=st.none() | moments,
    updated_at=st.none() | moments,
    status=st.just(msgspec.UNSET) | st.sampled_from(Status),
)
banks = st.lists(items, max_size=4).filter(lambda bank: not any(map(problems, bank)))
# Small images of every kind, made once.
images = st.sampled_from(
    [asset_item(picture_of(kind, shade=shade)) for kind in ENDINGS for shade in (0, 90)]
    + [asset_item(DRAWING)]
)
assets = st.lists(
    st.builds(msgspec.structs.replace, images, alt=lines),
    max_size=3,
    unique_by=lambda each: each.name,
)
tags = st.builds(TagItem, uid=st.none() | uids, slug=tag_paths, name=lines, description=markdown)
filters = st.builds(
    DeckFilter,
    all=st.lists(tag_paths, max_size=2, unique=True),
    any=st.lists(tag_paths, max_size=2, unique=True),
    none=st.lists(tag_paths, max_size=2, unique=True),
    difficulty=st.sets(st.sampled_from(Difficulty)).map(
        lambda chosen: [level for level in Difficulty if level in chosen]
    ),
    text=lines.filter(lambda line: len(line) <= 200),
)
decks = st.builds(
    DeckItem,
    slug=slugs,
    title=some_line,
    description=markdown,
    filter=filters,
    questions=st.lists(uids, max_size=3, unique=True),
    full=st.just(msgspec.UNSET) | st.just(True),
)
tombstones = st.builds(TombstoneItem, uid=uids, release=numbers, merged_into=st.none() | uids)


def question(number: int = 1, **fields: object) -> Item:
    """Return a plain question with one answer; `number` makes its uids and slug."""
    item = Item(
        uid=f"01920000-0000-7000-8000-{number:012x}",
        slug=f"question-{number}",
        stem=f"What is number {number}?",
        answers=[
            AnswerItem(uid=f"01920001-0000-7000-8000-{number:012x}", body=f"Number {number}.")
        ],
        tags=["numbers"],
        revision=1,
        release=1,
        published_at=NOON,
        updated_at=NOON,
    )
    return normalized(msgspec.structs.replace(item, **fields))


def entries(bank: Iterable[Item]) -> Iterator[Entry]:
    """Return a bank's questions on their way out."""
    for item in bank:
        yield Entry(msgspec.json.encode(item), f"https://bank.example/questions/{item.slug}")


def written(format: Format, bank: Iterable[Item], **fields: object) -> bytes:
    """Return a whole export; `fields` are those of `Export`."""
    assert format.write is not None
    head = BankItem(title="A bank", url="https://bank.example/", release=1, generated_at=NOON)
    export = Export(bank=head, entries=entries(bank))
    for name, value in fields.items():
        setattr(export, name, value)
    return b"".join(format.write(export))


def upload(data: bytes | str, name: str = "file") -> Upload:
    return Upload(name, data.encode() if isinstance(data, str) else data)
