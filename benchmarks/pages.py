"""Public pages against a bare WSGI function with the body of one of them, on the same server.

Kept, not modified, and made anew, on the curated Flask bank; lists at both ends;
with N, also on generated shelves of 1,000 and of N questions; and how long a process takes from
its start to its first page. Needs `wrk` (Debian's package of that name). All
servers run at once; the rounds are interleaved, and the ratios are of one
round, so a drifting machine cancels out.
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
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from shelf import shelf  # noqa: E402

from cms.services.listing import Cursor  # noqa: E402

ROUNDS = 7
SECONDS = 2
STARTS = 5
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 0
# More threads make a trivial function slower: they fight for the interpreter.
THREADS = sys.argv[2] if len(sys.argv) > 2 else "1"
# An address with a long query is never kept: every request makes the page anew.
ANEW = "x" * 201
# The last questions of any list here: those that were published first.
LAST_PAGE = f"/questions/?after={Cursor('recent', 1, 31).encode()}"

BARE = """
import json, pathlib
kept = json.loads(pathlib.Path(__file__).with_name("kept.json").read_text())
body, headers = kept["body"].encode(), [tuple(pair) for pair in kept["headers"]]

def application(environ, start_response):
    start_response("200 OK", headers)
    return [body]
"""


TINY = """
import flask
app = flask.Flask("tiny")
app.add_url_rule("/", view_func=lambda: "hello")
assert app.test_client().get("/").status_code == 200
"""
WHOLE = """
import manage
assert manage.create_app().test_client().get("/questions/").status_code == 200
"""

Target = tuple[str, ...]


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
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environ = {"CMS_DATABASE_URL": f"sqlite:///{folder / 'bank.db'}"}
        for words in (["db", "upgrade"], ["import", "fixtures/flask", "--publish"]):
            subprocess.run(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env=os.environ | environ,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        ours = stack.enter_context(application(environ))
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
        bare = stack.enter_context(server("bare:application", folder=folder, environ={}))
        targets: dict[str, Target] = {
            "bare": (bare,),
            "page": (page,),
            "304": (page, f"If-None-Match: {etag}"),
            **made_anew(ours, f"/questions/{slug}"),
        }
        for count in (1_000, COUNT) if COUNT else ():
            made = folder / str(count)
            made.mkdir()
            with shelf(made, count):
                environ = {"CMS_DATABASE_URL": f"sqlite:///{made / 'bank.db'}"}
            another = stack.enter_context(application(environ))
            anew = made_anew(another, f"/questions/question-{count // 2}")
            targets |= {f"{name} of {count:,}": target for name, target in anew.items()}
        print(f"a page of {len(kept['body'].encode()):,} bytes;", end=" ")
        compare(targets)
        start({"CMS_DATABASE_URL": f"sqlite:///{folder / 'bank.db'}"})


def application(environ: dict[str, str]) -> contextlib.AbstractContextManager[str]:
    return server("--factory", "cms:create_app", folder=ROOT, environ=environ)


def made_anew(site: str, question: str) -> dict[str, Target]:
    """Return a question's page, and the ends of two lists, as they are first made."""
    return {
        "first render": (f"{site}{question}?{ANEW}",),
        "list": (f"{site}/questions/?{ANEW}",),
        "its last page": (f"{site}{LAST_PAGE}&{ANEW}",),
    }


def compare(targets: dict[str, Target]) -> None:
    """Print the rate of each target, and its ratio to that of the bare function."""
    rates: dict[str, list[float]] = {name: [] for name in targets}
    for number in range(ROUNDS):
        # Nobody always comes first, or always after the slowest one.
        for name in list(targets)[:: 1 if number % 2 else -1]:
            rates[name].append(rate(*targets[name]))
    print(f"granian with 1 worker and {THREADS} threads, {ROUNDS} rounds")
    for name, found in rates.items():
        ratios = [one / base for one, base in zip(found, rates["bare"], strict=True)]
        print(
            f"{name:26} {statistics.median(found):9,.0f} requests/s"
            f" {statistics.median(ratios):7.3f} x bare"
        )


def start(environ: dict[str, str]) -> None:
    """Print how long a new process takes to its first page, beside a Flask app of one view."""
    times: dict[str, list[float]] = {TINY: [], WHOLE: []}
    for _ in range(STARTS):
        for code, taken in times.items():
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, env=os.environ | environ, check=True
            )
            taken.append(time.perf_counter() - begun)
    tiny, whole = times.values()
    ratio = statistics.median(b / a for a, b in zip(tiny, whole, strict=True))
    print(
        f"first page of a new process: {statistics.median(whole) * 1_000:,.0f} ms,"
        f" {ratio:.2f} x a Flask app of one view"
    )


if __name__ == "__main__":
    main()
