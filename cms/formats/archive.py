"""Archives: zip files from anybody, opened with care, and our own, the same bytes every time."""

from __future__ import annotations

import io
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from operator import attrgetter

from cms.errors import UnreadableFile
from cms.formats.incoming import Upload

FILE_LIMIT = 200_000_000  # bytes of one file of an archive, unpacked
TOTAL_LIMIT = 1_000_000_000  # bytes of all of them: they are read one after another
FILES_LIMIT = 100_000  # files and folders of an archive

# Bytes of a new archive that stay in memory; more goes to a temporary file.
_SPOOL = 1_000_000
_PIECE = 65_536

# A zip begins with its first file, or, without any, with its end (APPNOTE.TXT 4.3).
_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
_LISTED = b"PK\x01\x02"
# APPNOTE.TXT 4.4.4: encrypted, strongly encrypted, its directory encrypted.
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OUTSIDE = re.compile(r"/|[A-Za-z]:|(?:.*/)?\.\.(?:/|\Z)", re.DOTALL)
# Control characters, and those that turn the direction of a name's text.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# What `zipfile` raises at archives that are damaged, or made to look so.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ArithmeticError,
    ValueError,
    RuntimeError,
)
_REPACK = "Pack it again with a common zip program and import that."


def is_archive(upload: Upload) -> bool:
    """Whether a file begins as a zip does."""
    return upload.data.startswith(_BEGINNINGS)


class Archive:
    """The files of a zip. `names` are sorted; a file is unpacked when it is read, in memory.

    `size` is what all of them have together, in bytes.

    A folder that holds everything is not part of the names: people zip the
    folder. Hidden files are left out, and so is what macOS adds.

    :raises UnreadableFile: if the zip is damaged, encrypted or too large, or
        has a link, or a name that is there twice, leads out of it or cannot be shown.
    """

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        # Counted before `zipfile` makes an object of each: a small zip lists millions.
        if upload.data.count(_LISTED) > FILES_LIMIT:
            raise self._refused(f"It has more than {FILES_LIMIT:,} files. Split it.")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(upload.data))
        except _DAMAGE as error:
            raise self._refused(f"The archive is damaged ({error}). {_REPACK}") from None
        self.size = sum(entry.file_size for entry in self._zip.infolist())
        self._files = self._checked(self._zip.infolist())
        self.names = sorted(self._files)

    def read(self, name: str) -> Upload:
        """Return one file, as if it had come in by itself.

        :raises UnreadableFile: if it is damaged; it names this file.
        """
        info = self._files[name]
        try:
            with self._zip.open(info) as file:
                # Told a number, zipfile unpacks no more than that, whatever the zip holds.
                data = file.read(info.file_size + 1)
        except _DAMAGE as error:
            raise UnreadableFile(
                name, f"This file is damaged in the archive ({error}). {_REPACK}"
            ) from None
        if len(data) != info.file_size:
            raise UnreadableFile(name, f"This file is cut off in the archive. {_REPACK}")
        return Upload(name, data)

    def _checked(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        """Return the files by the names that people know them by."""
        if self.size > TOTAL_LIMIT:
            raise self._refused(
                f"Unpacked it has {self.size:,} bytes, the limit is {TOTAL_LIMIT:,}. Split it."
            )
        files: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            name = entry.filename.replace("\\", "/")
            problem = _problem(name, entry)
            if problem is None and name in files:
                problem = "is there twice"
            if problem is not None:
                raise self._refused(f"'{name[:100]}' {problem}. {_REPACK}")
            if entry.file_size > FILE_LIMIT:
                raise self._refused(
                    f"'{name[:100]}' has {entry.file_size:,} bytes unpacked, the limit of one "
                    f"file is {FILE_LIMIT:,}. Split it."
                )
            files[name] = entry
        shown = {
            name: entry
            for name, entry in files.items()
            if not entry.is_dir() and not any(map(_is_hidden, name.split("/")))
        }
        around = {name.partition("/")[0] for name in shown}
        if len(around) == 1 and not around & shown.keys():
            return {name.partition("/")[2]: entry for name, entry in shown.items()}
        return shown

    def _refused(self, problem: str) -> UnreadableFile:
        return UnreadableFile(self._upload.name, problem)


def _problem(name: str, entry: zipfile.ZipInfo) -> str | None:
    """Return what is wrong with an entry, as the end of a sentence."""
    if not name or _OUTSIDE.match(name):
        return "is a name that leads out of the archive, or none at all"
    if _UNSHOWN.search(name):
        return "has characters that cannot be shown in its name"
    # The upper half is what Unix keeps as a file's mode; zero where it was packed elsewhere.
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted: unpack it with its password first"
    if entry.compress_type not in _METHODS:
        return "is compressed in a way that is not read here, only 'deflate' is"
    return None


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def packed(
    files: Iterable[tuple[str, bytes | Iterator[bytes]]], *, level: int = 6
) -> Iterator[bytes]:
    """Yield a zip of files, given by name and content, in pieces or as a whole; it lists
    them by name. `level` is how hard to press them, from 1, the fastest, to 9.

    The same files give the same bytes, wherever and whenever they are packed.
    `files` is read once, and one file, or piece of one, at a time is in memory.
    """
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
        with zipfile.ZipFile(spool, "w") as archive:
            for name, data in files:
                # A ZipInfo is dated 1 January 1980 unless told otherwise.
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.create_system = 3  # Unix, on every system.
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                # Python 3.13 calls it `compress_level`, too.
                info._compresslevel = level  # type: ignore[attr-defined]
                with archive.open(info, "w") as file:
                    for piece in [data] if isinstance(data, bytes) else data:
                        file.write(piece)
            archive.filelist.sort(key=attrgetter("filename"))
        spool.seek(0)
        while piece := spool.read(_PIECE):
            yield piece
