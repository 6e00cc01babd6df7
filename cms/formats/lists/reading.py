"""Reading a list: its questions, in order, and what a reader of it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from cms.errors import CmsError, UnreadableFile
from cms.formats.checks import Gate
from cms.formats.encoding import decode
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import TagItem
from cms.formats.labels import tag_path
from cms.formats.lists import DROPS
from cms.formats.lists.blocks import Block, Source, parse
from cms.formats.lists.questions import Parts, items_of, parts_of, sections_of
from cms.formats.lists.segment import FEWEST, Listing, Segmenter
from cms.formats.lists.titles import legend_of
from cms.text import normalize_text

SIZE_LIMIT = 5_000_000
"""Bytes of a list; the longest known have a tenth of it."""

_FEWEST_LINKS = 5
_LEGEND_BLOCKS = 40


# Markdown that an article in plain text does not have: headings, summaries, bold lines, items.
_MARKDOWN = re.compile(
    r"^(?:#{1,6} +\S|<details\b|<summary\b|[^\w\n]{0,6}\*\*\S|\d{1,4}[.)] +(?:#|\*\*|<)|[-*+] +\S)",
    re.MULTILINE | re.IGNORECASE,
)
_LABELLED_ITEM = re.compile(r"^\d{1,4}\. +\S[^\n]*\n+ *(?:\*\*)?Ans(?:wer)?\b", re.MULTILINE)
_NAMED_LINE = re.compile(r"^(?:Q|Ques|Question)\s?\.?\s?\d{1,4}\s?[.:)-]", re.MULTILINE)
_FRONT_MATTER = re.compile(r"---\n(?:[^\n]*\n){0,200}?(?:uid|stem|slug):")
_OTHER = re.compile(r"\s*(?:[{<](?!details|summary|h[1-6]|div|p|img|a\b|!--)|\[\s*[\[{\"\]])", re.I)


def detect(upload: Upload) -> bool:
    """Whether a file is Markdown in which questions, or nothing but links, are listed."""
    try:
        text = normalize_text(decode(upload))
        if len(text) > SIZE_LIMIT or _FRONT_MATTER.match(text) or _OTHER.match(text):
            return False
        marks = sum(1 for _ in _MARKDOWN.finditer(text)) + len(_LABELLED_ITEM.findall(text))
        # Lines such as 'Q 1. …' are an article's, unless Markdown is what makes them questions.
        if marks < FEWEST or len(_NAMED_LINE.findall(text)) > marks:
            return False
        _, _, listing = _listing(text)
    except CmsError:
        return False
    return len(listing.questions) >= FEWEST or _is_of_links(listing)


def read(upload: Upload) -> Reading:
    """Read a list's questions, in order; a list of links has none, and a note says so.

    :raises UnreadableFile: if the bytes are no text, or no list of questions is in it
    """
    text = normalize_text(decode(upload))
    if len(text) > SIZE_LIMIT:
        raise UnreadableFile(
            upload.name, f"It has {len(text):,} characters, the limit is {SIZE_LIMIT:,}. Split it."
        )
    source, _, listing = _listing(text)
    if not listing.questions and not _is_of_links(listing):
        raise UnreadableFile(
            upload.name,
            "No list of questions was found. Questions of a list are headings, bold lines, "
            "summaries of <details> or items of a list. Check that this is the right file, "
            "or name its format.",
        )
    reading = Reading(rows=())
    parts = [parts_of(question, source) for question in listing.questions]
    title = listing.title or _stem(upload.name)
    reading.rows = list(_rows(listing, parts, source, title))
    reading.tags = _tags(listing)
    reading.notes = _notes(listing, parts)
    return reading


def _listing(text: str) -> tuple[Source, list[Block], Listing]:
    source, blocks = parse(text)
    legend = legend_of(
        line
        for block in blocks[:_LEGEND_BLOCKS]
        if block.kind in {"paragraph", "list", "table", "other"}
        for line in source.lines[block.start : block.stop][:20]
    )
    return source, blocks, Segmenter(source, blocks, legend).listing()


def _is_of_links(listing: Listing) -> bool:
    return not listing.questions and listing.links >= _FEWEST_LINKS


def _stem(name: str) -> str:
    stem = PurePath(name).name
    return re.sub(r"(?:\.list)?\.(?:md|markdown|mdown|txt)$", "", stem, flags=re.I) or stem


def _rows(listing: Listing, parts: list[Parts], source: Source, title: str) -> Iterator[Row]:
    gate = Gate()
    items = items_of(listing.questions, parts, title)
    for question, part, item in zip(listing.questions, parts, items, strict=True):
        unsaid = {
            name for name in ("context", "difficulty", "tags", "options") if not getattr(item, name)
        }
        if not item.answers:
            unsaid |= {"answers", "answers[0].body"}
        row = gate.row(f"line {source.numbers[question.line]}", item, drops=DROPS | unsaid)
        row.damages = part.damages if row.item else []
        yield row


def _tags(listing: Listing) -> list[TagItem]:
    """Return the sections as tags, with the names that the list gives them."""
    names: dict[str, str] = {}
    for question in listing.questions:
        sections = sections_of(question)
        for depth in range(1, len(sections) + 1):
            path = tag_path(*sections[:depth])
            if path:
                names.setdefault(path, sections[depth - 1])
    return [TagItem(slug=slug, name=name[:100]) for slug, name in sorted(names.items())]


def _notes(listing: Listing, parts: list[Parts]) -> list[str]:
    notes = list(listing.notes)
    if _is_of_links(listing):
        notes.append(
            f"This is a list of {listing.links} links: the questions stand elsewhere, "
            "so there is none to import."
        )
    counted = sorted(listing.left_out.items())
    if counted:
        told = ", ".join(f"{count} × {what}" for what, count in counted)
        notes.append(f"Left out as navigation: {told}.")
    unanswered = sum(not part.answer for part in parts)
    if unanswered:
        notes.append(
            f"{unanswered} of {len(parts)} questions have no answer in the list: "
            "they arrive as drafts without one."
        )
    undecided = sum(bool(p.options) and not any(o.correct for o in p.options) for p in parts)
    if undecided:
        notes.append(f"{undecided} questions have options of which none is said to be correct.")
    return notes
