"""What goes out: everything that a writer gets, and how its bytes leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from cms.formats.item import AssetItem, BankItem, DeckItem, Item, TagItem, TombstoneItem


@dataclass(frozen=True, slots=True)
class Retirement:
    """A question that was public and is not any more, for those who may still hold it.

    `stem` is empty where it was purged; `url` is the address of the question that
    it was merged into, empty without one. `at` is when it left, in UTC.
    """

    uid: str
    stem: str
    reason: str
    at: datetime
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One question on its way out: its JSON document, decoded only where a format needs it.

    The document is compact JSON on one line, in the contract's order of keys,
    and stands in the JSON formats byte for byte.
    """

    document: bytes
    url: str = ""

    @property
    def item(self) -> Item:
        return msgspec.json.decode(self.document, type=Item)


@dataclass(slots=True)
class Export:
    """Everything that a writer gets. `entries` is read once, in order, and may be long.

    `deck` is set in the export of one deck. `withdrawn` is None in a full export.
    `retirements` are the questions that left the bank, or the deck, for good: a
    format whose files update what people hold tells them; it is read once, after
    `entries`. `asset` gives an image by its name, one at a time, None where the
    bank has none. `options` are the format's own switches as named in its
    declaration ('raw', 'bom').
    """

    bank: BankItem
    entries: Iterable[Entry]
    tags: list[TagItem] = field(default_factory=list)
    decks: list[DeckItem] = field(default_factory=list)
    deck: DeckItem | None = None
    withdrawn: list[TombstoneItem] | None = None
    retirements: Iterable[Retirement] = ()
    asset: Callable[[str], AssetItem | None] = lambda _name: None
    options: Mapping[str, bool] = field(default_factory=dict)


def gathered(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Join chunks into pieces of about 64 KiB: sending a piece costs a server more than a row."""
    piece, size = [], 0
    for chunk in chunks:
        piece.append(chunk)
        size += len(chunk)
        if size >= 65_536:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)
