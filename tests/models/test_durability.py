"""An edit is acknowledged when the disk has it: a commit whose sync fails has failed.

A killed process cannot tell that, as what it wrote is safe with the system. So the system is told,
for a thread of the test alone, to refuse every sync.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from cms import create_app
from cms.extensions import db
from tests.conftest import SECRET, dispose

# The numbers of fsync and fdatasync.
SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}.get(platform.machine(), ())
if sys.platform != "linux" or not SYNCS:
    pytest.skip("Linux alone refuses single system calls to a thread", allow_module_level=True)

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def refuse_syncs() -> None:
    """Let fsync and fdatasync fail in this thread, for as long as it lives (seccomp)."""
    first, second = SYNCS
    steps = [
        (_LOAD, 0, 0, 0),
        (_IF_EQUAL, 2, 0, first),
        (_IF_EQUAL, 1, 0, second),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL | errno.EIO),
    ]
    packed = b"".join(struct.pack("HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(packed)
    program = _Program(len(steps), ctypes.cast(kept, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong]
    libc.prctl.argtypes += [ctypes.c_ulong]
    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, None, 0, 0) == 0
    done = libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.addressof(program), 0, 0)
    if done != 0:
        pytest.skip(f"this system filters no calls: {errno.errorcode[ctypes.get_errno()]}")


def write(engine: Engine, number: int, *pragmas: str) -> None:
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}")
        connection.execute(text("UPDATE release_counter SET number = :n"), {"n": number})
        connection.commit()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_commit_is_acknowledged_that_the_disk_does_not_confirm(database_url: str) -> None:
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": SECRET})
    with app.app_context():
        engine = db.engine
    # The first write of a log is synced however little is asked for.
    write(engine, 1)

    def work() -> None:
        refuse_syncs()
        with pytest.raises(OperationalError, match="disk I/O error"):
            write(engine, 2)
        # It is the sync that fails, and this engine that asks for it.
        write(engine, 3, "synchronous = NORMAL")

    with ThreadPoolExecutor(1) as alone:
        alone.submit(work).result()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT number FROM release_counter")) == 3
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    dispose(app)
