"""From a file's bytes to text: UTF-8 and UTF-16 are read, anything else is refused by name."""

from __future__ import annotations

import codecs

from cms.errors import UnreadableFile
from cms.formats.incoming import Upload

_REMEDY = "Save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8') and import it again."


def decode(upload: Upload) -> str:
    """Return a file's whole text, without its byte order mark and with its own line ends.

    UTF-8 is read with or without a mark, UTF-16 with one.

    :raises UnreadableFile: at other bytes and at NUL, which no text holds; it
        names the first such place by line and byte.
    """
    encoding, mark = _encoding(upload.data)
    data = upload.data[len(mark) :]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="ignore")
        offset = len(mark) + error.start
        raise UnreadableFile(
            upload.name,
            f"Byte {offset:,} (0x{upload.data[offset]:02x}) is not {encoding.upper()}. {_REMEDY}",
            place=_line_after(before),
        ) from None
    before, nul, _ = text.partition("\0")
    if nul:
        raise UnreadableFile(
            upload.name,
            f"A NUL stands here, so this is not text, or UTF-16 without its mark. {_REMEDY}",
            place=_line_after(before),
        )
    return text


def utf8(upload: Upload) -> bytes:
    """Return a file's whole text as UTF-8 without a byte order mark.

    For readers that decode piece by piece: a whole text with one emoji in it
    takes four bytes a character.

    :raises UnreadableFile: as `decode` does.
    """
    text = decode(upload)
    encoding, mark = _encoding(upload.data)
    return upload.data[len(mark) :] if encoding == "utf-8" else text.encode()


def opening(upload: Upload, size: int = 4_096) -> str:
    """Return a file's first characters for recognizing its format, none of what is no text.

    It never raises. No text holds a NUL, and archives do from their first bytes on.
    """
    encoding, mark = _encoding(upload.data)
    text = upload.data[len(mark) : size].decode(encoding, errors="ignore")
    return "" if "\0" in text else text


def _encoding(data: bytes) -> tuple[str, bytes]:
    """Return the name of the encoding and the byte order mark that shows it, if any."""
    for encoding, mark in (
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ):
        if data.startswith(mark):
            return encoding, mark
    return "utf-8", b""


def _line_after(text: str) -> str:
    number = text.count("\n") + 1
    return f"line {number}"
