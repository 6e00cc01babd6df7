"""Packages of any Anki, opened with care: the notes of their collection, and their media.

An old package holds `collection.anki2` (or, since Anki 2.1, `collection.anki21`) and
`media`, a JSON object of the names of the files '0', '1' … A new one holds
`collection.anki21b`, compressed by Zstandard like all its files; `media` is a
protobuf message there (MediaEntries in Anki's `proto/anki/import_export.proto`), and
a `collection.anki2` in which a single note asks for a newer Anki.

A package may come from anybody. The database is opened read-only, is told to trust
nothing of its schema, must have real tables, and may work for a bounded time.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from cms.errors import UnreadableFile
from cms.formats.archive import FILE_LIMIT, Archive
from cms.formats.encoding import decode
from cms.formats.incoming import Upload

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COLLECTIONS = ("collection.anki21b", "collection.anki21", "collection.anki2")
"""The names of a collection in a package, the newest first."""

NOTES_LIMIT = 1_000_000
ROW_LIMIT = 5_000_000  # bytes of a note's fields, or of anything else in one place
# Steps of SQLite's machine between two looks, and how many looks reading may take: a
# collection of a million notes takes some hundred.
_STEPS, _LOOKS = 1_000_000, 3_000

_MAGIC = b"SQLite format 3\0"
_REMEDY = "Export the deck again in Anki (File, Export, 'Anki Deck Package')."
_WINDOW_LOG = 27  # the largest window of zstd that is read, 128 MB: what Anki itself reads

_NOTES = """
    SELECT notes.guid, notes.mid, notes.tags, notes.flds, placed.did
    FROM notes LEFT JOIN (
        SELECT nid, min(CASE WHEN odid = 0 THEN did ELSE odid END) AS did,
               min(CASE WHEN type = 0 THEN due END) AS due
        FROM cards GROUP BY nid
    ) AS placed ON placed.nid = notes.id
    ORDER BY placed.due IS NULL, placed.due, notes.id
"""


@dataclass(frozen=True, slots=True)
class Notetype:
    """What a note's fields are called; `is_cloze` where one field has all cards in it."""

    name: str
    fields: tuple[str, ...]
    is_cloze: bool = False


@dataclass(frozen=True, slots=True)
class FoundNote:
    """A note as a package has it; `deck` are the names of its deck and those above it."""

    guid: str
    notetype: Notetype
    fields: Mapping[str, str]
    tags: tuple[str, ...]
    deck: tuple[str, ...]


@dataclass(slots=True)
class Package:
    """A package: its notes, read once, and its media by name.

    :raises UnreadableFile: when it is damaged, too large, or no package at all
    """

    upload: Upload
    _archive: Archive = field(init=False)
    _media: dict[str, str] = field(init=False)
    _collection: str = field(init=False)

    def __post_init__(self) -> None:
        self._archive = Archive(self.upload)
        held = [name for name in COLLECTIONS if name in self._archive.names]
        if not held:
            raise UnreadableFile(
                self.upload.name, f"No collection of Anki is in this archive. {_REMEDY}"
            )
        self._collection = held[0]
        self._media = self._media_names()

    @property
    def is_new(self) -> bool:
        """Whether its files are compressed one by one."""
        return self._collection == COLLECTIONS[0]

    def media(self, name: str) -> bytes | None:
        """Return a file by the name that notes call it by; None if it is not in the package."""
        number = self._media.get(name) or self._media.get(unquote(name))
        if number is None or number not in self._archive.names:
            return None
        return self._unpacked(number)

    def notes(self) -> Iterator[FoundNote]:
        """Yield the notes, the new ones in the order in which they are learned."""
        with tempfile.TemporaryDirectory(prefix="qbank-anki-") as folder:
            path = Path(folder) / "collection"
            data = self._unpacked(self._collection)
            if not data.startswith(_MAGIC):
                raise self._damaged(f"{self._collection} is no database")
            path.write_bytes(data)
            del data
            with contextlib.closing(self._opened(path)) as database:
                try:
                    yield from self._found(database)
                except (sqlite3.Error, OverflowError, RecursionError) as error:
                    raise self._damaged(str(error)) from None

    # --- the database ------------------------------------------------------------

    def _opened(self, path: Path) -> sqlite3.Connection:
        uri = f"{path.as_uri()}?mode=ro&immutable=1"
        database = sqlite3.connect(uri, uri=True, isolation_level=None)
        database.text_factory = lambda data: data.decode(errors="replace")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, ROW_LIMIT)
        database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        looks = iter(range(_LOOKS))
        database.set_progress_handler(lambda: next(looks, None) is None, _STEPS)
        database.create_collation("unicase", _compared)
        try:
            for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
                database.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            database.close()
            raise self._damaged(str(error)) from None
        return database

    def _found(self, database: sqlite3.Connection) -> Iterator[FoundNote]:
        # A view, or a table that a module makes up, has no page of its own.
        tables = {
            name
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
            )
        }
        missing = {"col", "notes", "cards"} - tables
        if missing:
            raise self._damaged(f"it has no table '{min(missing)}'")
        if {"notetypes", "fields", "decks"} <= tables:
            notetypes, decks = _of_tables(database)
        else:
            notetypes, decks = self._of_column(database)
        for number, (guid, mid, tags, values, did) in enumerate(database.execute(_NOTES)):
            if number == NOTES_LIMIT:
                raise UnreadableFile(
                    self.upload.name, f"It has more than {NOTES_LIMIT:,} notes. Split it."
                )
            parts = str(values).split("\x1f")
            notetype = notetypes.get(mid) or Notetype("", ())
            names = [*notetype.fields[: len(parts)]]
            names += [f"Field {n}" for n in range(len(names) + 1, len(parts) + 1)]
            yield FoundNote(
                str(guid),
                notetype,
                dict(zip(names, parts, strict=True)),
                tuple(str(tags).split()),
                decks.get(did, ()),
            )

    def _of_column(
        self, database: sqlite3.Connection
    ) -> tuple[dict[int, Notetype], dict[int, tuple[str, ...]]]:
        """Return notetypes and decks as JSON in the one row of `col` has them (schema 11)."""
        try:
            models, decks = database.execute("SELECT models, decks FROM col").fetchone()
            notetypes = {
                int(id): Notetype(
                    str(model["name"]),
                    tuple(
                        str(each["name"])
                        for each in sorted(model["flds"], key=lambda each: int(each["ord"]))
                    ),
                    model.get("type") == 1,
                )
                for id, model in json.loads(models).items()
            }
            names = {
                int(id): tuple(str(deck["name"]).split("::"))
                for id, deck in json.loads(decks).items()
            }
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._damaged("its notetypes or decks cannot be read") from None
        return notetypes, names

    # --- files -------------------------------------------------------------------

    def _media_names(self) -> dict[str, str]:
        """Return the number of each media file, by its name."""
        if "media" not in self._archive.names:
            return {}
        try:
            if self.is_new:
                names = dict(enumerate(_entry_names(self._unpacked("media"))))
            else:
                names = json.loads(decode(self._archive.read("media")) or "{}")
            return {str(name): str(number) for number, name in names.items()}
        except (ValueError, AttributeError, RecursionError, IndexError):
            raise self._damaged("its list of media cannot be read") from None

    def _unpacked(self, name: str) -> bytes:
        data = self._archive.read(name).data
        if not self.is_new:
            return data
        # Told a number, zstd unpacks no more than that; the window is what it needs besides.
        options = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG}
        unpacker = zstd.ZstdDecompressor(options=options)
        try:
            unpacked = unpacker.decompress(data, max_length=FILE_LIMIT + 1)
        except zstd.ZstdError as error:
            raise self._damaged(f"{name}: {error}") from None
        if len(unpacked) > FILE_LIMIT:
            raise UnreadableFile(
                self.upload.name,
                f"Unpacked, '{name}' has more than {FILE_LIMIT:,} bytes. Split the deck.",
            )
        if not unpacker.eof:
            raise self._damaged(f"{name} is cut off")
        return unpacked

    def _damaged(self, problem: str) -> UnreadableFile:
        return UnreadableFile(
            self.upload.name, f"The collection in this package is damaged: {problem}. {_REMEDY}"
        )


def _compared(one: str, other: str) -> int:
    """Compare as Anki's collation 'unicase' does: without regard to case."""
    a, b = one.casefold(), other.casefold()
    return (a > b) - (a < b)


def _of_tables(
    database: sqlite3.Connection,
) -> tuple[dict[int, Notetype], dict[int, tuple[str, ...]]]:
    """Return notetypes and decks as tables have them (since schema 15)."""
    fields: dict[int, list[str]] = {}
    for id, name in database.execute("SELECT ntid, name FROM fields ORDER BY ntid, ord"):
        fields.setdefault(id, []).append(str(name))
    notetypes = {
        id: Notetype(str(name), tuple(fields.get(id, ())), _is_cloze(config))
        for id, name, config in database.execute("SELECT id, name, config FROM notetypes")
    }
    decks = {
        id: tuple(str(name).split("\x1f"))
        for id, name in database.execute("SELECT id, name FROM decks")
    }
    return notetypes, decks


def _is_cloze(config: object) -> bool:
    """Whether a notetype's settings begin with the field `kind` as 1, which is 'cloze'."""
    return isinstance(config, bytes) and config.startswith(b"\x08\x01")


# --- protobuf ------------------------------------------------------------------------


def _entry_names(message: bytes) -> Iterator[str]:
    """Yield the names of a MediaEntries message: field 1 of each entry, itself a field 1.

    :raises ValueError: when it is no such message
    """
    for number, value in _message_fields(message):
        if number == 1 and isinstance(value, bytes):
            names = [v for n, v in _message_fields(value) if n == 1 and isinstance(v, bytes)]
            yield names[0].decode()


def _message_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a protobuf message (wire types 0 and 2)."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        if key & 7 == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
        elif key & 7 == 2:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise ValueError("cut off")
            yield key >> 3, message[position : position + length]
            position += length
        else:
            raise ValueError("a field of another kind")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number without an end")
