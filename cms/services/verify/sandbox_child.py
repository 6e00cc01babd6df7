"""The child's side of `cms.services.verify.sandbox`: sets the limits, then runs `sample.py`.

Run as a script by `python -I`, so it imports nothing of ours. Each limit that
the platform does not know is left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
import traceback
import types
from pathlib import Path

SAMPLE = "sample.py"

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

# What Python's own sockets raise when they reach for another process or host.
NETWORK = frozenset(
    {
        *("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
    }
)


def limit(seconds: int, memory: int, file_size: int, open_files: int) -> None:
    """Bound processor time, address space, and files; hard limits, which nothing lifts again."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, value in (
        ("RLIMIT_CPU", seconds),
        ("RLIMIT_AS", memory),
        ("RLIMIT_FSIZE", file_size),
        ("RLIMIT_NOFILE", open_files),
        ("RLIMIT_CORE", 0),
    ):
        # macOS refuses RLIMIT_AS.
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, kind), (value, value))


def leave_the_network() -> None:
    """Move into a network of our own, which has no devices, where the kernel lets us.

    A user without privileges may do that in a user namespace of its own only;
    there it keeps its name and number.
    """
    if not sys.platform.startswith("linux"):
        return
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with contextlib.suppress(OSError):
            Path("/proc/self", name).write_text(text)


def refuse_network(event: str, _arguments: tuple[object, ...]) -> None:
    """An audit hook: Python's own sockets connect to nothing and listen nowhere."""
    if event in NETWORK:
        raise PermissionError(errno.EPERM, f"a sample has no network ({event})")


def run() -> None:
    """Run the sample as `__main__`, with a traceback that begins in it."""
    main = types.ModuleType("__main__")
    main.__file__ = SAMPLE
    sys.modules["__main__"] = main
    sys.argv = [SAMPLE]
    try:
        code = compile(Path(SAMPLE).read_text(encoding="utf-8"), SAMPLE, "exec")
        exec(code, main.__dict__)  # noqa: S102 (that is what this process is for)
    except Exception as error:
        frames = error.__traceback__
        traceback.print_exception(error.with_traceback(frames and frames.tb_next))
        sys.exit(1)


if __name__ == "__main__":
    limit(*map(int, sys.argv[1:]))
    leave_the_network()
    sys.addaudithook(refuse_network)
    run()
