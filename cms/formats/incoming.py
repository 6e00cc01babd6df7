"""What comes in: a file, what a reader makes of it, and each question that it states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cms.formats.item import AssetItem, DeckItem, Item, TagItem


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in: its base name and its bytes; a folder comes as a zip of its files."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """A passage that looks damaged; an editor has to mend or acknowledge it.

    `kind` is a short word ('hole', 'quotes', 'truncated' …), `message` says what
    is wrong and what to do, `passage` is the exact text meant.
    """

    kind: str
    message: str
    passage: str = ""


@dataclass(slots=True)
class Row:
    """One question as a file states it, or the reason why it cannot be read.

    `place` names it for people ('line 7', '$.questions[3]'; with an error, as
    exactly as possible: '$.questions[3].answers[0].body'). `drops` are the
    fields that this row says nothing about, as in `stripped`: an update leaves
    them alone. Exactly one of `item` and `error` is set. `truncated` marks an
    error that is a conflict, not an edit: a program cut the text on its way.
    `by_source` is set where the file names no uid, once the row is known by
    where it came from. `through_html` is set where the texts were HTML in the
    file: what they say counts then, not how their Markdown is spelled.
    """

    place: str
    item: Item | None = None
    error: str | None = None
    truncated: bool = False
    drops: frozenset[str] = frozenset()
    damages: list[Damage] = field(default_factory=list)
    by_source: bool = False
    through_html: bool = False


@dataclass(slots=True)
class Reading:
    """What a reader makes of a file. `rows` may be a generator: read it once.

    `assets` are the images that texts refer to, `notes` sentences for the report:
    what was left out, and why. Both are complete once the rows have been read.
    """

    rows: Iterable[Row]
    tags: list[TagItem] = field(default_factory=list)
    decks: list[DeckItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assets: list[AssetItem] = field(default_factory=list)
