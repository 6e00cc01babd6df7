"""How long a new process takes to its first byte, and what memory a served bank takes.

On a generated bank of N questions. Every start is a process of its own, in turn with one of a
Flask app of one view; bytecode is written before anything is measured. Memory is that of
`manage.py serve`: of the process that answers, and of all that belong to the server, where a page
that several share counts once (PSS).
"""

import http.cookiejar
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
ROUNDS = 9
PAGES = 1_000
NAME, PASSWORD = "Edith", "walnut harbor violin ninety"
FIRST = """
import {imported}
assert {app}.test_client().get({address!r}).status_code == 200
"""
TINY = """
import flask
app = flask.Flask("tiny")
app.add_url_rule("/", view_func=lambda: "hello")
assert app.test_client().get("/").status_code == 200
"""
DESK = ("/admin/", "/admin/questions/", "/admin/questions/{}/", "/admin/tags/", "/admin/imports/")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bank.db"
        os.environ |= {"CMS_DATABASE_URL": url, "CMS_SECRET_KEY": "x" * 40}
        # What is measured is a start, not the compiler.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        number = prepare(Path(folder))
        print(f"a bank of {COUNT:,} questions; {ROUNDS} rounds, medians")
        starts()
        memory(number)


def prepare(folder: Path) -> int:
    """Make the bank, and an editor; return the id of a question."""
    from generated import bank
    from sqlalchemy import select

    from cms import create_app
    from cms.extensions import db
    from cms.models import Question

    (folder / "bank.json").write_bytes(bank(COUNT))
    manage("db", "upgrade")
    manage("import", str(folder / "bank.json"), "--publish", "--force")
    with create_app().app_context():
        make_editor()
        found = db.session.scalar(select(Question.id).limit(1))
        assert found is not None
        return found


def make_editor() -> None:
    from datetime import UTC, datetime, timedelta

    from cms.extensions import db
    from cms.services import accounts
    from cms.vocabulary import Role

    at, hour = datetime.now(UTC), timedelta(hours=1)
    editor = accounts.add_user(db.session(), NAME, Role.editor, by=None, at=at)
    token = accounts.issue_link(db.session(), editor, by=None, at=at, lifetime=hour)
    accounts.redeem(db.session(), token, PASSWORD, at=at)
    db.session.commit()


def manage(*words: str) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def starts() -> None:
    """Print the time of each start, and its ratio to that of the Flask app of one view."""
    ours = {
        address: FIRST.format(imported="cms", app="cms.create_app()", address=address)
        for address in ("/", "/questions/question-7", "/healthz", "/login")
    }
    commands = (["--help"], ["doctor"], ["stats"], ["export", "--help"], ["db", "current"])
    runs: dict[str, list[str]] = {"a Flask app of one view": ["-c", TINY]}
    runs |= {f"the app, {address}": ["-c", code] for address, code in ours.items()}
    runs |= {f"manage.py {' '.join(words)}": ["manage.py", *words] for words in commands}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for each in range(ROUNDS + 1):
        for name in list(runs)[:: 1 if each % 2 else -1]:
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, *runs[name]], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
            )
            taken[name].append(time.perf_counter() - begun)
    base = taken["a Flask app of one view"][1:]
    for name, found in taken.items():
        # The first round writes bytecode and fills the system's cache of files.
        ratio = statistics.median(a / b for a, b in zip(found[1:], base, strict=True))
        print(f"{name:34} {statistics.median(found[1:]) * 1_000:7,.0f} ms {ratio:6.2f} x")


def memory(question: int) -> None:
    """Print the memory of a server when idle, after public pages and after a desk session."""
    from imports import served

    with served() as site:
        tell("idle")
        slugs = [f"/questions/question-{number % COUNT}?n={number}" for number in range(PAGES)]
        for path in ("/", "/questions/", "/tags/", *slugs):
            read(site + path)
        tell(f"after {PAGES:,} public pages")
        opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )
        form = opener.open(f"{site}/login").read().decode()
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        assert token is not None
        sent = {"csrf_token": token[1], "name": NAME, "password": PASSWORD}
        opener.open(f"{site}/login", urllib.parse.urlencode(sent).encode()).close()
        begun = time.perf_counter()
        for path in DESK:
            page = opener.open(site + path.format(question))
            assert page.url.startswith(f"{site}/admin/"), page.url
            page.read()
        print(f"the first {len(DESK)} pages of the desk: {time.perf_counter() - begun:.2f} s")
        tell("after a desk session")


def read(address: str) -> None:
    with urllib.request.urlopen(address) as response:
        response.read()


def tell(when: str) -> None:
    """Print what the server's processes hold by now, in MB."""
    from imports import processes

    held = {pid: memory_of(pid) for pid in processes("manage.py serve")}
    worker = max(held)
    total = sum(shared for _, shared in held.values())
    print(
        f"{when:34} {held[worker][0]:5.0f} MB resident in the worker (PSS {held[worker][1]:.0f}),"
        f" {total:.0f} MB in {len(held)} processes"
    )


def memory_of(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process, and its share of it (PSS), in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = [re.search(rf"^{key}:\s+(\d+)", rollup, re.MULTILINE) for key in ("Rss", "Pss")]
    return tuple(int(each[1]) / 1024 for each in found if each)  # type: ignore[return-value]


if __name__ == "__main__":
    main()
