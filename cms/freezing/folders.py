"""The folder of a frozen site: made beside its place, and put there when all of it is written.

A file that says the same as in the site that stood there before is that file, with its time: what
copies the folder on, by rsync or git, sees what changed and nothing else.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import msgspec

from cms.errors import InvalidInput
from cms.freezing.leftovers import FORMER, beside, held, left_beside, remove_left

RECORD = "frozen.json"
FORMAT = "frozen-question-bank"

_BESIDE = " A new site is made beside the former one: the folder above has to be writable, too."
HINTS = {
    errno.EACCES: _BESIDE,
    errno.EPERM: _BESIDE,
    errno.EROFS: _BESIDE,
    errno.ENOENT: " The folder above it is not there: make it first.",
    errno.EBUSY: " It is replaced as a whole, so it can be no mount point: name a folder in it.",
}


class Record(msgspec.Struct, kw_only=True):
    """What a frozen site says of itself; `entries` are the names at its top."""

    format: str = FORMAT
    title: str = ""
    url: str = ""
    release: int = 0
    released_at: str = ""
    entries: list[str] = []


class SiteFolder:
    """Writes a site that replaces the one at `path` when the `with` block ends well.

    Whatever else somebody has put at the top of the folder, such as `.git` or `CNAME`, stays.

    :raises InvalidInput: when the folder holds something else, or cannot be written
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.bytes = 0
        self.unchanged = 0
        self.files = 0
        self._shown = path
        _put_back(self.path)
        self._former = former_record(path)
        self._new = beside(self.path)
        self._holding = ExitStack()
        self._made: set[Path] = set()

    def __enter__(self) -> SiteFolder:
        remove_left(self.path)
        try:
            self._new.mkdir()
            self._holding.enter_context(held(self._new))
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._holding.close()
        if kind is not None:
            shutil.rmtree(self._new, ignore_errors=True)
        if isinstance(error, OSError):
            raise self._unwritable(error) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a file, or take the one that says the same already."""
        target, former = self._place(name)
        self._count(len(data))
        try:
            same = self._former is not None and former.read_bytes() == data
        except OSError:
            same = False
        if same:
            self._take_over(target, former)
        else:
            target.write_bytes(data)

    def write_large(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file that is too large to be held, as `write` does."""
        target, former = self._place(name)
        with target.open("wb") as file:
            file.writelines(chunks)
            self._count(file.tell())
        if self._former and former.is_file() and filecmp.cmp(target, former, shallow=False):
            target.unlink()
            self._take_over(target, former)

    def finish(self, record: Record) -> None:
        """Put the new site into the place of the former one."""
        record.entries = sorted({each.name for each in self._new.iterdir()} | {RECORD})
        self.write(RECORD, msgspec.json.format(msgspec.json.encode(record)) + b"\n")
        kept = self._kept(record)
        if not self.path.exists():
            self._new.rename(self.path)
            return
        shutil.copymode(self.path, self._new)
        old = self._new.with_name(f"{self._new.name}{FORMER}")
        self._holding.enter_context(held(self.path))
        self.path.rename(old)
        try:
            self._new.rename(self.path)
        except OSError:
            old.rename(self.path)
            raise
        for name in kept:
            (old / name).rename(self.path / name)
        shutil.rmtree(old, ignore_errors=True)

    def _place(self, name: str) -> tuple[Path, Path]:
        target = self._new / name
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        return target, self.path / name

    def _count(self, size: int) -> None:
        self.files += 1
        self.bytes += size

    def _take_over(self, target: Path, former: Path) -> None:
        try:
            os.link(former, target)
        except OSError:
            # Some file systems, as those of sticks, know one name for a file.
            shutil.copy2(former, target)
        self.unchanged += 1

    def _kept(self, record: Record) -> list[str]:
        """Return the names at the top that are not ours."""
        if not self.path.exists():
            return []
        ours = set(self._former.entries) if self._former else set()
        others = sorted({each.name for each in self.path.iterdir()} - ours)
        if taken := set(others) & set(record.entries):
            raise InvalidInput(
                f"Nothing was changed: {self._shown} has {min(taken)!r}, which no freeze wrote, "
                "and the frozen site needs a file of that name. Move it away, "
                "or name another folder."
            )
        return others

    def _unwritable(self, error: OSError) -> InvalidInput:
        if error.errno == errno.ENOSPC:
            return InvalidInput(
                f"The disk has no room left for {self._shown}. Nothing was changed there. "
                "Make room and freeze again: a new site is written in full beside the former one."
            )
        where = error.filename if error.filename is not None else self._shown
        hint = HINTS.get(error.errno or 0, "")
        return InvalidInput(
            f"{self._shown} cannot be written ({where}: {error.strerror}). "
            f"Nothing was changed there.{hint}"
        )


def _put_back(path: Path) -> None:
    """Put back what a freeze that was killed had put aside.

    That is the whole former site where the new one did not come to stand in its place, or
    else what somebody had put at its top.
    """
    for old in left_beside(path):
        if old.suffix != FORMER:
            continue
        try:
            if not path.exists():
                old.rename(path)
                continue
            former = former_record(old)
            ours = set(former.entries) if former else set()
            others = sorted({each.name for each in old.iterdir()} - ours)
            for name in others:
                if (path / name).exists():
                    raise InvalidInput(
                        f"Nothing was changed: a freeze that was killed put {old / name} aside, "
                        f"and {path} has {name!r}, too. Delete one of the two and freeze again."
                    )
            for name in others:
                (old / name).rename(path / name)
        except OSError as error:
            raise InvalidInput(f"{old} cannot be put back: {error.strerror}.") from error
        shutil.rmtree(old, ignore_errors=True)


def former_record(path: Path) -> Record | None:
    """Return the record of the frozen site in a folder; None where there is nothing.

    :raises InvalidInput: when something else is there
    """
    try:
        if not path.exists():
            return None
        if not path.is_dir():
            raise InvalidInput(
                f"{path} is a file. Name a folder, a new one or one of a former freeze."
            )
        names = {each.name for each in path.iterdir()}
        if not names:
            return None
        if RECORD in names:
            record = msgspec.json.decode((path / RECORD).read_bytes(), type=Record)
            if record.format == FORMAT:
                return record
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    raise InvalidInput(
        f"{path} holds something else than a frozen site ({RECORD} of one is not there). "
        "Nothing was changed. Name a new or an empty folder."
    )
