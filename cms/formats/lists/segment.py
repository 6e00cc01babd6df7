"""Which blocks are questions, which are sections, and what is left out.

A list keeps to one style: its questions are headings (alone or in a list's
items), summaries, bold paragraphs, items, or topics whose text asks. The style
with the most questions is taken.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cms.formats.labels import difficulty_named
from cms.formats.lists.blocks import Block, Source, offset_of
from cms.formats.lists.titles import (
    ONLY_TAGS,
    Legend,
    Title,
    is_answer_summary,
    is_label,
    is_link,
    is_part_of_page,
    noise,
    plain,
    title_in,
    title_of,
)
from cms.vocabulary import Difficulty

FEWEST = 2
"""Questions that make a list."""

_PREFIXED = 0.5
_NUMBERED = 0.7
_TOPIC_BLOCKS = 6
_SHORT_TOPIC = 60
_DEPTHS = {"open": 1, "close": -1}


@dataclass(slots=True)
class Question:
    """A question's title and its blocks; `sections` are those it stands in, the outer first.

    `line` is that of its title, `start` the one from which on its text stands. `rest`
    is what stands on its title's own lines after the title.
    """

    title: Title
    line: int
    start: int
    blocks: list[Block] = field(default_factory=list)
    sections: tuple[str, ...] = ()
    difficulty: Difficulty | None = None
    rest: str = ""
    summary: str = ""
    is_topic: bool = False


@dataclass(slots=True)
class Listing:
    """A whole list. `left_out` counts lines of navigation, `notes` are sentences."""

    title: str = ""
    questions: list[Question] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    links: int = 0


Mark = tuple[Title, str, str]
"""A question's title, the rest of its lines, and its whole summary."""


class Segmenter:
    """Finds the questions of one file."""

    def __init__(self, source: Source, blocks: Sequence[Block], legend: Legend) -> None:
        self._source = source
        self._legend = legend
        self._blocks = list(blocks)
        self._levels: set[int] = set()
        self._next_kind = {id(a): b.kind for a, b in itertools.pairwise(self._blocks)}
        self._noise = {id(block): noise(block) for block in _all(blocks)}
        self._titles = {
            id(block): title_of(block.inline, legend)
            for block in _all(blocks)
            if block.kind == "heading"
        }

    def listing(self) -> Listing:
        """Return the list; one with less than two questions has none."""
        head = next((b for b in self._blocks if b.kind == "heading" and b.level == 1), None)
        links = sum(
            is_link(item[1].inline)
            for block in self._blocks
            if not self._noise[id(block)]
            for item in block.items
            if len(item) > 1
        )
        listing = Listing(title=plain(head.inline) if head else "", links=links)
        marks, opened = self._best(head)
        if len(marks) >= FEWEST:
            set_offsets(self._source, self._blocks, opened)
            self._divide(listing, marks, opened, head)
        return listing

    # --- styles ----------------------------------------------------------------------

    def _best(self, head: Block | None) -> tuple[dict[int, Mark], set[int]]:
        """Return the marks of questions by the ids of their blocks, and the lists to look into."""
        headings = self._headings(head)
        details = self._details()
        others = max((self._bold(), self._items()), key=lambda found: len(found[0]))
        topics = self._topics(head)
        asked = sum(
            title.asks or title.named or title.opens for title, _, _ in headings[0].values()
        )
        best = headings if 2 * len(headings[0]) >= len(others[0]) else others
        best = details if len(details[0]) >= max(FEWEST, len(best[0])) else best
        if len(topics[0]) >= FEWEST and len(topics[0]) > max(asked, 0.8 * len(best[0])):
            return topics
        return best

    def _headings(self, head: Block | None) -> tuple[dict[int, Mark], set[int]]:
        opened = {
            id(block)
            for block in self._blocks
            if any(len(item) > 1 and item[1].kind == "heading" for item in block.items)
        }
        found: dict[tuple[bool, int], list[Block]] = {}
        for block in _opened(self._blocks, opened):
            if block.kind == "heading" and block is not head and self._is_content(block):
                found.setdefault((block.in_item, block.level), []).append(block)
        likely = {
            key: sum(self._titles[id(b)].is_likely or key[0] for b in blocks)
            for key, blocks in found.items()
        }
        if not likely:
            return {}, opened
        chosen = max(likely, key=lambda key: (likely[key], key[1]))
        members = found[chosen]
        titles = [self._titles[id(block)] for block in members]
        named = sum(title.named for title in titles) >= _PREFIXED * len(titles)
        numbered = sum(title.number is not None for title in titles) >= _NUMBERED * len(titles)
        most = likely[chosen] >= _PREFIXED * len(titles)
        marks: dict[int, Mark] = {}
        for block, title in zip(members, titles, strict=True):
            if block.in_item:
                title.number = block.number if title.number is None else title.number
                is_question = True
            elif named:
                is_question = title.named or title.asks
            elif numbered:
                is_question = title.number is not None or title.asks
            else:
                is_question = title.is_likely or most
            if is_question and title.text:
                marks[id(block)] = (title, "", "")
        for key, blocks in found.items():
            if key[0] == chosen[0] and key[1] < chosen[1]:
                # One level up, but it asks and no question stands below it.
                marks |= {
                    id(block): (self._titles[id(block)], "", "")
                    for block in blocks
                    if self._titles[id(block)].asks and self._has_text(block)
                }
        return marks, opened

    def _has_text(self, heading: Block) -> bool:
        return self._next_kind.get(id(heading), "rule") not in {"heading", "rule"}

    def _is_content(self, block: Block) -> bool:
        text = self._titles[id(block)].text
        line = self._source.lines[block.start]
        return bool(text) and not is_part_of_page(text) and not is_label(line)

    def _details(self) -> tuple[dict[int, Mark], set[int]]:
        opened = {
            id(block)
            for block in self._blocks
            if any(len(item) > 1 and item[1].kind == "details" for item in block.items)
        }
        marks: dict[int, Mark] = {}
        for block in _opened(self._blocks, opened):
            summary = next((text for kind, text in block.events if kind == "summary"), "")
            if summary and not is_answer_summary(summary):
                head = re.split(r"^[^\S\n]*+(?:```|~~~)", summary, maxsplit=1, flags=re.MULTILINE)[
                    0
                ]
                title = title_in(head, self._legend)
                title.number = block.number if title.number is None else title.number
                if title.text:
                    marks[id(block)] = (title, "", summary[len(head) :])
        return marks, opened

    def _bold(self) -> tuple[dict[int, Mark], set[int]]:
        marks: dict[int, Mark] = {}
        for block in self._blocks:
            if block.kind != "paragraph":
                continue
            first, _, rest = block.text.partition("\n")
            bold, after = _bold_part(first)
            named = title_in(first, self._legend) if not bold and first[:1] in "Qq" else None
            title = title_in(bold, self._legend) if bold else named
            if title is None or not title.text or is_label(first):
                continue
            if title.asks or title.named or (bold and not after and title.is_likely):
                marks[id(block)] = (title, f"{after}\n{rest}".strip("\n"), "")
        return marks, set()

    def _items(self) -> tuple[dict[int, Mark], set[int]]:
        marks: dict[int, Mark] = {}
        opened: set[int] = set()
        for block in self._blocks:
            if block.kind != "list" or self._noise[id(block)]:
                continue
            found: dict[int, Mark] = {}
            asked = 0
            for item in block.items:
                if len(item) < 2 or item[1].kind != "paragraph" or is_link(item[1].inline):
                    continue
                first, _, rest = item[1].text.partition("\n")
                bold, after = _bold_part(first)
                title = title_in(bold if bold and after else first, self._legend)
                title.number = item[0].number
                asked += title.asks or is_label(rest)
                if title.text:
                    found[id(item[1])] = (title, f"{after if bold else ''}\n{rest}".strip("\n"), "")
            if asked and 2 * asked >= len(block.items):
                marks |= found
                opened.add(id(block))
        return marks, opened

    def _topics(self, head: Block | None) -> tuple[dict[int, Mark], set[int]]:
        """Find short headings under which a few lines ask something, and no more headings."""
        marks: dict[int, Mark] = {}
        headings = [i for i, block in enumerate(self._blocks) if block.kind == "heading"]
        for index, after in zip(headings, [*headings, len(self._blocks)][1:], strict=True):
            block, body = self._blocks[index], self._blocks[index + 1 : after]
            body = [each for each in body if each.kind != "rule" and not self._noise[id(each)]]
            title = self._titles[id(block)]
            asks = [b for b in body if b.kind == "paragraph" and plain(b.inline).endswith("?")]
            is_short = 0 < len(title.text) <= _SHORT_TOPIC and not title.asks
            if block is head or not asks or not is_short or len(body) > _TOPIC_BLOCKS:
                continue
            if body[-1] in asks or body[-1].kind in {"fence", "code", "table"}:
                marks[id(block)] = (title, "", "")
        return marks, set()

    # --- dividing ------------------------------------------------------------------------

    def _divide(
        self, listing: Listing, marks: dict[int, Mark], opened: set[int], head: Block | None
    ) -> None:
        style_level = max((b.level for b in _all(self._blocks) if id(b) in marks), default=0)
        question: Question | None = None
        sections: list[tuple[int, str]] = []
        skipped = depth = 0
        outside: list[Block] = []
        topics = bool(marks) and all(not mark[0].is_likely for mark in marks.values())
        for block in _opened(self._blocks, opened):
            mark = marks.get(id(block))
            if block.kind == "item":
                continue
            if skipped and not (block.kind == "heading" and block.level <= skipped):
                outside.append(block)
                continue
            skipped = 0
            if mark is not None:
                self._tell_outside(listing, outside)
                question = self._question(mark, block, sections)
                question.is_topic = topics
                listing.questions.append(question)
                depth = 0
                if block.kind == "details":
                    question.blocks.append(block)
                    depth = sum(_DEPTHS.get(kind, 0) for kind, _ in block.events)
                continue
            what = self._noise[id(block)]
            if what:
                listing.left_out[what] += 1
                self._source.drop(block)
            elif block is head:
                continue
            elif block.kind == "heading" and self._is_section(block, style_level, depth):
                self._tell_outside(listing, outside)
                question = None
                title = self._titles[id(block)].text
                while sections and sections[-1][0] >= block.level:
                    sections.pop()
                if is_part_of_page(title):
                    skipped = block.level
                    outside.append(block)
                elif title:
                    sections.append((block.level, title))
                    self._levels.add(block.level)
            elif question is not None:
                for kind, _ in block.events:
                    depth = max(0, depth + _DEPTHS.get(kind, 0))
                question.blocks.append(block)
            elif block.kind == "html" and ONLY_TAGS.match(block.text):
                listing.left_out["tags of the layout"] += 1
            elif block.kind != "rule":
                outside.append(block)
        self._tell_outside(listing, outside)

    def _is_section(self, block: Block, style_level: int, depth: int) -> bool:
        """Whether a heading that is no question begins a section: it is not inside an answer."""
        if block.in_item or is_label(self._source.lines[block.start]):
            return False
        if style_level:
            return block.level <= style_level
        # Details that were never closed end where a section like an earlier one begins.
        return depth == 0 or block.level in self._levels

    def _question(self, mark: Mark, block: Block, sections: list[tuple[int, str]]) -> Question:
        title, rest, summary = mark
        levels = [level for _, name in sections if (level := difficulty_named(name))]
        return Question(
            title,
            line=block.start,
            start=block.start if block.kind == "details" else block.stop,
            sections=tuple(name for _, name in sections if difficulty_named(name) is None),
            difficulty=title.difficulty or (levels[-1] if levels else None),
            rest=rest,
            summary=summary,
        )

    def _tell_outside(self, listing: Listing, outside: list[Block]) -> None:
        """Say what was left out before or between questions, and forget it."""
        if outside:
            start, stop = outside[0].start, outside[-1].stop
            words = " ".join(self._source.text(start, stop).split())
            shown = words if len(words) <= 80 else f"{words[:79]}…"
            if shown:
                place = self._source.place(start, stop)
                listing.notes.append(
                    f"Left out, since it belongs to no question ({place}): “{shown}”"
                )
        outside.clear()


def _all(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield blocks and those in the items of lists."""
    for block in blocks:
        yield block
        for item in block.items:
            yield from _all(item)


def _opened(blocks: Sequence[Block], opened: set[int]) -> Iterator[Block]:
    """Yield blocks in their order, and in the place of some lists what their items hold."""
    for block in blocks:
        if id(block) not in opened:
            yield block
            continue
        for item in block.items:
            yield from item


def set_offsets(source: Source, blocks: Sequence[Block], opened: set[int]) -> None:
    """Note how far the lines of opened lists stand in their items."""
    for block in blocks:
        if id(block) in opened:
            for item in block.items:
                offset = offset_of(source.lines[item[0].start])
                for line in range(item[0].start + 1, item[0].stop):
                    source.offsets[line] = offset


def _bold_part(line: str) -> tuple[str, str]:
    """Return the bold beginning of a line, and what follows it; ('', '') without one."""
    match = re.match(r"(?P<before>[^\w`*]{0,8})(?P<mark>\*\*|__)(?=\S)", line)
    if match is None:
        return "", ""
    end = line.find(match["mark"], match.end())
    if end < 0:
        return "", ""
    after = line[end + 2 :].strip()
    bold = match["before"].replace("*", "") + line[match.end() : end]
    if not re.search(r"\w", after):
        # A question mark, or the sign of a level.
        bold, after = f"{bold} {after}".replace(" ?", "?").rstrip(" :."), ""
    return bold, after
