"""What a format declares: its names, how it is recognized, read and written, what it drops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from cms.formats.incoming import Reading, Upload
from cms.formats.outgoing import Export

# What many formats drop: the bank's own facts of a question, and what is no question's.
QUESTION_FACTS = frozenset({"release", "published_at", "updated_at", "status"})
BANK_FACTS = frozenset({"bank", "decks", "tags.uid", "tags.name", "tags.description"})
# What bare questions and answers say nothing of: which they are, and what they rest on.
RECORD_FACTS = frozenset(
    {
        *("uid", "slug", "revision", "content_hash", "corrections"),
        *("answers.uid", "answers.label", "answers.applies_to", "answers.sources"),
    }
)


class Purpose(StrEnum):
    """What people take a file for; pages list the formats in this order."""

    learn = "learn"
    teach = "teach"
    edit = "edit"
    program = "program"


class Owned(NamedTuple):
    """The files of a folder that a new export may replace, and those that it may delete."""

    replaceable: frozenset[str]
    removable: frozenset[str]


class Held(Protocol):
    """A folder as a new export finds it, of which something is to stay."""

    def merged(self, name: str, data: bytes) -> bytes:
        """Return a new file as it shall stand: with what is to stay of the old one."""

    def is_needed(self, name: str) -> bool:
        """Whether a file that the export no longer has must stay; asked after all were merged."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What an archive is unpacked: a folder that people and git can work on.

    Formats know archives alone; a program that has folders packs and unpacks
    them (see `cms.formats.archive`). `files` are the patterns of its files'
    names, and `record` is the one that lists what an export wrote. `owned` says
    of such a folder, packed, which files those are. `held` is set where a new
    export keeps a part of the old files.
    """

    files: tuple[str, ...]
    record: str
    owned: Callable[[Upload], Owned]
    held: Callable[[Upload], Held] | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One way in which a bank leaves or enters; declared once, in the format's own file.

    `name` is the word of `--format`, `extension` that of a file, without a dot
    in front ('moodle.xml'); `also` are further endings that files have. `folder`
    is set where people also keep the archive unpacked. `detect` says whether a
    file's content, or failing that its shape, is this format's; it never raises.
    `read` and `write` are None where a format goes one way only. `drops` are the
    fields that a file of this format cannot hold (see `cms.formats.item.stripped`;
    names that are not fields of an Item, such as 'decks', are parts of the bank).
    `options` are the writer's switches, each with one line of explanation.
    `through_html` is set where a file holds texts as HTML: they come back saying the
    same, not letter by letter. `purpose` is what people mostly take it for, `holds` says
    in a few words what it is good for, and `checked_with` which programs read its files in
    the tests: both stand in docs/formats.md.
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
    also: tuple[str, ...] = ()
    folder: Folder | None = None
    through_html: bool = False
    purpose: Purpose = Purpose.program
    holds: str = ""
    checked_with: str = ""

    @property
    def endings(self) -> tuple[str, ...]:
        """Every ending of this format's files, with its dot: '.json'."""
        return tuple(f".{ending}" for ending in (self.extension, *self.also))
