"""A new collection of schema 11, the one that every version of Anki reads.

Its tables are those of Anki's `rslib/src/storage/schema11.sql`. Notes are written
one at a time, and the same notes give the same bytes: no time of writing, no
random id, and nothing of an old page in a new one.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

FIELD_SEPARATOR = "\x1f"
DECK_SEPARATOR = "::"

_SCHEMA = """
CREATE TABLE col (
    id integer PRIMARY KEY, crt integer NOT NULL, mod integer NOT NULL, scm integer NOT NULL,
    ver integer NOT NULL, dty integer NOT NULL, usn integer NOT NULL, ls integer NOT NULL,
    conf text NOT NULL, models text NOT NULL, decks text NOT NULL, dconf text NOT NULL,
    tags text NOT NULL);
CREATE TABLE notes (
    id integer PRIMARY KEY, guid text NOT NULL, mid integer NOT NULL, mod integer NOT NULL,
    usn integer NOT NULL, tags text NOT NULL, flds text NOT NULL, sfld integer NOT NULL,
    csum integer NOT NULL, flags integer NOT NULL, data text NOT NULL);
CREATE TABLE cards (
    id integer PRIMARY KEY, nid integer NOT NULL, did integer NOT NULL, ord integer NOT NULL,
    mod integer NOT NULL, usn integer NOT NULL, type integer NOT NULL, queue integer NOT NULL,
    due integer NOT NULL, ivl integer NOT NULL, factor integer NOT NULL, reps integer NOT NULL,
    lapses integer NOT NULL, left integer NOT NULL, odue integer NOT NULL, odid integer NOT NULL,
    flags integer NOT NULL, data text NOT NULL);
CREATE TABLE revlog (
    id integer PRIMARY KEY, cid integer NOT NULL, usn integer NOT NULL, ease integer NOT NULL,
    ivl integer NOT NULL, lastIvl integer NOT NULL, factor integer NOT NULL,
    time integer NOT NULL, type integer NOT NULL);
CREATE TABLE graves (usn integer NOT NULL, oid integer NOT NULL, type integer NOT NULL);
"""
_INDEXES = """
CREATE INDEX ix_notes_usn ON notes (usn);
CREATE INDEX ix_cards_usn ON cards (usn);
CREATE INDEX ix_revlog_usn ON revlog (usn);
CREATE INDEX ix_cards_nid ON cards (nid);
CREATE INDEX ix_cards_sched ON cards (did, queue, due);
CREATE INDEX ix_revlog_cid ON revlog (cid);
CREATE INDEX ix_notes_csum ON notes (csum);
"""
# Notes come in no order of their ids. They wait as they come, in a file that goes away by
# itself, and are written by their ids: each page of the collection is written once, and full.
_PRAGMAS = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -4000",
    "ATTACH '' AS waiting",
    "PRAGMA waiting.journal_mode = OFF",
    """CREATE TABLE waiting.note (
        number integer PRIMARY KEY, id, guid, changed, tags, fields, first, checksum, deck)""",
)
_ADD = "INSERT INTO waiting.note VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# All that cards need stands in it, too.
_BY_ID = "CREATE INDEX waiting.note_by_id ON note (id, changed, deck)"
_WRITE_NOTES = """
INSERT INTO notes
SELECT id, guid, ?, changed, -1, tags, fields, first, checksum, 0, '' FROM waiting.note ORDER BY id
"""
_WRITE_CARDS = """
INSERT INTO cards
SELECT id, id, deck, 0, changed, -1, 0, 0, number, 0, 0, 0, 0, 0, 0, 0, 0, ''
FROM waiting.note ORDER BY id
"""
_SAME_IDS = """
SELECT number, id FROM waiting.note
WHERE id IN (SELECT id FROM waiting.note GROUP BY id HAVING count(*) > 1) ORDER BY number
"""

# Anki takes an id for a time in milliseconds and mends those of the future: ours are
# of the years 2001 to 2023.
_FIRST_ID, _IDS = 1_000_000_000_000, 700_000_000_000
_CREATED = 1_000_000_000  # The collection, seconds since the epoch.
_DEFAULT_DECK = 1
_ROUND = 100  # notes that go to the database together

_TAG = re.compile(r"<[^<>]*+>")
_PICTURE = re.compile(r"""<img\s[^<>]*?\bsrc=["']?([^"'<>\s]++)[^<>]*+>""", re.IGNORECASE)
# Characters that mean something in the name of a deck, or nothing at all.
_NOT_OF_A_NAME = re.compile(r'[\x00-\x1f\x7f"]')


class Note(NamedTuple):
    """A note to be written. `guid` identifies it for ever, `changed` says when it became this."""

    guid: str
    fields: Sequence[str]
    tags: Sequence[str]
    deck: tuple[str, ...]
    changed: datetime


class Collection:
    """A collection of one notetype on its way into a file."""

    def __init__(self, path: Path, notetype: dict[str, Any]) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in _PRAGMAS:
            self._database.execute(pragma)
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        self._execute = self._database.execute
        self._notetype = notetype
        self._placed: dict[tuple[str, ...], int] = {}
        self._decks: dict[str, dict[str, Any]] = {"default": _deck(_DEFAULT_DECK, "Default")}
        self._count = 0
        self._rows: list[tuple[object, ...]] = []

    def add(self, note: Note) -> None:
        """Write a note and its card."""
        deck = self._placed.get(note.deck) or self._deck_of(note.deck)
        changed = int(note.changed.timestamp())
        first = plain(note.fields[0])
        tags = f" {' '.join(note.tags)} " if note.tags else ""
        self._count += 1
        self._rows.append(
            (
                *(self._count, best_id(note.guid), note.guid, changed, tags),
                *(FIELD_SEPARATOR.join(note.fields), first, checksum(first), deck),
            ),
        )
        if len(self._rows) == _ROUND:
            self._add_waiting()

    def close(self, at: datetime | None) -> None:
        """Finish the file. `at` is what the collection says of its own time."""
        self._add_waiting()
        self._execute(_BY_ID)
        self._settle_ids()
        self._execute(_WRITE_NOTES, (self._notetype["id"],))
        self._execute(_WRITE_CARDS)
        changed = int(at.timestamp()) if at else _CREATED
        conf = {"nextPos": self._count + 1, "curDeck": 1, "activeDecks": [1], "sortType": "noteFld"}
        self._database.execute(
            "INSERT INTO col VALUES (1, ?, ?, ?, 11, 0, 0, 0, ?, ?, ?, ?, '{}')",
            (
                *(_CREATED, changed * 1000, changed * 1000, json.dumps(conf)),
                json.dumps({str(self._notetype["id"]): self._notetype}),
                json.dumps({str(deck["id"]): deck for deck in self._decks.values()}),
                json.dumps({"1": _DECK_OPTIONS}),
            ),
        )
        self._database.execute("COMMIT")
        self._database.executescript(_INDEXES)
        self._database.close()

    def _add_waiting(self) -> None:
        self._database.executemany(_ADD, self._rows)
        self._rows.clear()

    def _settle_ids(self) -> None:
        """Leave an id to the note that came first, and give later ones the next that is free."""
        taken = set()
        for number, id in self._execute(_SAME_IDS).fetchall():
            free = id
            while free in taken or (free != id and self._has(free)):
                free = next_id(free)
            taken.add(free)
            self._execute("UPDATE waiting.note SET id = ? WHERE number = ?", (free, number))

    def _has(self, id: int) -> bool:
        found = self._execute("SELECT 1 FROM waiting.note WHERE id = ?", (id,))
        return found.fetchone() is not None

    def _deck_of(self, names: tuple[str, ...]) -> int:
        """Return the id of a deck below others, each of which is made if it is not there."""
        id, parts = _DEFAULT_DECK, []
        for part in names:
            parts.append(deck_part(part))
            name = DECK_SEPARATOR.join(parts)
            # Anki takes names that differ by case alone for one.
            deck = self._decks.get(name.casefold())
            if deck is None:
                number = best_id(f"deck {name}")
                while any(each["id"] == number for each in self._decks.values()):
                    number = next_id(number)
                deck = self._decks[name.casefold()] = _deck(number, name)
            id = deck["id"]
        self._placed[names] = id
        return id


def best_id(name: str) -> int:
    """Return the id that something of this name has wherever it is free."""
    return _FIRST_ID + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % _IDS


def next_id(id: int) -> int:
    """Return the id to take where this one is taken."""
    return _FIRST_ID + (id + 1 - _FIRST_ID) % _IDS


def deck_part(name: str) -> str:
    """Return a name as one level of a deck's: what separates levels is none of its own."""
    shown = _NOT_OF_A_NAME.sub(" ", name)
    while DECK_SEPARATOR in shown:
        shown = shown.replace(DECK_SEPARATOR, ": ")
    return " ".join(shown.strip(": ").split()) or "Questions"


def plain(html: str) -> str:
    """Return a field as Anki sorts and compares it: without tags, but with its images' names."""
    if "<" in html:
        html = _TAG.sub("", _PICTURE.sub(r" \1 ", html))
    return unescape(html)


def checksum(text: str) -> int:
    """Return the number by which Anki finds notes with the same first field."""
    return int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:8], 16)


def _deck(id: int, name: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "mod": 0,
        "usn": -1,
        "desc": "",
        "dyn": 0,
        "conf": 1,
        "collapsed": False,
        "browserCollapsed": False,
        "extendNew": 0,
        "extendRev": 0,
        **{f"{kind}Today": [0, 0] for kind in ("new", "rev", "lrn", "time")},
    }


# What a deck asks for; Anki's own defaults, which an import leaves to its owner's.
_DECK_OPTIONS = {
    "id": 1,
    "name": "Default",
    "mod": 0,
    "usn": 0,
    "maxTaken": 60,
    "autoplay": True,
    "timer": 0,
    "replayq": True,
    "new": {"delays": [1, 10], "ints": [1, 4, 7], "initialFactor": 2500, "order": 1, "perDay": 20},
    "rev": {"perDay": 200, "ease4": 1.3, "ivlFct": 1, "maxIvl": 36500, "hardFactor": 1.2},
    "lapse": {"delays": [10], "mult": 0, "minInt": 1, "leechFails": 8, "leechAction": 0},
}
