"""HTML as the XHTML that QTI allows in an item, and that of any item as HTML.

QTI leaves out a few elements and attributes of HTML; what Markdown says by them is
said by classes and labels, which every element may have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser

from cms.formats.xml import Node

_VOID = frozenset({"br", "hr", "img"})
_STRUCK = "struck"
_START = re.compile(r"\bstart-([0-9]{1,9})\b")

# --- writing ---------------------------------------------------------------------


def to_xhtml(html: str) -> str:
    """Return HTML that is well-formed by itself as XHTML of QTI 2.1."""
    writer = _Writer()
    writer.feed(html)
    writer.close()
    return "".join(writer.pieces)


class _Writer(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        # Where the head of a table stands that has no body yet.
        self._head: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name, attributes = _allowed(tag, {key: value or "" for key, value in attrs})
        if tag == "thead":
            self._head = [len(self.pieces)]
        elif tag == "tbody":
            self._head = []
        said = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
        self.pieces.append(f"<{name}{said}{'/' if name in _VOID else ''}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if tag == "thead" and self._head:
            self._head.append(len(self.pieces))
        elif tag == "table" and self._head:
            # A table has to have a body, so the head is one.
            start, end = self._head
            self.pieces[start], self.pieces[end] = "<tbody>", "</tbody>"
            self._head = []
        self.pieces.append(f"</{_allowed(tag, {})[0]}>")

    def handle_data(self, data: str) -> None:
        self.pieces.append(escape(data, quote=False))


def _allowed(tag: str, attributes: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return an element as QTI has it: its name and its attributes."""
    if tag in {"s", "del"}:
        return "span", {"class": _STRUCK}
    start = attributes.pop("start", None)
    if start is not None:
        attributes["class"] = f"start-{start}"
    title = attributes.pop("title", None)
    if title is not None:
        attributes["label"] = title[:256]
    return tag, attributes


# --- reading ---------------------------------------------------------------------

_KEPT = frozenset({"alt", "class", "href", "src"})


def to_html(node: Node, leave_out: frozenset[str] = frozenset()) -> str:
    """Return what stands in an element as HTML, without elements of some names."""
    return "".join(_pieces(node, leave_out)).strip()


def _pieces(node: Node, leave_out: frozenset[str]) -> Iterator[str]:
    for child in node.children:
        if isinstance(child, str):
            yield escape(child, quote=False)
        elif child.name == "object":
            # The other way in which QTI shows an image; its content stands in for it.
            address = escape(child.attributes.get("data", ""))
            yield f'<img src="{address}" alt="{escape(child.text.strip())}">'
        elif child.name not in leave_out:
            yield from _element(child, leave_out)


def _element(node: Node, leave_out: frozenset[str]) -> Iterator[str]:
    name = node.name
    attributes = {key: value for key, value in node.attributes.items() if key in _KEPT}
    classes = node.attributes.get("class", "")
    if name == "span" and classes == _STRUCK:
        name = "s"
    if name == "ol" and (start := _START.search(classes)):
        attributes["start"] = start[1]
    if name in {"a", "img"} and node.attributes.get("label"):
        attributes["title"] = node.attributes["label"]
    said = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    yield f"<{name}{said}>"
    if name not in _VOID:
        yield from _pieces(node, leave_out)
        yield f"</{name}>"
