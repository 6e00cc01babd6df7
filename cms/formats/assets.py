"""Images: which ones the bank keeps, and how texts refer to them.

Markdown shows an image of the bank as `![words](asset:<sha256>.<ending>)`. What
a file is, its bytes say, whatever it is called. Nothing of a photograph is kept
that tells where and with what it was taken, and of an SVG only what draws.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cms.errors import InvalidInput
from cms.formats.item import ASSET_PATTERN, AssetItem, Content, Item
from cms.formats.outgoing import Entry, Export
from cms.formats.svg import clean_drawing

ASSET_LIMIT = 2_000_000  # bytes of an image
PIXELS_LIMIT = 16_000_000  # pixels of an image: what it takes in memory does not show in its bytes
SIDE_LIMIT = 16_000  # pixels of its width, and of its height

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
}
"""The media type of an image by the ending of its name."""

_REFERENCE = re.compile(rf"asset:({ASSET_PATTERN})")
_MARKUP = re.compile(r"([\\\[\]`*_<&$!~])")
_ESCAPED = r"\\\1"
# An SVG may have a declaration, comments and a document type in front.
_HEAD = 4_096


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as the bank keeps it; sizes in pixels."""

    data: bytes
    ending: str
    width: int
    height: int

    @property
    def name(self) -> str:
        """How the bank calls it: the SHA-256 of its bytes, and its ending."""
        return f"{hashlib.sha256(self.data).hexdigest()}.{self.ending}"

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.ending]


def asset_names(text: str) -> list[str]:
    """Return the names of all images that a text refers to, each once, in their order.

    The text may be Markdown, or JSON that holds some. A name in a code block counts, too.
    """
    if "asset:" not in text:
        return []
    return list(dict.fromkeys(_REFERENCE.findall(text)))


def names_in(content: Content) -> list[str]:
    """Return the names of the images that a question's texts, and its corrections, refer to."""
    return asset_names("\n".join(texts_of(content)))


def texts_of(content: Content) -> Iterator[str]:
    """Yield every text in Markdown of a content, or of an Item with its corrections."""
    yield content.context
    for answer in content.answers:
        yield answer.body
    for option in content.options:
        yield option.text
        yield option.feedback
    if isinstance(content, Item):
        for correction in content.corrections:
            yield from (correction.claim, correction.explanation, correction.fix)


class Wanted:
    """Which images the questions of an export show, noted as they pass by.

    Writers yield entries first, and then the images one at a time.
    """

    def __init__(self, export: Export) -> None:
        self._export = export
        self._names: dict[str, None] = {}

    def entries(self) -> Iterator[Entry]:
        """Yield the questions of the export."""
        for entry in self._export.entries:
            if b"asset:" in entry.document:
                self._names.update(dict.fromkeys(asset_names(entry.document.decode())))
            yield entry

    def items(self) -> Iterator[AssetItem]:
        """Yield the images that the bank has of those that were named, in their order."""
        for name in self._names:
            item = self._export.asset(name)
            if item is not None:
                yield item


def reference(name: str, words: str) -> str:
    """Return the Markdown that shows an image of the bank, described by plain words."""
    return f"![{_MARKUP.sub(_ESCAPED, words)}](asset:{name})"


def without_names(text: str) -> str:
    """Return a text without the names of the images in it: nobody searches for them."""
    return _REFERENCE.sub("", text) if "asset:" in text else text


def asset_item(data: bytes, alt: str = "") -> AssetItem:
    """Return an image as exports and imports carry it.

    :raises InvalidInput: as `picture` does
    """
    found = picture(data)
    return AssetItem(name=found.name, data=found.data, alt=alt)


def picture(data: bytes) -> Picture:
    """Return an image as the bank keeps it: what it is, its size, and safe bytes.

    An image that came out of here is given back as it is.

    :raises InvalidInput: when it is no PNG, JPEG, GIF, WebP or SVG, is damaged or too large
    """
    _check_bytes(data)
    if b"<svg" in data[:_HEAD].lower() or b":svg" in data[:_HEAD].lower():
        drawing = clean_drawing(data)
        width, height = max(1, round(drawing.width)), max(1, round(drawing.height))
        found = Picture(drawing.data, "svg", min(width, SIDE_LIMIT), min(height, SIDE_LIMIT))
    else:
        from cms.formats.pixels import raster

        found = raster(data)
    _check_bytes(found.data)
    return found


def _check_bytes(data: bytes) -> None:
    if len(data) > ASSET_LIMIT:
        raise InvalidInput(
            f"The image has {len(data):,} bytes, the limit is {ASSET_LIMIT:,}. Make it smaller.",
            field="file",
        )


def check_pixels(width: int, height: int) -> None:
    """Let pass the size of an image.

    :raises InvalidInput: when it has too many pixels
    """
    if width * height > PIXELS_LIMIT or max(width, height) > SIDE_LIMIT:
        raise too_large(f"{width:,} × {height:,} pixels")


def too_large(what: str) -> InvalidInput:
    """Return the refusal of an image; `what` says how much it has."""
    return InvalidInput(
        f"The image has {what}, the limit is {PIXELS_LIMIT:,} in all. Make it smaller.",
        field="file",
    )
