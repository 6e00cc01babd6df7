"""Small images made for tests: their bytes are the same each time."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import ExifTags, Image

DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20">'
    b'<title>A red box</title><rect width="40" height="20" fill="red" /></svg>'
)
ENDINGS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}


def picture_of(kind: str = "PNG", size: tuple[int, int] = (12, 8), shade: int = 0) -> bytes:
    """Return an image of one color; `kind` is Pillow's word for its format."""
    file = io.BytesIO()
    Image.new("RGB", size, (shade, 90, 200)).save(file, kind)
    return file.getvalue()


def photo(kind: str = "JPEG", orientation: int = 1) -> bytes:
    """Return an image that says where it was taken, by whom, and how the camera was held."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "Somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    file = io.BytesIO()
    Image.new("RGB", (12, 8), (20, 90, 200)).save(file, kind, exif=exif)
    return file.getvalue()


def declared(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that says to be of this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
