"""What a browser sends to be imported: files, the files of a folder, pasted text."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import PurePosixPath

from cms.errors import InvalidInput
from cms.formats import FORMATS, Format
from cms.formats.archive import packed
from cms.formats.incoming import Upload
from cms.text import normalize_line

PASTED = "Pasted text"


def incoming(files: Sequence[tuple[str, bytes]], text: str, name: str) -> list[Upload]:
    """Return what was sent as files to read; several files of a folder become its archive.

    `files` are names, perhaps with folders in them, and contents. `name` is what
    pasted `text` is called: a later import of the same source is known by it.

    :raises InvalidInput: when nothing was sent, or files have one name
    """
    found: list[Upload] = []
    rest = [(PurePosixPath(each.replace("\\", "/")), data) for each, data in files]
    if len(rest) > 1:
        for format in FORMATS.values():
            inside = [each for each in rest if _belongs(format, each[0].name)]
            if len(inside) > 1:
                found.append(_folder(inside))
                rest = [each for each in rest if each not in inside]
    found += [Upload(path.name, data) for path, data in rest]
    if text.strip():
        found.append(Upload(normalize_line(name)[:200] or PASTED, text.encode()))
    if not found:
        raise InvalidInput("Choose a file, or paste some text.", field="file")
    return found


def _belongs(format: Format, name: str) -> bool:
    return (
        format.folder is not None
        and format.read is not None
        and any(fnmatch(name.lower(), pattern) for pattern in format.folder.files)
    )


def _folder(files: Sequence[tuple[PurePosixPath, bytes]]) -> Upload:
    names = [path.name for path, _ in files]
    if len(set(names)) < len(names):
        raise InvalidInput(
            "Two of these files have the same name. Import one folder at a time.", field="file"
        )
    parents = {path.parent.name for path, _ in files if path.parent.name}
    name = parents.pop() if len(parents) == 1 else f"{len(files)} files"
    return Upload(name, b"".join(packed((path.name, data) for path, data in sorted(files))))
