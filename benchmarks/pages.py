"""A question page against a bare WSGI function with the same body, on the same server.

Needs `wrk` (Debian's package of that name). Both servers run at once; the rounds
are interleaved, and the ratios are of one round, so a drifting machine cancels out.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 7
SECONDS = 3
# More threads make a trivial function slower: they fight for the interpreter.
THREADS = sys.argv[1] if len(sys.argv) == 2 else "1"

BARE = """
import json, pathlib
kept = json.loads(pathlib.Path(__file__).with_name("kept.json").read_text())
body, headers = kept["body"].encode(), [tuple(pair) for pair in kept["headers"]]

def application(environ, start_response):
    start_response("200 OK", headers)
    return [body]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(*words: str, folder: Path, environ: dict[str, str]) -> Iterator[str]:
    """Run granian with one worker until the block ends; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
    command += ["--blocking-threads", THREADS, "--no-ws", *words]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def rate(url: str, *headers: str) -> float:
    """Return the requests a second of one round."""
    flags = [word for header in headers for word in ("-H", header)]
    command = ["wrk", "-t1", "-c8", f"-d{SECONDS}s", *flags, url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out and not headers:
        raise SystemExit(f"{url} answered with an error")
    found = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert found is not None, out
    return float(found.group(1))


def main() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {"CMS_DATABASE_URL": f"sqlite:///{folder / 'bank.db'}"}
        for words in (["db", "upgrade"], ["import", "fixtures/flask", "--publish"]):
            subprocess.run(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env=os.environ | environ,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        with server("--factory", "cms:create_app", folder=ROOT, environ=environ) as ours:
            with urllib.request.urlopen(f"{ours}/export/bank.json") as response:
                slug = json.load(response)["questions"][0]["slug"]
            page = f"{ours}/questions/{slug}"
            with urllib.request.urlopen(page) as response:
                own = {"server", "date", "connection"}
                headers = [(k, v) for k, v in response.headers.items() if k.lower() not in own]
                kept = {"body": response.read().decode(), "headers": headers}
                etag = response.headers["ETag"]
            (folder / "kept.json").write_text(json.dumps(kept))
            (folder / "bare.py").write_text(BARE)
            with server("bare:application", folder=folder, environ={}) as bare:
                compare(bare, page, etag, len(kept["body"].encode()))


def compare(bare: str, page: str, etag: str, size: int) -> None:
    rates: dict[str, list[float]] = {"bare": [], "page": [], "304": [], "first render": []}
    targets: dict[str, tuple[str, ...]] = {
        "bare": (bare,),
        "page": (page,),
        "304": (page, f"If-None-Match: {etag}"),
        # An address with a long query is never kept: every request renders.
        "first render": (f"{page}?{'x' * 201}",),
    }
    for number in range(ROUNDS):
        # Nobody always comes first, or always after the slowest one.
        names = list(targets)[:: 1 if number % 2 else -1]
        for name in names:
            rates[name].append(rate(*targets[name]))
    print(f"page of {size:,} bytes, granian with 1 worker and {THREADS} threads, {ROUNDS} rounds")
    for name, found in rates.items():
        ratios = [one / base for one, base in zip(found, rates["bare"], strict=True)]
        print(
            f"{name:13} {statistics.median(found):9,.0f} requests/s"
            f" {statistics.median(ratios):6.2f} x bare"
        )


if __name__ == "__main__":
    main()
