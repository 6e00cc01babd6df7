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
class Stretch(Overlap):
    """A stretch of three texts, changed by both, by one or by nobody."""

    @property
    def settled(self) -> str | None:
        """What it becomes; None where both changed it, each in their way."""
        if self.theirs in (self.mine, self.base):
            return self.mine
        return self.theirs if self.mine == self.base else None


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
    for each in stretches(base, theirs, mine):
        if each.settled is None:
            pieces.append(Overlap(each.base, each.theirs, each.mine))
        elif pieces and isinstance(pieces[-1], str):
            pieces[-1] += each.settled
        elif each.settled:
            pieces.append(each.settled)
    return Merged(pieces)


def stretches(base: str, theirs: str, mine: str) -> Iterator[Stretch]:
    """Yield the three texts in stretches; joined, each side's give its text."""
    for line in _stretches(*(text.splitlines(keepends=True) for text in (base, theirs, mine))):
        if line.settled is None:
            sentences = (_SENTENCES.findall(each) for each in (line.base, line.theirs, line.mine))
            yield from _stretches(*sentences)
        else:
            yield line


def _stretches(
    base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]
) -> Iterator[Stretch]:
    """Yield what lies between the pieces that all three have, and these."""
    start = 0, 0, 0
    for z, z_end, a, a_end, b, b_end in Merge3(base, theirs, mine).find_sync_regions():
        between = base[start[0] : z], theirs[start[1] : a], mine[start[2] : b]
        yield Stretch(*("".join(side) for side in between))
        yield Stretch(*["".join(base[z:z_end])] * 3)
        start = z_end, a_end, b_end
