"""What is written beside its place, and what a writer that was killed left there.

A writer holds a lock on what it writes, which ends with its process: what nobody holds was left.
Windows has no such locks on folders: there nothing counts as left.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FORMER = ".old"


def beside(path: Path) -> Path:
    """Return a new name for what will stand at a path, in the same folder."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a file or a folder, where its file system has locks."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def left_beside(path: Path) -> list[Path]:
    """Return what writers of a path left that were killed; what one still writes is not of it.

    What has FORMER behind its name stood at the path until a writer put it aside.
    """
    written, former = re.escape(path.name), re.escape(FORMER)
    name = re.compile(rf"\.{written}\.[0-9a-f]{{8}}(?:{former})?")
    try:
        found = [each for each in path.parent.iterdir() if name.fullmatch(each.name)]
    except OSError:
        return []
    return sorted(each for each in found if not each.is_symlink() and _is_free(each))


def remove_left(path: Path) -> None:
    """Remove what killed writers of a path left, as far as it can be; nothing that stood there."""
    for each in left_beside(path):
        if each.suffix == FORMER:
            continue
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)


def _is_free(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


if sys.platform != "win32":
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
