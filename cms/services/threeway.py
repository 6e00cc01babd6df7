"""Three texts become one: what two people made of the same start. Pure text logic.

Lines are merged first; where both changed the same lines, their sentences are
(a paragraph of Markdown is often one line). What then still overlaps is a
conflict, which a person decides.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from merge3 import Merge3

# A sentence with the space behind it; its end is a full stop, a question mark or an exclamation
# mark before a space, so that a version number or a file name is not cut in two.
_SENTENCES = re.compile(r".+?(?:[.!?]['\")\]]*\s+|\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Overlap:
    """A stretch that both changed, each in their way."""

    base: str
    theirs: str
    mine: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged text in order: settled stretches, and overlaps between them."""

    pieces: Sequence[str | Overlap]

    @property
    def overlaps(self) -> list[Overlap]:
        return [piece for piece in self.pieces if isinstance(piece, Overlap)]

    @property
    def text(self) -> str | None:
        """The whole text; None where something overlaps."""
        if self.overlaps:
            return None
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def draft(self) -> str:
        """A text to begin with: where something overlaps, mine."""
        return "".join(piece.mine if isinstance(piece, Overlap) else piece for piece in self.pieces)


def merge(base: str, theirs: str, mine: str) -> Merged:
    """Merge two texts that were both made from `base`; both sides' changes are kept."""
    pieces: list[str | Overlap] = []
    for found in _merged(*(text.splitlines(keepends=True) for text in (base, theirs, mine))):
        if isinstance(found, str):
            _extend(pieces, found)
            continue
        finer = list(
            _merged(*(_SENTENCES.findall(each) for each in (found.base, found.theirs, found.mine)))
        )
        for piece in finer:
            _extend(pieces, piece)
    return Merged(pieces)


def _merged(
    base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]
) -> Iterator[str | Overlap]:
    for group in Merge3(base, theirs, mine).merge_groups():
        if group[0] == "conflict":
            yield Overlap(*("".join(side) for side in group[1:]))
        else:
            yield "".join(group[1])


def _extend(pieces: list[str | Overlap], piece: str | Overlap) -> None:
    if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
        pieces[-1] += piece
    elif piece:
        pieces.append(piece)
