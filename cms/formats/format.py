"""What a format declares: its names, how it is recognized, read and written, what it drops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from cms.formats.item import Export, Reading, Upload


@dataclass(frozen=True, slots=True)
class Format:
    """One way in which a bank leaves or enters; declared once, in the format's own file.

    `name` is the word of `--format`, `extension` that of a file, without a dot
    in front ('moodle.xml'). `detect` says whether a file's content, or failing
    that its shape, is this format's; it never raises. `read` and `write` are
    None where a format goes one way only. `drops` are the fields that a file of
    this format cannot hold (see `cms.formats.item.stripped`; names that are not
    fields of an Item, such as 'decks', are parts of the bank). `options` are the
    writer's switches, each with one line of explanation.
    """

    name: str
    title: str
    extension: str
    media_type: str
    detect: Callable[[Upload], bool]
    read: Callable[[Upload], Reading] | None = None
    write: Callable[[Export], Iterator[bytes]] | None = None
    drops: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)
