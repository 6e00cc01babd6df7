"""A question's blocks as an Item: what is context, what the answer, what its options."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cms.formats.html import to_markdown
from cms.formats.incoming import Damage
from cms.formats.item import (
    LINE_LIMIT,
    OPTIONS_LIMIT,
    STEM_LIMIT,
    AnswerItem,
    Item,
    OptionItem,
    ProvenanceItem,
)
from cms.formats.labels import tag_path
from cms.formats.lists.blocks import Block, Source, offset_of
from cms.formats.lists.segment import Question
from cms.formats.lists.titles import (
    LABEL,
    ONLY_TAGS,
    is_answer_summary,
    is_hint,
    is_label,
    plain,
    title_in,
)
from cms.text import match_key, normalize_body, stem_key

_OPTION = re.compile(r"(?:\*\*)?\(?(?P<letter>[A-Ha-h])\s?[:.)]+(?:\*\*)?\s*")
_TASK = re.compile(r"\[(?P<tick>[ xX])\]\s+")
_LETTERS = re.compile(
    r"(?:\*\*|`)?(?:options?\s)?\(?(?P<letters>[A-H](?:\s?(?:,|and|&|/|\+|\s)\s?[A-H]){0,7})"
    r"(?![\w'’])(?:\*\*|`)?[).:]*\s*[–—-]?\s*",
    re.IGNORECASE,
)
_NOTHING = "questions question answers answer interview and list the q a faq all"
_SAYS_NOTHING = frozenset(_NOTHING.split())
_EXTERNAL = re.compile(r"(?:https?:|data:|//|asset:)", re.IGNORECASE)


@dataclass(slots=True)
class Parts:
    """The texts of a question as they stand in the list, and what looks damaged in them."""

    stem: str
    context: str = ""
    answer: str = ""
    options: list[OptionItem] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)


def parts_of(question: Question, source: Source) -> Parts:
    """Return a question's texts; the lines that are no text are taken out of `source`."""
    if question.is_topic:
        return _topic(question, source)
    parts = Parts(question.title.text)
    blocks = question.blocks
    while blocks and blocks[-1].kind == "rule":
        blocks.pop()
    listed = _options(blocks, source)
    label, letters = _labels(blocks, source)
    _take_html(blocks, source)
    first, after = question.start, blocks[-1].stop if blocks else question.start
    before, rest = "", question.rest
    if rest and not is_label(rest.partition("\n")[0]) and (label is not None or listed):
        before, rest = rest, ""
    rest = LABEL.sub("", rest, count=1) if is_label(rest.partition("\n")[0]) else rest
    if listed is not None:
        block, parts.options = listed
        source.drop(block)
        if label is None or label < block.start:
            label = block.stop
    start = first if label is None else label
    parts.context = _joined(question.summary, before, source.text(first, start))
    parts.answer = _joined(rest, source.text(start, after))
    _mark_correct(parts, letters)
    if len(parts.stem) > STEM_LIMIT:
        parts.context = _joined(parts.stem, parts.context)
        parts.stem = parts.stem[: STEM_LIMIT - 1].rsplit(" ", 1)[0] + "…"
    parts.damages = list(_damages(blocks, source))
    return parts


def _joined(*texts: str) -> str:
    return "\n\n".join(filter(None, (_flush(normalize_body(text)) for text in texts)))


def _flush(text: str) -> str:
    """Return Markdown without the spaces, up to three, that all of its lines begin with."""
    lines = text.split("\n")
    common = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    return "\n".join(line[common:] for line in lines) if 0 < common < 4 else text


def _topic(question: Question, source: Source) -> Parts:
    """Return a topic's question: its first paragraph that asks; what is around it is context."""
    blocks = [block for block in question.blocks if block.kind != "rule"]
    asks = next(b for b in blocks if b.kind == "paragraph" and plain(b.inline).endswith("?"))
    after = blocks[-1].stop
    stem = plain(asks.inline)
    if len(stem) <= STEM_LIMIT:
        source.drop(asks)
    else:
        stem = question.title.text
    context = _joined(source.text(question.start, after))
    follow = [b for b in blocks if b.kind == "list"]
    if follow and not _asks_on(follow[0]):
        return Parts(stem, "", context)
    return Parts(stem, context, damages=list(_damages(blocks, source)))


def _asks_on(block: Block) -> bool:
    """Whether a list goes on asking: most of its items end with a question mark."""
    asked = sum(plain(tokens).endswith("?") for tokens in block.inlines)
    return 2 * asked >= max(1, len(block.inlines))


# --- answers ------------------------------------------------------------------------


def _labels(blocks: Sequence[Block], source: Source) -> tuple[int | None, str]:
    """Return the line from which on the answer stands, if one says so, and letters of options."""
    start: int | None = None
    letters = ""
    for block in blocks:
        summary = next((text for kind, text in block.events if kind == "summary"), None)
        if summary is not None and is_answer_summary(summary):
            # A hint is no answer, and an answer that is itself folded needs no label.
            if is_hint(summary) or (blocks[0].kind == "details" and block is not blocks[0]):
                continue
            start = block.start if start is None else start
        elif block.kind in {"heading", "paragraph"}:
            line = source.lines[block.start].lstrip()
            if not is_label(line) or (start is not None and letters):
                continue
            match = LABEL.match(line)
            rest = line[match.end() :] if match else ""
            chosen = _LETTERS.match(rest)
            if chosen:
                letters = chosen["letters"]
                rest = rest[chosen.end() :]
            if rest.strip("*_# "):
                source.replaced[block.start] = " " * source.offsets.get(block.start, 0) + rest
            else:
                source.replaced[block.start] = None
            start = block.start if start is None else start
    # Follow-up questions are part of what is asked.
    if start is None and blocks and all(b.kind == "list" and _asks_on(b) for b in blocks):
        start = blocks[-1].stop
    return start, letters


def _take_html(blocks: Sequence[Block], source: Source) -> None:
    """Take tags that only lay a text out from its lines; other HTML becomes Markdown."""
    for index, block in enumerate(blocks):
        if block.kind == "details":
            texts = [text for kind, text in block.events if kind == "text"]
            shown = [text for text in texts if not ONLY_TAGS.match(text)]
            summary = next((text for kind, text in block.events if kind == "summary"), "")
            if summary and index and (is_hint(summary) or not is_answer_summary(summary)):
                shown.insert(0, f"**{title_in(summary, {}).text}**\n")
            if block.stop > block.start:
                source.drop(block)
                source.replaced[block.start] = "\n".join(shown) or None
        elif block.kind == "html":
            source_text = source.text(block.start, block.stop)
            source.drop(block)
            if not ONLY_TAGS.match(source_text) or "<img" in source_text.lower():
                source.replaced[block.start] = to_markdown(source_text, lambda a: a) or None


# --- options ------------------------------------------------------------------------


def _options(blocks: Sequence[Block], source: Source) -> tuple[Block, list[OptionItem]] | None:
    """Return the list whose items are lettered options, or boxes to tick, as options."""
    for block in blocks:
        if block.kind != "list" or not 2 <= len(block.items) <= OPTIONS_LIMIT:
            continue
        texts = [_item_text(item[0], source) for item in block.items]
        letters = [match["letter"].upper() if (match := _OPTION.match(t)) else "" for t in texts]
        ticks = [match["tick"] if (match := _TASK.match(t)) else "" for t in texts]
        if letters == [chr(ord("A") + n) for n in range(len(texts))]:
            return block, [OptionItem(text=_OPTION.sub("", text, count=1)) for text in texts]
        if all(ticks):
            return block, [
                OptionItem(text=_TASK.sub("", text, count=1), correct=tick != " ")
                for text, tick in zip(texts, ticks, strict=True)
            ]
    return None


def _item_text(item: Block, source: Source) -> str:
    lines = source.lines[item.start : item.stop]
    offset = offset_of(lines[0].lstrip()) + len(lines[0]) - len(lines[0].lstrip())
    rest = [line[min(offset, len(line) - len(line.lstrip())) :] for line in lines[1:]]
    return normalize_body("\n".join([lines[0][offset:], *rest]))


def _mark_correct(parts: Parts, letters: str) -> None:
    if not parts.options:
        if letters:
            parts.answer = _joined(letters, parts.answer)
        return
    for letter in re.findall("[A-H]", letters.upper()):
        if ord(letter) - ord("A") < len(parts.options):
            parts.options[ord(letter) - ord("A")].correct = True
    correct = [option.text for option in parts.options if option.correct]
    if not parts.answer and correct:
        parts.answer = "\n\n".join(correct)


# --- damages ------------------------------------------------------------------------


def _damages(blocks: Sequence[Block], source: Source) -> list[Damage]:
    found: list[Damage] = []
    for block in blocks:
        if block.start in source.broken:
            opening = source.lines[block.start].strip()
            code = next((line for line in block.text.split("\n") if line.strip()), "")
            found.append(
                Damage(
                    "fence",
                    "This code block had no end, so that it went on through other questions. "
                    "An end was put before the next question: see where the code really ends.",
                    code.strip() or opening,
                )
            )
        for token in block.inline:
            address = str(token.attrGet("src") or "") if token.type == "image" else ""
            if address and not _EXTERNAL.match(address):
                found.append(
                    Damage(
                        "image",
                        f"The image '{address[:100]}' stands beside the list, not in it. "
                        "Add it at the desk, or describe what it shows.",
                        f"]({address}",
                    )
                )
    return found


# --- items ----------------------------------------------------------------------------


def items_of(questions: Sequence[Question], parts: Sequence[Parts], source: str) -> list[Item]:
    """Return the questions of a list as Items; `source` names it in their provenance.

    Titles that repeat are known apart by their code: its hash is their external id.
    """
    ordinals = _ordinals(questions)
    titles = Counter(stem_key(each.stem) for each in parts)
    known: Counter[str] = Counter()
    items = []
    for question, part, ordinal in zip(questions, parts, ordinals, strict=True):
        external = None
        code = re.search(r"^ {0,3}(```|~~~)[^\n]*\n(.*?)\n {0,3}\1", part.context, re.S | re.M)
        if titles[stem_key(part.stem)] > 1 and code is not None:
            text = f"{stem_key(part.stem)}\n{' '.join(code[2].split())}"
            external = f"code-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
            known[external] += 1
            external += f"-{known[external]}" if known[external] > 1 else ""
        items.append(
            Item(
                stem=part.stem,
                context=part.context,
                difficulty=question.difficulty,
                tags=[tag] if (tag := tag_path(*sections_of(question))) else [],
                answers=[AnswerItem(body=part.answer)] if part.answer else [],
                options=part.options,
                provenance=ProvenanceItem(
                    source=source[:LINE_LIMIT], ordinal=ordinal, external_id=external
                ),
            )
        )
    return items


def sections_of(question: Question) -> list[str]:
    """Return the sections that say something of a question; its topic is one."""
    names = [*question.sections, *([question.title.text] if question.is_topic else [])]
    return [name for name in names if not set(match_key(name).split()) <= _SAYS_NOTHING]


def _ordinals(questions: Sequence[Question]) -> list[int]:
    """Return the list's own numbers if they rise all the way, else the positions."""
    own = [each.title.number for each in questions]
    numbers = [number for number in own if number is not None]
    rises = all(a < b for a, b in itertools.pairwise(numbers))
    return numbers if len(numbers) == len(own) and rises else list(range(1, len(own) + 1))
