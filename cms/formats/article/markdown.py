"""An answer's lines as Markdown blocks: paragraphs, lists, tables, code.

A plain text has lost its markup: bullets, columns and code are recognized and
marked again. A Markdown source (a converted page, or Markdown that was pasted)
keeps its own markup, and only unmarked code is added to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cms.formats.article import tables
from cms.formats.article.codelines import code_run, language_of
from cms.formats.article.inline import inline, plain
from cms.formats.escaping import escape_line_start

FENCE = re.compile(r"(?P<indent>[ \t]*+)(?P<marks>`{3,}+|~{3,}+)(?P<info>[^`]*+)$")
HEADING = re.compile(r"\s{0,3}(?P<marks>#{1,6})\s+(?P<text>\S.*)")

_BULLET = re.compile(
    r"(?P<indent>\s*+)(?P<mark>[•●▪◦‣∙⁃○■□➢➤✓✔]|[-*+–—·o](?=\s|$))\s*+(?P<text>.*)"
)
_INNER_BULLETS = frozenset("◦○□o")
_DOUBTFUL_BULLETS = frozenset("–—·o")
_NUMBER = re.compile(r"(?P<indent>\s*+)(?P<mark>\d{1,3}[.)])\s++(?P<text>\S.*)")
_ITEM = re.compile(r"\s*+(?:[-*+]|\d{1,3}[.)])(?:\s|$)")
# A shorter line was not wrapped by a page's width: its end was meant.
_WRAPPED_LINE = 50


class Kind(StrEnum):
    paragraph = "paragraph"
    heading = "heading"
    list = "list"
    table = "table"
    code = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of an answer; `text` is its Markdown, exactly as in the answer's body.

    `lines` are the lines of code between the fences, the items of a list or
    the cells of a table, as they stand in `text`. `mended` is set where the
    block's structure was put back: a table that was rebuilt, a fence that was
    closed.
    """

    kind: Kind
    text: str
    lines: tuple[str, ...] = ()
    language: str = ""
    mended: bool = False


def to_blocks(lines: Sequence[str], *, title: str, markup: bool) -> list[Block]:
    """Return the blocks of an answer; `title` tells what a flattened table compares."""
    builder = _Builder(lines, title=title, markup=markup)
    builder.run()
    return builder.blocks


class _Builder:
    """Walks the lines once; paragraphs wait until it is known whether they were cells."""

    def __init__(self, lines: Sequence[str], *, title: str, markup: bool) -> None:
        self.source = [line.rstrip() for line in lines]
        # Code is recognized in what the line says, not in how Markdown wrote it.
        self.texts = [_unmarked(line) for line in self.source] if markup else self.source
        self._stops = self._where_code_stops(markup)
        self.title = title
        self.markup = markup
        self.blocks: list[Block] = []
        self._waiting: list[list[str]] = []
        self._in_list = False
        self._number = 0

    def run(self) -> None:
        index = 0
        while index < len(self.source):
            line = self.source[index]
            if not line.strip():
                index += 1
            elif FENCE.match(line):
                index = self._fence(index)
            elif self.markup and HEADING.match(line):
                text = inline(line.strip(), markup=True)
                self._add(Block(Kind.heading, text))
                index += 1
            elif self.markup and line.lstrip().startswith("|"):
                index = self._table(index)
            elif self._is_item(index):
                index = self._list(index)
            elif code := self._code_at(index):
                end, language = code
                self._code(self.texts[index:end], language)
                index = end
            else:
                index = self._paragraph(index)
        self._flush()

    # --- blocks, in the order of `run` ---------------------------------------

    def _fence(self, start: int) -> int:
        opening = FENCE.match(self.source[start])
        assert opening is not None
        marks = opening["marks"]
        end = start + 1
        while end < len(self.source) and not _closes(self.source[end], marks):
            end += 1
        closed = end < len(self.source)
        code = self.source[start + 1 : end]
        while not closed and code and not code[-1].strip():
            code.pop()
        text = "\n".join([self.source[start], *code, opening["indent"] + marks])
        language = opening["info"].strip().split(" ", maxsplit=1)[0].lower()
        if not language:
            language = next(filter(None, map(language_of, code)), "")
        self._add(Block(Kind.code, text, tuple(code), language, mended=not closed))
        return end + 1

    def _table(self, start: int) -> int:
        end = start
        while end < len(self.source) and self.source[end].lstrip().startswith("|"):
            end += 1
        rows = [line.strip() for line in self.source[start:end]]
        cells = tuple(
            cell.strip()
            for row in rows
            if row.strip("|-: ")
            for cell in re.split(r"(?<!\\)\|", row.strip("|"))
        )
        self._add(Block(Kind.table, "\n".join(rows), cells))
        return end

    def _is_item(self, index: int) -> bool:
        line = self.source[index]
        if self.markup:
            return bool(_ITEM.match(line))
        number = _NUMBER.match(line)
        if number:
            return int(number["mark"][:-1]) in (1, self._number + 1)
        bullet = _BULLET.match(line)
        if not bullet:
            return False
        if bullet["mark"] in _DOUBTFUL_BULLETS:
            return index + 1 < len(self.source) and self.source[index + 1].lstrip().startswith(
                bullet["mark"] + " "
            )
        return bool(bullet["text"]) or self._next_text(index) is not None

    def _list(self, start: int) -> int:
        return self._marked_list(start) if self.markup else self._plain_list(start)

    def _marked_list(self, start: int) -> int:
        """Take items of a Markdown list; other blocks inside an item follow, indented."""
        end, items = start, []
        while end < len(self.source):
            line = self.source[end]
            if not line.strip() or FENCE.match(line):
                break
            items.append(_marked(line))
            end += 1
        if self.blocks and self.blocks[-1].kind is Kind.list and not self._waiting:
            # A loose list: its items were kept apart by blank lines.
            last = self.blocks.pop()
            self.blocks.append(
                Block(Kind.list, last.text + "\n\n" + "\n".join(items), (*last.lines, *items))
            )
        else:
            self._add(Block(Kind.list, "\n".join(items), tuple(items)))
        self._in_list = True
        return end

    def _plain_list(self, start: int) -> int:
        items: list[str] = []
        levels: list[tuple[int, bool, int]] = []  # (indent, inner mark, width of the marker)
        index = start
        while index < len(self.source):
            line = self.source[index]
            found = self._item(index)
            if found is None:
                follows = self._next_text(index) if not line.strip() else None
                if follows is not None and items and self._item(follows):
                    index = follows
                    continue
                if line.strip() and items and self._continues_item(index):
                    items[-1] += " " + inline(line.strip(), markup=False)
                    index += 1
                    continue
                break
            indent, mark, text = found
            index += 1
            if not text and (follows := self._next_text(index - 1)) is not None:
                # The mark stands on a line of its own, its text on the next.
                text, index = self.source[follows].strip(), follows + 1
            inner = mark in _INNER_BULLETS
            while levels and (levels[-1][0], levels[-1][1]) > (indent, inner):
                levels.pop()
            marker = mark if mark[0].isdigit() else "-"
            if not levels or (levels[-1][0], levels[-1][1]) < (indent, inner):
                levels.append((indent, inner, len(marker) + 1))
            margin = " " * sum(width for _, _, width in levels[:-1])
            self._number = int(mark[:-1]) if mark[0].isdigit() else self._number
            text = escape_line_start(inline(text, markup=False))
            items.append(f"{margin}{marker} {text}".rstrip())
        self._add(Block(Kind.list, "\n".join(items), tuple(items)))
        return index

    def _code(self, lines: Sequence[str], language: str) -> None:
        longest = max((len(run) for run in re.findall("`+", "\n".join(lines))), default=0)
        fence = "`" * max(3, longest + 1)
        text = "\n".join([fence + language, *lines, fence])
        self._add(Block(Kind.code, text, tuple(lines), language))

    def _paragraph(self, start: int) -> int:
        end = start + 1
        while end < len(self.source):
            line = self.source[end]
            if (
                not line.strip()
                or FENCE.match(line)
                or (self.markup and (HEADING.match(line) or line.lstrip().startswith("|")))
                or self._is_item(end)
                or language_of(self.texts[end]) is not None
                or self._code_at(end) is not None
            ):
                break
            end += 1
        if self._in_list and self.source[start][:1] in (" ", "\t"):
            self._add(Block(Kind.paragraph, "\n".join(map(_marked, self.source[start:end]))))
        else:
            self._waiting.append([line.strip() for line in self.source[start:end]])
        return end

    # --- what the blocks need to know ----------------------------------------

    def _where_code_stops(self, markup: bool) -> list[int]:
        """Return for every line the next Markdown heading or fence, which ends any code."""
        stops, stop = [], len(self.source)
        for index in reversed(range(len(self.source))):
            line = self.source[index]
            if FENCE.match(line) or (markup and HEADING.match(line)):
                stop = index
            stops.append(stop)
        return stops[::-1]

    def _code_at(self, index: int) -> tuple[int, str] | None:
        return code_run(self.texts, index, self._stops[index])

    def _next_text(self, index: int) -> int | None:
        """Return the index of the next line with text after `index`, blank lines passed over."""
        for later in range(index + 1, len(self.source)):
            if self.source[later].strip():
                return later
        return None

    def _item(self, index: int) -> tuple[int, str, str] | None:
        """Return (indent, mark, text) of a list item; numbers begin at 1 or go on."""
        line = self.source[index].expandtabs(4)
        found = _NUMBER.match(line)
        if found and int(found["mark"][:-1]) not in (1, self._number + 1):
            return None
        found = found or _BULLET.match(line)
        return (len(found["indent"]), found["mark"], found["text"].strip()) if found else None

    def _continues_item(self, index: int) -> bool:
        line = self.source[index]
        if self._code_at(index) is not None or FENCE.match(line):
            return False
        before = self.source[index - 1]
        wrapped = len(before) >= _WRAPPED_LINE and not before.endswith((".", "!", "?", ":"))
        return line[:1] in (" ", "\t") or line.strip()[0].islower() or wrapped

    # --- paragraphs that may have been a table -------------------------------

    def _add(self, block: Block) -> None:
        self._flush()
        self._in_list = self._in_list and (
            block.kind is Kind.list or block.text.startswith((" ", "\t"))
        )
        self.blocks.append(block)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        start = 0
        while start < len(waiting):
            end = start
            while end < len(waiting) and tables.is_cell(" ".join(waiting[end])):
                end += 1
            cells = [" ".join(lines) for lines in waiting[start:end]]
            table = tables.alternating_table(self.title, cells)
            if table:
                self._rebuilt(table)
                start = end
                continue
            for lines in waiting[start : max(end, start + 1)]:
                self._text(lines)
            start = max(end, start + 1)
        if waiting:
            self._in_list = False

    def _text(self, lines: Sequence[str]) -> None:
        table = None if self.markup else tables.spaced_table(lines)
        if table:
            self._rebuilt(table)
            return
        text = ""
        for index, line in enumerate(lines):
            if index:
                text += "\n" if self.markup or _wraps(lines[index - 1], line) else "\\\n"
            shown = inline(line, markup=self.markup)
            text += shown if self.markup else escape_line_start(shown)
        self.blocks.append(Block(Kind.paragraph, text))

    def _rebuilt(self, table: tables.Table) -> None:
        text = tables.render(table, markup=self.markup)
        rows = [row for index, row in enumerate(text.split("\n")) if index != 1]
        cells = tuple(cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row[1:-1]))
        self.blocks.append(Block(Kind.table, text, cells, mended=True))


def _closes(line: str, marks: str) -> bool:
    text = line.strip()
    return text.startswith(marks) and not text.strip(marks[0])


def _wraps(line: str, following: str) -> bool:
    """Whether a line's end is only a page's width, not the end of an item of its own."""
    return len(line) >= _WRAPPED_LINE or following[:1].islower()


def _marked(line: str) -> str:
    """Return a line of Markdown with its indent, and backticks for code that lacks them."""
    text = line.lstrip()
    return line[: len(line) - len(text)] + inline(text, markup=True)


def _unmarked(line: str) -> str:
    text = line.lstrip()
    return line[: len(line) - len(text)] + plain(text.removesuffix("\\")).rstrip()
