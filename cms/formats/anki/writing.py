"""Writing a package: a collection in a temporary file, then the zip around it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cms.formats.anki.collection import Collection, Note
from cms.formats.anki.fields import note_fields, retired_fields
from cms.formats.anki.notetype import notetype
from cms.formats.archive import packed
from cms.formats.item import AssetItem, Item, TagItem
from cms.formats.outgoing import Entry, Export

RETIRED = "retired"
"""The tag of notes that were retired: whoever has them finds them by it."""

PRESSED = 1
"""How hard a package is pressed. Harder makes it a sixth smaller, and takes most of its time."""

_PIECE = 65_536
_NO_TIME = datetime(2001, 9, 9, tzinfo=UTC)


def write(export: Export) -> Iterator[bytes]:
    """Write a package of the questions in their order, then of those that were retired.

    A note's time is the question's `updated_at`: 'update if newer' then updates what
    was changed, and leaves what learners made of the rest. No uid may come twice.
    """
    return packed(_files(export), level=PRESSED)


def _files(export: Export) -> Iterator[tuple[str, bytes | Iterator[bytes]]]:
    """Yield the files of the package; an image as soon as a text shows it."""
    with tempfile.TemporaryDirectory(prefix="qbank-anki-") as folder:
        path = Path(folder) / "collection.anki2"
        collection = Collection(path, notetype())
        media = _Media(export)
        names = {tag.slug: tag for tag in export.tags}
        for entry in export.entries:
            item = entry.item
            collection.add(_note(export, entry, item, names, media))
            yield from media.files()
        for retirement in export.retirements:
            collection.add(
                Note(
                    guid=retirement.uid,
                    fields=retired_fields(retirement),
                    tags=[RETIRED],
                    deck=(_title(export), "Retired"),
                    changed=retirement.at,
                )
            )
        collection.close(export.bank.generated_at)
        yield from collection_files(path, media.names())


def collection_files(
    collection: Path, media: dict[str, str]
) -> Iterator[tuple[str, bytes | Iterator[bytes]]]:
    """Yield the files of a package but for its images: `media` has their names by number."""
    yield "collection.anki2", _pieces(collection)
    yield "media", json.dumps(media).encode()


def _note(
    export: Export, entry: Entry, item: Item, tags: dict[str, TagItem], media: _Media
) -> Note:
    assert item.uid is not None, "every question of a bank has one"
    return Note(
        guid=item.uid,
        fields=note_fields(entry, item, media.name_of),
        tags=[tag.replace("/", "::") for tag in item.tags],
        deck=_deck(export, item, tags),
        changed=item.updated_at or export.bank.generated_at or _NO_TIME,
    )


def _deck(export: Export, item: Item, tags: dict[str, TagItem]) -> tuple[str, ...]:
    """Return where a question's card goes: a deck by itself, else below its first tag."""
    if export.deck is not None or not item.tags:
        return (_title(export),)
    parts = item.tags[0].split("/")
    paths = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    shown = (tags[path].name if path in tags else "" for path in paths)
    return (
        _title(export),
        *(name or part for name, part in zip(shown, parts, strict=True)),
    )


def _title(export: Export) -> str:
    return export.deck.title if export.deck is not None else export.bank.title


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


class _Media:
    """The images that texts showed so far: in the package each is a number."""

    def __init__(self, export: Export) -> None:
        self._asset = export.asset
        self._known: dict[str, bool] = {}
        self._waiting: list[AssetItem] = []

    def name_of(self, name: str) -> str:
        """Return the address of an image in a note; '' for one that the bank does not have."""
        if name not in self._known:
            asset = self._asset(name)
            self._known[name] = asset is not None
            if asset is not None:
                self._waiting.append(asset)
        return name if self._known[name] else ""

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the files of images that came since."""
        numbers = {name: number for number, name in self.names().items()} if self._waiting else {}
        for asset in self._waiting:
            yield numbers[asset.name], asset.data
        self._waiting.clear()

    def names(self) -> dict[str, str]:
        """Return the name of each file: what Anki calls the package's media."""
        held = (name for name, is_there in self._known.items() if is_there)
        return {str(number): name for number, name in enumerate(held)}
