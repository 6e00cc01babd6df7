"""The lines of a Markdown file, and the blocks that CommonMark sees in them.

`<details>` and `<summary>` are blocks of their own here, wherever a line begins
with them: in CommonMark they would take the Markdown below them along as HTML
up to the next blank line, or a fence would not begin. A fence that swallows
what are clearly headings of questions is closed before the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

# Fences that are closed for want of an end; the rest of a file with more is left as it is.
_CUTS = 12
_SUMMARY_LIMIT = 10_000  # characters of a summary
# Characters of a paragraph beyond which it is plain text: brackets cost the square of their number.
_INLINE_LIMIT = 10_000

_TAG = re.compile(r"<(?P<close>/?)(?P<name>details|summary)\b[^<>]{0,500}>", re.IGNORECASE)
_SUMMARY_END = re.compile(r"</summary\s{0,9}>|<summary\b|</?details\b", re.IGNORECASE)
_DETAILS_END = re.compile(r"</details\s{0,9}>\s*\Z", re.IGNORECASE)
_LAYOUT = re.compile(
    r"</?(?:address|article|aside|body|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form"
    r"|h[1-6]|header|hr|html|iframe|li|main|nav|ol|p|section|table|tbody|td|tfoot|th|thead|tr|ul"
    r"|video)(?:\s|/?>|\Z)",
    re.IGNORECASE,
)
_ENDS_LAYOUT = re.compile(r"\s*(?:</?(?:details|summary)\b|`{3}|~{3}|<!--)", re.IGNORECASE)
_MARKER = re.compile(r"(?P<item>\s{0,3}(?:\d{1,9}[.)]|[-*+]))(?P<space>\s*)")
_HEADING_LINE = re.compile(r"(?:\d{1,4}[.)] {1,4})?(?P<marks>#{1,6}) +(?P<title>\S.*)")
_ASKING = re.compile(r"(?:Q\b|Question\b|\d{1,4}[.):])|.*\?\s*+#*+\s*+\Z", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Block:
    """Lines `start` to `stop` (exclusive) of the file, and what they are.

    `kind` is heading, paragraph, list, item, fence, html, details, comment, rule or
    other; `inline` are the tokens of a heading's or paragraph's text, `events` what
    a line of details says: open, summary, text or close, each with its text.
    `items` are those of a list, each an item and the blocks in it.
    """

    kind: str
    start: int
    stop: int
    level: int = 0
    number: int | None = None
    in_item: bool = False
    inline: list[Token] = field(default_factory=list)
    text: str = ""
    events: list[tuple[str, str]] = field(default_factory=list)
    items: list[list[Block]] = field(default_factory=list)
    inlines: list[list[Token]] = field(default_factory=list)


@dataclass(slots=True)
class Source:
    """The lines of a file as they will be read.

    `numbers` are those that people see, from 1; `replaced` holds what stands in the
    place of a line (None: nothing), `offsets` how far a line stands in its list.
    `broken` are the lines of fences that had no end.
    """

    lines: list[str]
    numbers: list[int]
    replaced: dict[int, str | None] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)

    def text(self, start: int, stop: int) -> str:
        """Return the Markdown of lines: what was left out leaves no gap."""
        found: list[str] = []
        gap = False
        for index in range(start, stop):
            line = self.replaced.get(index, self.lines[index])
            if line is None:
                gap = True
                continue
            line = _dedented(line, self.offsets.get(index, 0))
            if gap and not line.strip() and (not found or not found[-1].strip()):
                continue
            gap = gap and not line.strip()
            found.append(line)
        return "\n".join(found)

    def drop(self, block: Block) -> None:
        for index in range(block.start, block.stop):
            self.replaced[index] = None

    def place(self, start: int, stop: int) -> str:
        """Return lines as people name them."""
        first, last = self.numbers[start], self.numbers[max(start, stop - 1)]
        return f"line {first}" if first == last else f"lines {first}–{last}"


def _dedented(line: str, offset: int) -> str:
    column = 0
    for index, character in enumerate(line):
        if column >= offset or character not in " \t":
            return line[index:]
        column += 1 if character == " " else 4 - column % 4
    return ""


def parse(text: str) -> tuple[Source, list[Block]]:
    """Return a file's lines and its blocks."""
    lines = text.split("\n")
    source = Source(lines, list(range(1, len(lines) + 1)))
    blocks: list[Block] = []
    start = cuts = 0
    levels = _levels(lines)
    while start < len(lines):
        tokens = _parser.parse("\n".join(lines[start:]))
        cut = _swallowing(tokens, lines, start, levels) if cuts < _CUTS else None
        stop = len(lines)
        if cut is not None:
            fence, stop = cut
            source.broken.add(fence)
            markup = _dedented(lines[fence], 99).rstrip()
            lines.insert(stop, markup[: len(markup) - len(markup.lstrip(markup[0]))])
            source.numbers.insert(stop, source.numbers[stop])
            stop += 1
            cuts += 1
            tokens = _parser.parse("\n".join(lines[start:stop]))
        blocks += _blocks(tokens, 0, len(tokens), start, source)
        start = stop
    return source, blocks


def _levels(lines: Sequence[str]) -> set[str]:
    found = [match for line in lines if (match := _HEADING_LINE.match(line))]
    return {match["marks"] for match in found if _ASKING.match(match["title"])}


def _swallowing(
    tokens: Sequence[Token], lines: Sequence[str], start: int, levels: set[str]
) -> tuple[int, int] | None:
    """Return the first fence that has swallowed a question's heading, and that heading's line.

    A fence is suspected if it has no end, or if another one begins in it.
    """
    for token in tokens:
        if token.type != "fence" or token.map is None:
            continue
        first, last = token.map[0] + start, token.map[1] + start
        closed = last - 1 > first and lines[last - 1].strip(" >\t").startswith(token.markup)
        content = token.content.split("\n")
        suspected = not closed or any(
            line.startswith(token.markup) and line.strip(token.markup[0]).strip()
            for line in content
        )
        if not suspected:
            continue
        for index in range(first + 1, last):
            match = _HEADING_LINE.match(lines[index])
            asks = match and match["marks"] in levels and _ASKING.match(match["title"])
            opens = not closed and lines[index].lower().startswith("<details")
            if (asks or opens) and not lines[index - 1].strip():
                return first, index
    return None


# --- from tokens to blocks ------------------------------------------------------------


def _blocks(
    tokens: Sequence[Token], start: int, stop: int, line: int, source: Source
) -> list[Block]:
    """Return the blocks of tokens `start` to `stop`, whose lines count from `line`."""
    found: list[Block] = []
    index = start
    while index < stop:
        token = tokens[index]
        end = _closing(tokens, index, stop)
        if token.map is not None:
            block = Block("other", token.map[0] + line, token.map[1] + line)
            _fill(block, token, tokens, index, end, line, source)
            found.append(block)
            found += _closed_at_end(block, source)
        index = end + 1
    return found


def _closing(tokens: Sequence[Token], index: int, stop: int) -> int:
    if tokens[index].nesting != 1:
        return index
    level = tokens[index].level
    for other in range(index + 1, stop):
        if tokens[other].nesting == -1 and tokens[other].level == level:
            return other
    return stop - 1


def _fill(
    block: Block,
    token: Token,
    tokens: Sequence[Token],
    index: int,
    end: int,
    line: int,
    source: Source,
) -> None:
    match token.type:
        case "heading_open" | "paragraph_open":
            block.kind = token.type.removesuffix("_open")
            block.level = int(token.tag[1:]) if block.kind == "heading" else 0
            block.inline = tokens[index + 1].children or []
            block.text = tokens[index + 1].content
        case "ordered_list_open" | "bullet_list_open":
            block.kind = "list"
            block.items = list(_items(tokens, index + 1, end, line, source))
        case "fence" | "code_block":
            block.kind = "fence" if token.type == "fence" else "code"
            block.text = token.content
        case "html_block":
            block.kind, block.text = "html", token.content
        case "details":
            block.kind = "details"
            block.events = token.meta["events"]
            if all(kind == "comment" for kind, _ in block.events):
                block.kind = "comment"
        case "hr":
            block.kind = "rule"
        case "table_open":
            block.kind = "table"
    if block.kind in {"list", "table", "other"}:
        block.inlines = [each.children or [] for each in tokens[index:end] if each.type == "inline"]


def _items(
    tokens: Sequence[Token], start: int, stop: int, line: int, source: Source
) -> Iterator[list[Block]]:
    index = start
    while index < stop:
        token = tokens[index]
        end = _closing(tokens, index, stop)
        if token.map is not None:
            item = Block("item", token.map[0] + line, token.map[1] + line)
            item.number = int(token.info) if token.info.isdecimal() else None
            inside = _blocks(tokens, index + 1, end, line, source)
            for block in inside:
                block.in_item, block.number = True, item.number
            yield [item, *inside]
        index = end + 1


def offset_of(line: str) -> int:
    """Return the column in which the content of a list's item stands, by its first line."""
    match = _MARKER.match(line)
    if match is None:
        return 0
    space = match["space"]
    return len(match["item"]) + (len(space) if 1 <= len(space) <= 4 else 1)


def _closed_at_end(block: Block, source: Source) -> Iterator[Block]:
    """Take a `</details>` off the end of a paragraph or of HTML, and yield it as a block."""
    if block.kind not in {"paragraph", "html"}:
        return
    last = block.stop - 1
    shown = source.lines[last]
    match = _DETAILS_END.search(shown[-40:])
    if match is not None:
        source.replaced[last] = shown[: len(shown) - len(match[0])].rstrip() or None
        yield Block("details", block.stop, block.stop, events=[("close", "")])


# --- the parser ------------------------------------------------------------------------


def _details(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a line that begins with details, a summary or a comment."""
    if state.is_code_block(line):
        return False
    position = state.bMarks[line] + state.tShift[line]
    if state.src[position : position + 4] == "<!--":
        return _comment(state, line, end, position, silent)
    if _TAG.match(state.src, position, state.eMarks[line]) is None:
        return False
    if silent:
        return True
    events: list[tuple[str, str]] = []
    last = line
    while match := _TAG.match(state.src, position, state.eMarks[last]):
        position = match.end()
        if match["name"].lower() == "details":
            events.append(("close" if match["close"] else "open", ""))
        elif not match["close"]:
            stop = _SUMMARY_END.search(state.src, position, position + _SUMMARY_LIMIT)
            if stop is not None and stop[0].lower().startswith("</summary"):
                inside = last
                while inside + 1 < end and state.eMarks[inside] < stop.end():
                    inside += 1
                if state.eMarks[inside] >= stop.end():
                    events.append(("summary", state.src[position : stop.start()]))
                    last, position = inside, stop.end()
        while position < state.eMarks[last] and state.src[position] in " \t":
            position += 1
        if position >= state.eMarks[last] and events and events[-1][0] == "open":
            below = state.bMarks[last + 1] + state.tShift[last + 1] if last + 1 < end else position
            if state.src[below : below + 8].lower() == "<summary":
                last, position = last + 1, below
    rest = state.src[position : state.eMarks[last]].strip()
    closing = _DETAILS_END.search(rest[-40:])
    if closing:
        rest = rest[: len(rest) - len(closing[0])].rstrip()
    if rest:
        events.append(("text", rest))
    if closing:
        events.append(("close", ""))
    _push(state, line, last + 1, events)
    return True


def _comment(state: StateBlock, line: int, end: int, position: int, silent: bool) -> bool:
    # Looked for once: after a comment without an end there is none for any other.
    if position >= state.env.get("no_end_from", len(state.src) + 1):
        return False
    close = state.src.find("-->", position + 4, state.eMarks[end - 1])
    if close < 0:
        state.env["no_end_from"] = position
        return False
    if silent:
        return True
    last = line
    while last + 1 < end and state.eMarks[last] < close + 3:
        last += 1
    rest = state.src[close + 3 : state.eMarks[last]].strip()
    _push(state, line, last + 1, [("comment", ""), *([("text", rest)] if rest else [])])
    return True


def _push(state: StateBlock, line: int, stop: int, events: list[tuple[str, str]]) -> None:
    token = state.push("details", "", 0)
    token.map = [line, stop]
    token.meta = {"events": events}
    state.line = stop


def _layout(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read HTML up to a blank line, as CommonMark does, or to where details or a fence begin."""
    if state.is_code_block(line):
        return False
    position = state.bMarks[line] + state.tShift[line]
    if not _LAYOUT.match(state.src, position, state.eMarks[line]):
        return False
    if silent:
        return True
    last = line + 1
    while last < end and state.sCount[last] >= state.blkIndent:
        begin = state.bMarks[last] + state.tShift[last]
        if begin >= state.eMarks[last] or _ENDS_LAYOUT.match(state.src, begin, state.eMarks[last]):
            break
        last += 1
    token = state.push("html_block", "", 0)
    token.map = [line, last]
    token.content = state.getLines(line, last, state.blkIndent, True)
    state.line = last
    return True


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    interrupts: Any = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("html_block", "details", _details, interrupts)
    parser.block.ruler.before("html_block", "layout", _layout, interrupts)
    parser.core.ruler.at("inline", _inline)
    return parser


def _inline(state: StateCore) -> None:
    """Parse the text of each block, as the parser's own rule does, if it is not too long."""
    for token in state.tokens:
        if token.type != "inline":
            continue
        if len(token.content) <= _INLINE_LIMIT:
            token.children = []
            state.md.inline.parse(token.content, state.md, state.env, token.children)
        else:
            token.children = [Token("text", "", 0, content=token.content)]


_parser = _make_parser()


def inline_tokens(text: str) -> list[Token]:
    """Return the inline tokens of a short text, such as a summary's."""
    (token,) = _parser.parseInline(text)
    return token.children or []
