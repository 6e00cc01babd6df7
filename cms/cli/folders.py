"""Folders as formats see them: packed on their way in, unpacked on their way out."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cms.errors import InvalidInput
from cms.formats.archive import packed
from cms.formats.format import Folder
from cms.formats.incoming import Upload
from cms.freezing.leftovers import beside, held, remove_left

_NAMES_SHOWN = 5


def packed_folder(path: Path, folder: Folder) -> Upload | None:
    """Return a folder's files as the archive that a format reads; None if it has none of them.

    Subfolders stay out, but for what the format keeps there: each is a bank of its own, if it
    is one.

    :raises InvalidInput: if a file cannot be read
    """
    found = {each for pattern in folder.files for each in path.glob(pattern) if each.is_file()}
    if not any(each.parent == path for each in found):
        return None
    try:
        files = ((each.relative_to(path).as_posix(), each.read_bytes()) for each in sorted(found))
        return Upload(path.resolve().name, b"".join(packed(files)))
    except OSError as error:
        raise InvalidInput(f"{error.filename} cannot be read: {error.strerror}.") from error


@contextmanager
def folder_target(path: Path, folder: Folder) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that takes an archive; in the end its files stand in the folder `path`.

    A new folder appears whole. In one that is there, each file is replaced as a
    whole, but for what the format keeps of it, and what an earlier export wrote
    and this one does not is deleted. Other files stay: where one is in the way, nothing is written.

    :raises InvalidInput: if a file of somebody else's is in the way, or the folder
        cannot be written
    """
    with tempfile.TemporaryFile() as spool:
        yield spool.write
        # In the same parent, so that its files can be moved and need not be copied.
        remove_left(path)
        staging = beside(path)
        try:
            staging.mkdir()
            with held(staging):
                with zipfile.ZipFile(spool) as archive:
                    _unpack(archive, staging)
                if path.exists():
                    _replace(path, staging, folder)
                else:
                    staging.rename(path)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _unpack(archive: zipfile.ZipFile, staging: Path) -> None:
    """Unpack our own archive; one from outside would need `cms.formats.archive.Archive`."""
    for info in archive.infolist():
        target = staging / info.filename
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(archive.read(info))


def _replace(path: Path, staging: Path, folder: Folder) -> None:
    """Put the new files into a folder in the place of those that an earlier export wrote."""
    held = packed_folder(path, folder)
    replaceable, removable = folder.owned(held) if held else (frozenset(), frozenset())
    new = {each.relative_to(staging).as_posix() for each in staging.rglob("*") if each.is_file()}
    foreign = sorted(name for name in new - replaceable if (path / name).exists())
    if foreign:
        others = len(foreign) - _NAMES_SHOWN
        shown = ", ".join(foreign[:_NAMES_SHOWN]) + (f" and {others:,} more" * (others > 0))
        raise InvalidInput(
            f"Nothing was written. No export wrote these files in {path}, but this one would "
            f"replace them: {shown}. Delete them if they have been imported, or move them, "
            "or export to another folder."
        )
    kept = folder.held(held) if held and folder.held else None
    if kept is not None:
        for name in sorted(new):
            (staging / name).write_bytes(kept.merged(name, (staging / name).read_bytes()))
    for name in sorted(new - {folder.record}):
        (path / name).parent.mkdir(exist_ok=True)
        (staging / name).replace(path / name)
    for name in removable - new:
        if kept is None or not kept.is_needed(name):
            (path / name).unlink()
    # Last, so that an export which was interrupted here can be repeated.
    (staging / folder.record).replace(path / folder.record)
