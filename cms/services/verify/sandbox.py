"""Runs the code of a published sample in a child process with limits.

The code is an editor's, published under a name: these walls are against
accidents and bad days, not against somebody who means to break out.
docs/operations.md says what each of them holds. Nothing here runs in the web
process (an import contract says so).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BOOTSTRAP = Path(__file__).with_name("sandbox_child.py")

SECONDS = 10
MEMORY = 2_000_000_000  # bytes of address space: what is reserved counts, not what is used
FILE_SIZE = 10_000_000  # bytes of each file that is written
OPEN_FILES = 128
OUTPUT = 100_000  # bytes of standard output, and as many of standard error

# How long a pipe may stay open after the kill: only a process that left the group holds one.
_LEFTOVERS = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `status` is as in `subprocess`: negative for a signal.

    `late` says that it was stopped for its time, `flooding` for its output;
    what is kept of the output is at most `OUTPUT` bytes.
    """

    stdout: str
    stderr: str
    status: int
    late: bool = False
    flooding: bool = False


def run_code(
    code: str, *, seconds: float = SECONDS, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run Python code by this interpreter, in a process and a folder of its own.

    It gets no standard input, and of the environment only `environment`; its
    folder, in which it starts, is deleted at the end.
    """
    with tempfile.TemporaryDirectory(prefix="sample-", ignore_cleanup_errors=True) as folder:
        Path(folder, "sample.py").write_text(code, encoding="utf-8", newline="\n")
        places = dict.fromkeys(("HOME", "TMPDIR", "TMP", "TEMP"), folder)
        child = subprocess.Popen(
            [
                *(sys.executable, "-I", "-B", "-X", "utf8", str(BOOTSTRAP)),
                *(str(limit) for limit in (int(seconds) + 1, MEMORY, FILE_SIZE, OPEN_FILES)),
            ],
            cwd=folder,
            env={**(environment or {}), **places},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A group of its own, so that what the sample starts dies with it.
            start_new_session=True,
        )
        return _watch(child, seconds)


def _watch(child: subprocess.Popen[bytes], seconds: float) -> Outcome:
    """Wait for a child to end or to break a limit; return what it did."""
    late = False
    stdout, stderr = (_Drain(child, pipe) for pipe in (child.stdout, child.stderr))
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        _kill(child)
        status = child.wait()
    for drain in (stdout, stderr):
        drain.thread.join(_LEFTOVERS)
    flooding = stdout.full or stderr.full
    return Outcome(stdout.text(), stderr.text(), status, late and not flooding, flooding)


class _Drain:
    """Keeps the first `OUTPUT` bytes of a pipe; kills the child whose pipe has more."""

    def __init__(self, child: subprocess.Popen[bytes], pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self.full = False
        self._kept = bytearray()
        self.thread = threading.Thread(target=self._read, args=(child, pipe), daemon=True)
        self.thread.start()

    def _read(self, child: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65_536):
                room = OUTPUT - len(self._kept)
                self._kept += chunk[:room]
                if len(chunk) > room:
                    self.full = True
                    # Once it has been waited for, its number may be another process's.
                    if child.returncode is None:
                        _kill(child)

    def text(self) -> str:
        text = bytes(self._kept).decode("utf-8", "replace")
        return text.replace("\r\n", "\n")


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and its group, which may outlive it."""
    if hasattr(os, "killpg"):
        # The group has the child's number, and keeps it while a member lives.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
