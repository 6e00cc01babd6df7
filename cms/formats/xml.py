"""XML from anybody, read piece by piece: no document type, so no entities; bounded depth and size.

Expat alone decides what is well-formed. What the formats need of a document is
small trees, one at a time: a question's element is let go before the next is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pyexpat import ExpatError, ParserCreate
from pyexpat import errors as expat_errors

from cms.errors import UnreadableFile
from cms.formats.encoding import opening, utf8
from cms.formats.incoming import Upload

DEPTH_LIMIT = 100  # elements inside each other
NODES_LIMIT = 20_000  # elements of one tree
PARTS_LIMIT = 500_000  # elements below the root of a document that is read in parts
TAG_LIMIT = 2_000_000  # bytes of one tag with its attributes, or of one comment

# Bytes that expat gets at once. It looks again at the beginning of what it has not
# the end of yet, so small pieces of a huge attribute would cost their square.
_PIECE = 1_000_000
_CUT_OFF = {
    expat_errors.codes[message]
    for message in (
        expat_errors.XML_ERROR_NO_ELEMENTS,
        expat_errors.XML_ERROR_UNCLOSED_TOKEN,
        expat_errors.XML_ERROR_PARTIAL_CHAR,
        expat_errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}


@dataclass(slots=True)
class Node:
    """An element: its local name, its attributes by local name, its line, what stands in it."""

    name: str
    attributes: dict[str, str]
    line: int
    children: list[Node | str] = field(default_factory=list)

    def elements(self, name: str = "") -> Iterator[Node]:
        """Yield the child elements, or those of a name."""
        for child in self.children:
            if isinstance(child, Node) and name in ("", child.name):
                yield child

    def first(self, *path: str) -> Node:
        """Return the first element below each name of a path; an empty one if there is none."""
        node = self
        for name in path:
            node = next(node.elements(name), Node(name, {}, self.line))
        return node

    def descendants(self, *names: str) -> Iterator[Node]:
        """Yield the elements of some names anywhere below, in the order of the document."""
        for child in self.elements():
            if child.name in names:
                yield child
            yield from child.descendants(*names)

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class _Walled(Exception):
    """A wall was met; `args` is what to say."""


class _Trees:
    """Builds the trees below the root, or the root's own; `done` has those that are complete."""

    def __init__(self, level: int) -> None:
        # Trees begin at this depth: 0 for the root's own, 1 for those of its children.
        self.level = level
        self.root: str | None = None
        self.done: list[Node] = []
        self._open: list[Node] = []
        self._depth = 0
        self._count = 0
        # A name comes behind its namespace, with a space between.
        self.parser = ParserCreate("utf-8", " ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if self._depth == 0:
            self.root = local
        if self._depth >= DEPTH_LIMIT:
            raise _Walled(f"Elements are nested more than {DEPTH_LIMIT} deep here. Flatten them.")
        if self._depth >= self.level:
            self._count += 1
            if self._count > NODES_LIMIT:
                raise _Walled(f"This part has more than {NODES_LIMIT:,} elements. Split it.")
            plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
            node = Node(local, plain, self.parser.CurrentLineNumber)
            if self._open:
                self._open[-1].children.append(node)
            self._open.append(node)
        self._depth += 1

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._open:
            node = self._open.pop()
            if not self._open:
                self.done.append(node)
                self._count = 0

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].children.append(text)

    def _doctype(self, *_: object) -> None:
        raise _Walled(
            "A document type is declared here, which could define entities without end. "
            "Take the '<!DOCTYPE …>' out."
        )


def tree(upload: Upload) -> Node:
    """Return a whole document.

    :raises UnreadableFile: with the line, if it is not well-formed or meets a wall
    """
    (root,) = _read(upload, _Trees(level=0))
    return root


def parts(upload: Upload, root: str, depth: int = 1) -> Iterator[Node]:
    """Yield the elements `depth` levels below the root, each complete, while the file is read.

    :raises UnreadableFile: with the line, if it is not well-formed or meets a wall,
        or the root has another name; what stood before has been yielded then
    """
    trees = _Trees(level=depth)
    for count, part in enumerate(_read(upload, trees)):
        if trees.root != root:
            break
        if count >= PARTS_LIMIT:
            problem = f"It has more than {PARTS_LIMIT:,} parts. Split it."
            raise UnreadableFile(upload.name, problem, place=f"line {part.line}")
        yield part
    if trees.root != root:
        raise UnreadableFile(
            upload.name,
            f"The outermost element is <{trees.root}>, <{root}> was expected. "
            "Is this the right format?",
            place="line 1",
        )


def _read(upload: Upload, trees: _Trees) -> Iterator[Node]:
    # The bytes are UTF-8 by now, whatever encoding the document says of itself.
    data = memoryview(utf8(upload))
    try:
        for start in range(0, len(data), _PIECE):
            trees.parser.Parse(data[start : start + _PIECE])
            yield from trees.done
            trees.done.clear()
            if start + _PIECE - trees.parser.CurrentByteIndex > TAG_LIMIT + _PIECE:
                raise _Walled(f"A tag is longer than {TAG_LIMIT:,} bytes here. Shorten it.")
        trees.parser.Parse(b"", True)
    except _Walled as wall:
        line = trees.parser.CurrentLineNumber
        raise UnreadableFile(upload.name, str(wall), place=f"line {line}") from None
    except ExpatError as error:
        reason = expat_errors.messages[error.code]
        problem = f"This is not well-formed XML ({reason}). Export the file again."
        if error.code in _CUT_OFF:
            problem = f"The file is cut off here ({reason}). Export or copy it again."
        raise UnreadableFile(upload.name, problem, place=f"line {error.lineno}") from None
    yield from trees.done


def root_name(upload: Upload) -> str | None:
    """Return the local name of the outermost element as an opening shows it; never raises."""
    trees = _Trees(level=0)
    with suppress(ExpatError, _Walled):
        trees.parser.Parse(opening(upload).encode())
    return trees.root
