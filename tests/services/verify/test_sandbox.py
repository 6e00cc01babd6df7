"""The walls around a sample: each is tried by code that runs into it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cms.services.verify import sandbox
from cms.services.verify.sandbox import run_code

# Asks the kernel for a connection without Python's own sockets, which an audit hook watches.
BARE_CONNECT = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
address = struct.pack("=H", 2) + struct.pack("!H", {port}) + bytes([127, 0, 0, 1]) + bytes(8)
print(libc.connect(libc.socket(2, 1, 0), address, 16))
"""


def test_code_runs_as_main_in_a_folder_of_its_own_that_is_deleted() -> None:
    outcome = run_code(
        "import os, sys\n"
        "from pathlib import Path\n"
        "Path('made').write_text('by the sample')\n"
        "print(__name__, __file__, sys.argv)\n"
        "print(os.getcwd())"
    )
    assert outcome.stderr == ""
    named, folder = outcome.stdout.splitlines()
    assert named == "__main__ sample.py ['sample.py']"
    assert Path(folder).parent == Path(tempfile.gettempdir())
    assert not Path(folder).exists()


def test_the_environment_has_what_is_given_and_places_in_the_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CMS_DATABASE_URL", "postgresql://bank:secret@localhost/bank")
    outcome = run_code(
        "import os; print(sorted(os.environ), os.environ['LANG'])", environment={"LANG": "C.UTF-8"}
    )
    names = "['HOME', 'LANG', 'TEMP', 'TMP', 'TMPDIR'] C.UTF-8\n"
    # Python itself sets LC_CTYPE where the locale is plain C.
    assert outcome.stdout.replace("'LC_CTYPE', ", "") == names


def test_the_applications_own_code_and_folder_are_not_on_the_path() -> None:
    outcome = run_code("import flask\nimport cms")
    assert "ModuleNotFoundError: No module named 'cms'" in outcome.stderr
    assert outcome.status == 1


def test_a_traceback_begins_in_the_sample() -> None:
    outcome = run_code("def f():\n    1 / 0\n\n\nf()")
    assert outcome.stderr.startswith(
        'Traceback (most recent call last):\n  File "sample.py", line 5, in <module>\n'
    )


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("input()", "EOFError"),
        ("open('big', 'wb').write(bytes(20_000_000))", "OSError: [Errno 27] File too large"),
        ("files = [open('sample.py') for _ in range(1000)]", "Too many open files"),
        ("wide = bytearray(10**11)", "MemoryError"),
        ("import resource as r\nr.setrlimit(r.RLIMIT_AS, (-1, -1))", "Error"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
def test_a_limit_stops_what_exceeds_it(code: str, error: str) -> None:
    if "resource" in code and os.geteuid() == 0 and not has_network_namespace():
        pytest.skip("only a user namespace takes root's power to lift limits")
    outcome = run_code(code)
    assert error in outcome.stderr
    assert outcome.status == 1


def test_what_runs_too_long_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    sign = tmp_path / "alive"
    # It says so as soon as whoever started it is gone.
    grandchild = (
        "import os, time\n"
        "parent = os.getppid()\n"
        "print('waiting', flush=True)\n"
        "while os.getppid() == parent: time.sleep(0.02)\n"
        f"open({str(sign)!r}, 'w')"
    )
    outcome = run_code(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {grandchild!r}])", seconds=3
    )
    assert outcome.late
    assert outcome.stdout == "waiting\n"
    time.sleep(0.5)
    assert not sign.exists()


def test_what_a_sample_leaves_behind_is_killed_when_it_ends(tmp_path: Path) -> None:
    sign = tmp_path / "alive"
    grandchild = f"import time; time.sleep(1); open({str(sign)!r}, 'w')"
    outcome = run_code(
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {grandchild!r}])"
    )
    assert (outcome.status, outcome.late) == (0, False)
    time.sleep(2)
    assert not sign.exists()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_of_output_is_cut_and_stopped(stream: str) -> None:
    begun = time.monotonic()
    outcome = run_code(f"import sys\nwhile True: sys.{stream}.write('x' * 10_000)", seconds=60)
    assert outcome.flooding
    assert not outcome.late
    assert len(getattr(outcome, stream)) == sandbox.OUTPUT
    assert time.monotonic() - begun < 30


def test_bytes_that_are_no_text_are_kept_readable() -> None:
    outcome = run_code("import sys; sys.stdout.buffer.write(b'caf\\xe9')")
    assert outcome.stdout == "caf\N{REPLACEMENT CHARACTER}"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on this machine, which no sample may reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


@pytest.mark.parametrize(
    "code",
    [
        "import socket\nsocket.create_connection(('127.0.0.1', {port}))",
        "import socket\nsocket.socket().connect(('127.0.0.1', {port}))",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/')",
        "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', {port}))",
        "import socket\nsocket.create_server(('127.0.0.1', 0))",
        "import socket\nsocket.getaddrinfo('localhost', 80)",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/tmp/.s.PGSQL.5432')",
    ],
)
def test_python_sockets_reach_nobody(code: str, listener: socket.socket) -> None:
    outcome = run_code(code.format(port=listener.getsockname()[1]))
    assert "a sample has no network" in outcome.stderr
    with pytest.raises(TimeoutError):
        listener.accept()


def has_network_namespace() -> bool:
    """Whether this kernel lets us make user and network namespaces."""
    code = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x50000000) != 0)"
    return sys.platform == "linux" and (
        subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    )


def test_where_the_kernel_lets_us_nothing_at_all_reaches_the_network(
    listener: socket.socket,
) -> None:
    if not has_network_namespace():
        pytest.skip("this kernel grants no network namespace: allow user namespaces")
    outcome = run_code(BARE_CONNECT.format(port=listener.getsockname()[1]))
    assert (outcome.stdout, outcome.stderr) == ("-1\n", "")
    with pytest.raises(TimeoutError):
        listener.accept()


def test_coroutines_run_without_a_network() -> None:
    outcome = run_code("import asyncio\nasync def two(): return 2\nprint(asyncio.run(two()))")
    assert outcome.stdout == "2\n"
