"""The Markdown of an HTML tree, so exact that rendering it gives that tree again.

What is written here differs from what a library for pages makes of HTML in this:
a list stays tight or loose, white space that shows is kept, and markup that
Markdown cannot say in its place (emphasis inside a word that begins with a
quotation mark) leaves its words alone. CommonMark 0.31 says what each mark needs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from bs4 import Tag
from bs4.element import NavigableString, PageElement

from cms.formats.escaping import code_span, collapsed, escape, escape_line_start, fenced
from cms.formats.htmlformulas import TAG, block_formula, written_formula

ImageOf = Callable[[str], str]
"""What stands in Markdown for the address of an image; '' leaves its words alone."""

_CONTAINERS = frozenset({"[document]", "div"})
_BLOCKS = _CONTAINERS | {
    *("blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "table"),
    *("tbody", "td", "th", "thead", "tr", "ul"),
}
_EMPHASIS = {"em": "*", "i": "*", "strong": "**", "b": "**", "s": "~~", "del": "~~"}
_HIGHEST_NUMBER = 999_999_999  # Of an item: CommonMark reads nine digits.

# What the first characters of a line make of it, beyond `escape_line_start`: a rule, the
# line below a table's head, the underline of a heading.
_RULE = re.compile(r"[|:\-= \t]++$")
_CODE_CLASS = re.compile(r"(?:lang|brush|highlight)[-:]\s*(?P<name>[\w+#.-]++)")
_OWN_CODE_CLASS = "language-"
_BEYOND_ESCAPE = re.compile(r"~|!(?=\[|\Z)")
_BRACKETS = re.compile(r"[\[\]]")
_IN_ADDRESS = re.compile(r"[\\()&<>]|\s")
_IN_TITLE = re.compile(r'[\\"&]|\n')


class MarkdownWriter:
    """Writes a tree of clean HTML as Markdown; `image` is asked for each image."""

    def __init__(self, image: ImageOf) -> None:
        self._image = image

    def document(self, tree: Tag) -> str:
        """Return the Markdown of everything in `tree`."""
        return "\n\n".join(self._blocks(tree))

    # --- blocks ----------------------------------------------------------------------

    def _blocks(self, parent: Tag, *, bullet: str = "-") -> Iterator[str]:
        """Yield the blocks of an element; `bullet` begins its first list."""
        before = ""
        for is_block, some in groupby(parent.children, _is_block):
            if not is_block:
                for text in self._paragraphs(list(some)):
                    before = ""
                    yield text
                continue
            for element in some:
                assert isinstance(element, Tag)
                if element.name in {"ul", "ol"}:
                    # Two lists of one mark in a row would be one list.
                    other = {"-": "*", ".": ")"}
                    mark = "." if element.name == "ol" else bullet
                    mark = other.get(mark, "-") if before == mark else mark
                    text = self._list(element, mark)
                    before = mark if text else before
                else:
                    text = self._block(element)
                    before = "" if text else before
                if text:
                    yield text

    def _block(self, element: Tag) -> str:
        name = element.name
        if name == "p":
            return "\n\n".join(self._paragraphs(list(element.children)))
        if name == "pre":
            return fenced(_code(element), _info(element))
        if name == "hr":
            return "___" if element.parent is not None and element.parent.name == "li" else "---"
        if name == "table":
            return self._table(element)
        if name == "blockquote":
            return _indented("\n\n".join(self._blocks(element)), "> ", "> ") or ">"
        if name[0] == "h":
            return self._heading(element)
        # What stands where it makes no sense, such as a cell without a table, has its content.
        return "\n\n".join(self._blocks(element))

    def _paragraphs(self, nodes: Sequence[PageElement]) -> Iterator[str]:
        for some in _split_at_double_breaks(nodes):
            if block := block_formula(some):
                yield block
                continue
            text = self._inline(some, lines=True)
            if text:
                yield text

    def _heading(self, element: Tag) -> str:
        text = self._inline(element.children, lines=False)
        if text.endswith("#"):
            text = f"{text[:-1]}\\#"
        return f"{'#' * int(element.name[1])} {text}".rstrip(" ")

    def _list(self, element: Tag, mark: str) -> str:
        items = [each for each in element.children if isinstance(each, Tag)]
        loose = any(_direct(item, "p") for item in items)
        number = str(element.get("start") or "")
        start = int(number) if number.isdecimal() and len(number) < 10 else 1
        written = []
        for index, item in enumerate(items):
            number = str(min(start + index, _HIGHEST_NUMBER)) if element.name == "ol" else ""
            label = f"{number}{mark}"
            written.append(self._item(item, label, loose=loose))
        return ("\n\n" if loose else "\n").join(written)

    def _item(self, item: Tag, label: str, *, loose: bool) -> str:
        # A list right at the beginning takes another bullet: '- - -' is a rule.
        bullet = {"-": "*", "*": "-"}.get(label, "-")
        first = next((each for each in item.children if not _is_blank(each)), None)
        begins = isinstance(first, Tag) and first.name == "ul"
        blocks = list(self._blocks(item, bullet=bullet if begins else "-"))
        text = "\n\n".join(blocks) if loose else _tight(blocks)
        width = len(label) + 1
        if any(line.lstrip(" ").startswith("\t") for line in text.split("\n")):
            # Code that begins with tabs keeps them only where tabs stop.
            width += -width % 4
        return _indented(text, label.ljust(width), " " * width).rstrip(" ") or label

    def _table(self, table: Tag) -> str:
        rows = [
            [self._cell(cell) for cell in row.children if isinstance(cell, Tag)]
            for row in table.find_all("tr")
            if row.find_parent("table") is table
        ]
        width = max(map(len, rows), default=0)
        if not width:
            return ""
        first = table.find("tr")
        if not _is_head(first):
            rows.insert(0, [])
        lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in rows]
        lines.insert(1, "| " + " | ".join(["---"] * width) + " |")
        return "\n".join(lines)

    def _cell(self, cell: Tag) -> str:
        return self._inline(cell.children, lines=False).replace("|", "\\|")

    # --- inline ----------------------------------------------------------------------

    def _inline(self, nodes: Iterable[PageElement], *, lines: bool, linked: bool = False) -> str:
        """Return inline content; without `lines` on one line, `linked` inside of a link."""
        pieces = [piece for node in nodes for piece in self._pieces(node, linked)]
        text = _joined(pieces)
        if not lines:
            return _edges_kept(text.replace("\\\n", " ").replace("\n", " ").strip(" "))
        text = text.strip(" \t\n")
        while text.endswith("\\") and (len(text) - len(text.rstrip("\\"))) % 2:
            # A break at the end of a paragraph breaks nothing, and would show its backslash.
            text = text[:-1].rstrip(" \t\n")
        return _edges_kept("\n".join(map(_line, text.split("\n"))))

    def _pieces(self, node: PageElement, linked: bool) -> Iterator[tuple[str, str]]:
        """Yield (mark, text): text that stands between two marks of emphasis, or '' and text."""
        if isinstance(node, NavigableString):
            yield "", _escaped(collapsed(node), linked)
            return
        assert isinstance(node, Tag)
        if node.name in _EMPHASIS:
            yield _EMPHASIS[node.name], self._inner(node, linked)
        elif node.name == "code":
            code = _code(node).replace("\n", " ")
            yield "", code_span(code) if code else ""
        elif node.name == "a" and not linked and isinstance(node.get("href"), str):
            yield "", self._link(node)
        elif node.name == "img":
            yield "", self._image_of(node)
        elif node.name == TAG:
            yield "", written_formula(node)
        elif node.name == "br":
            yield "", "\\\n"
        elif node.name in _BLOCKS:
            yield "", f" {self._inner(node, linked)} "
        else:
            for child in node.children:
                yield from self._pieces(child, linked)

    def _inner(self, node: Tag, linked: bool) -> str:
        return _joined([piece for child in node.children for piece in self._pieces(child, linked)])

    def _link(self, node: Tag) -> str:
        words = self._inner(node, linked=True)
        title = str(node.get("title") or "")
        shown = f' "{_IN_TITLE.sub(_entity, title)}"' if title else ""
        address = _IN_ADDRESS.sub(_entity, str(node["href"]))
        return f"[{words}]({address}{shown})"

    def _image_of(self, node: Tag) -> str:
        words = _escaped(collapsed(str(node.get("alt") or "")), linked=True)
        address = self._image(str(node.get("src") or ""))
        return f"![{words}]({_IN_ADDRESS.sub(_entity, address)})" if address else words


# --- what has a place -----------------------------------------------------------------


def _is_block(node: PageElement) -> bool:
    return isinstance(node, Tag) and node.name in _BLOCKS


def _is_blank(node: PageElement) -> bool:
    return isinstance(node, NavigableString) and not node.strip()


def _direct(parent: Tag, name: str) -> bool:
    return any(isinstance(each, Tag) and each.name == name for each in parent.children)


def _is_head(row: Tag | None) -> bool:
    """Whether a table's first row is its head."""
    if row is None:
        return False
    in_head = row.parent is not None and row.parent.name == "thead"
    return in_head or not _direct(row, "td")


def _split_at_double_breaks(nodes: Sequence[PageElement]) -> Iterator[list[PageElement]]:
    """Split where two breaks touch: so editors that know no paragraphs begin one.

    Our own breaks have a line end behind them, and never touch.
    """
    some: list[PageElement] = []
    for node in nodes:
        touches = bool(some) and _is_break(node) and _is_break(some[-1])
        if touches:
            yield some[:-1]
            some = []
        else:
            some.append(node)
    yield some


def _is_break(node: PageElement) -> bool:
    return isinstance(node, Tag) and node.name == "br"


def _tight(blocks: Sequence[str]) -> str:
    """Join the blocks of a tight item: a blank line only where one is needed."""
    text = ""
    for block in blocks:
        if text:
            # A paragraph or a quotation goes on with whatever text follows; only a list
            # that begins with 1 interrupts a paragraph.
            last = text.rsplit("\n", 1)[-1]
            apart = _opens(block) is False or (last.startswith((">", "|")) and block[0] in ">|")
            text += "\n\n" if apart and not last.startswith(("```", "~~~")) else "\n"
        text += block
    return text


def _opens(block: str) -> bool:
    """Whether a block begins a line of its own below a paragraph."""
    return bool(re.match(r"#{1,6}(?: |$)|>|[-*] |```|~~~|___|\||1[.)] ", block))


def _indented(text: str, first: str, rest: str) -> str:
    """Return lines with a margin; a line in which nothing stands gets no space at its end."""
    lines = text.split("\n")
    margins = [first, *[rest] * (len(lines) - 1)]
    bare = rest.rstrip(" ")
    return "\n".join(
        margin + line if line else (margin.rstrip(" ") if index == 0 else bare)
        for index, (margin, line) in enumerate(zip(margins, lines, strict=True))
    )


def _code(element: Tag) -> str:
    for each in element.find_all("br"):
        each.replace_with("\n")
    return element.get_text()


def _info(pre: Tag) -> str:
    """Return what stands behind the opening of a fence: the language, and words such as 'run'."""
    for element in (pre, *pre.find_all("code", limit=1)):
        classes = " ".join(element.get_attribute_list("class"))
        if classes.startswith(_OWN_CODE_CLASS):
            return classes.removeprefix(_OWN_CODE_CLASS)
        if found := _CODE_CLASS.match(classes):
            return found["name"]
    return ""


# --- text -----------------------------------------------------------------------------


def _escaped(text: str, linked: bool) -> str:
    """Return text as Markdown; `linked` has no bracket that would end the link's words."""
    shown = _BEYOND_ESCAPE.sub(r"\\\g<0>", escape(text).replace("\\~", "~"))
    return _BRACKETS.sub(r"\\\g<0>", shown.replace("\\]", "]")) if linked else shown


def _line(line: str) -> str:
    line = line.strip(" \t")
    if _RULE.match(line):
        return f"\\{line}"
    return escape_line_start(line)


def _edges_kept(text: str) -> str:
    """Write white space that shows, such as a no-break space, so that it stays at the edges."""
    if text == text.strip():
        return text
    lead = len(text) - len(text.lstrip())
    trail = max(lead, len(text.rstrip()))
    return "".join([*map(_numbered, text[:lead]), text[lead:trail], *map(_numbered, text[trail:])])


def _numbered(character: str) -> str:
    return f"&#{ord(character)};"


def _entity(found: re.Match[str]) -> str:
    return _numbered(found[0]) if found[0].isspace() else f"\\{found[0]}"


def _margins(text: str) -> tuple[str, str]:
    """Return the spaces around a text; of spaces alone, one in front."""
    if not text.strip(" "):
        return (" ", "") if text else ("", "")
    return " " * text.startswith(" "), " " * text.endswith(" ")


def _joined(pieces: Sequence[tuple[str, str]]) -> str:
    """Return the pieces of a line, each between its marks where they would be read as such."""
    result = ""
    for index, (mark, text) in enumerate(pieces):
        if not mark:
            # HTML shows no white space after a break; in Markdown a line end would be another.
            # Beside an image that left no words, two spaces meet.
            if result.endswith((" ", "\n")):
                text = text.lstrip(" \n" if result.endswith("\\\n") else " ")
            result += text
            continue
        lead, trail = _margins(text)
        inner = text.strip(" ")
        following = next((t for m, t in pieces[index + 1 :] for t in (m, t) if t), "")
        before = lead or result[-1:]
        after = trail or following[:1]
        result += lead + _marked(mark, inner, before, after) + trail
    return result


def _marked(mark: str, inner: str, before: str, after: str) -> str:
    """Return text between marks, or alone where Markdown would not read them as emphasis."""
    if not inner or not inner.strip():
        return inner
    in_word = _is_word(before) or _is_word(after)
    if mark[0] == "*" and not in_word and (before == "*" or "*" in inner):
        # With other stars beside or inside, underscores are the mark; in a word they are none.
        mark = "_" * len(mark)
    # Marks of one character that touch are one run: what counts is what the run touches.
    first, last = inner.lstrip(mark[0])[:1], inner.rstrip(mark[0])[-1:]
    opens = not first.isspace() and not (_is_punctuation(first) and _is_word(before))
    closes = not last.isspace() and not (_is_punctuation(last) and _is_word(after))
    return f"{mark}{inner}{mark}" if first and opens and closes else inner


def _is_punctuation(character: str) -> bool:
    """Whether CommonMark counts it as punctuation: Unicode's P and S."""
    return unicodedata.category(character)[0] in "PS"


def _is_word(character: str) -> bool:
    return bool(character) and not character.isspace() and not _is_punctuation(character)
