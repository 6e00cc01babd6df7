"""Images of a quiz's file on their way into the bank."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode

from cms.errors import InvalidInput
from cms.formats.assets import asset_item
from cms.formats.incoming import Reading

# Images that are named in the report when they are left out.
_NAMED = 10

_INLINE = re.compile(
    r"""(?P<src>\bsrc\s*=\s*["'])data:image/[\w+.-]{1,40};base64,(?P<data>[A-Za-z0-9+/=\s]+)"""
)


class Images:
    """The images of a file, each once in `reading.assets`; those left out are noted."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._names: set[str] = set()
        self._refused = 0

    def address(self, data: bytes, name: str, place: str) -> str:
        """Return what Markdown calls an image; '' if the bank cannot keep it."""
        try:
            item = asset_item(data)
        except InvalidInput as error:
            self.refuse(name, place, str(error))
            return ""
        if item.name not in self._names:
            self._names.add(item.name)
            self._reading.assets.append(item)
        return f"asset:{item.name}"

    def from_base64(self, data: str, name: str, place: str) -> str:
        """Return what Markdown calls an image that is written as text."""
        try:
            decoded = b64decode(data)
        except binascii.Error:
            self.refuse(name, place, "It is damaged: this is not base64. Export the file again.")
            return ""
        return self.address(decoded, name, place)

    def without_inline(self, html: str, place: str) -> str:
        """Return HTML whose images that stand in their own address are the bank's."""

        def kept(found: re.Match[str]) -> str:
            return found["src"] + self.from_base64(found["data"], "an image", place)

        return _INLINE.sub(kept, html) if "data:image" in html else html

    def refuse(self, name: str, place: str, problem: str) -> None:
        """Note an image that is left out."""
        self._refused += 1
        if self._refused <= _NAMED:
            self._reading.notes.append(f"{place}: '{name[:100]}' is left out. {problem}")
        elif self._refused == _NAMED + 1:
            self._reading.notes.append("Further images are left out for reasons like these.")
