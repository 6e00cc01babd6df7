"""Exports of the current release, kept on the disk: whoever asks next gets the same bytes.

Writing a large deck takes half a minute, and its file is the same until the next release.
The files have no name: the system frees them when this process ends, however it does.
"""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from tempfile import TemporaryFile

from flask import current_app

CAPACITY = 500_000_000  # bytes of all kept files of a process together
MOST = 64  # files, each of which is an open one

KEPT_FILES = "kept_files"
"""Where an app keeps them, among its extensions."""

_opening = threading.Lock()


def kept_files() -> KeptFiles:
    """Return the kept files of the current app."""
    with _opening:
        kept: KeptFiles = current_app.extensions.setdefault(KEPT_FILES, KeptFiles())
    return kept


class KeptFiles:
    """Files, the longest unused of which make room for others: those of past releases first."""

    def __init__(self, capacity: int = CAPACITY, most: int = MOST) -> None:
        self._capacity = capacity
        self._most = most
        self._lock = threading.Lock()
        self._files: OrderedDict[Hashable, FileReader] = OrderedDict()
        self._coming: dict[Hashable, threading.Event] = {}

    def open(self, release: str, key: Hashable, make: Callable[[], Iterable[bytes]]) -> FileReader:
        """Return the file of `key`, a reader that the caller closes; `make` yields its bytes.

        `release` names the state of the bank that `make` reads: a file of another one is
        not the same. While one thread makes a file, others that ask for it wait.
        """
        named = release, key
        while True:
            with self._lock:
                if found := self._files.get(named):
                    self._files.move_to_end(named)
                    return found.again()
                coming = self._coming.get(named)
                if coming is None:
                    done = self._coming[named] = threading.Event()
                    break
            # It may be dropped before this thread has its turn, or fail: then this one makes it.
            coming.wait()
        file = None
        try:
            file = FileReader.of(make())
            return file.again()
        finally:
            with self._lock:
                del self._coming[named]
                if file is not None:
                    self._keep(named, file)
            done.set()

    def close(self) -> None:
        """Let go of all files; readers keep theirs."""
        with self._lock:
            while self._files:
                self._files.popitem()[1].close()

    def _keep(self, named: Hashable, file: FileReader) -> None:
        self._files[named] = file
        while len(self._files) > self._most or self._size() > self._capacity:
            self._files.popitem(last=False)[1].close()

    def _size(self) -> int:
        return sum(file.size for file in self._files.values())


class FileReader(io.RawIOBase):
    """Reads a file without a name, which lives until its last reader is closed.

    Each reader has a place of its own; copies of a descriptor would share theirs.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor
        self._position = 0

    @classmethod
    def of(cls, chunks: Iterable[bytes]) -> FileReader:
        """Return a reader of a new file of these bytes."""
        with TemporaryFile() as file:
            file.writelines(chunks)
            file.flush()
            return cls(os.dup(file.fileno()), file.tell())

    def again(self) -> FileReader:
        """Return another reader of the file, at its beginning."""
        return FileReader(os.dup(self._descriptor), self.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
