"""A large file through the browser: is the site still there, and what if the worker is killed?

Serves a bank as `manage.py serve` does, uploads N generated questions in
Chromium, asks for pages all the while, kills the worker in both jobs, and
looks at what came of it. Prints latencies idle and busy, seconds and memory.
"""

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

PASSWORD = "walnut harbor violin ninety"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def prepare() -> None:
    """Make the bank, an account, and a few public questions to ask for."""
    import flask_migrate
    from generated import bank
    from sqlalchemy import select

    from cms import create_app
    from cms.extensions import db
    from cms.formats import FORMATS
    from cms.formats.incoming import Upload
    from cms.models import Question
    from cms.services import accounts
    from cms.services.imports.importing import apply, plan_file
    from cms.services.publishing import publish
    from cms.vocabulary import Role

    at = datetime.now(UTC)
    with create_app().app_context():
        flask_migrate.upgrade()
        session = db.session()
        user = accounts.add_user(session, "Edith", Role.editor, by=None, at=at)
        accounts.redeem(
            session, accounts.issue_link(session, user, by=None, at=at), PASSWORD, at=at
        )
        upload = Upload("few.json", other(bank(20), "Why does"))
        plan = plan_file(session, upload, FORMATS["json"])
        apply(session, plan, upload, FORMATS["json"], by=None, at=at)
        publish(session, session.scalars(select(Question)).all(), by=None, at=at)
        session.commit()


@contextmanager
def served() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"{url}/healthz", timeout=1).read()
                break
            except OSError:
                continue
        yield url
    finally:
        server.terminate()
        server.wait(20)


class Readers:
    """Asks for pages without a pause, half of them not kept, and notes how long each took."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seconds: list[float] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.read)

    def read(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            address = f"{self.url}/questions/" + (f"?q=route+{number}" if number % 2 else "")
            start = time.perf_counter()
            urllib.request.urlopen(address, timeout=60).read()
            self.seconds.append(time.perf_counter() - start)
            time.sleep(0.02)

    def __enter__(self) -> "Readers":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def told(self) -> str:
        ordered = sorted(self.seconds)
        p95 = ordered[int(len(ordered) * 0.95)]
        return (
            f"{len(ordered)} pages, median {statistics.median(ordered) * 1000:.1f} ms, "
            f"95 % {p95 * 1000:.1f} ms, longest {ordered[-1] * 1000:.0f} ms"
        )


def processes(words: str) -> list[int]:
    """Return the ids of processes of this bank whose command line has `words`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            ours = os.environ["CMS_DATABASE_URL"].encode() in (folder / "environ").read_bytes()
        except OSError:
            continue
        if words in line and ours:
            found.append(int(folder.name))
    return found


def peak(pids: list[int]) -> int:
    """Return the highest peak memory of these processes, in MB."""
    peaks = [0]
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        peaks.append(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024)
    return max(peaks)


def main(count: int) -> None:
    from generated import bank
    from playwright.sync_api import expect, sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        os.environ["CMS_DATABASE_URL"] = f"sqlite:///{folder}/bank.db"
        prepare()
        data = bank(count)
        with served() as url, sync_playwright() as playwright:
            with Readers(url) as idle:
                time.sleep(5)
            print(f"idle:       {idle.told()}")
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=ARGUMENTS
            )
            page = browser.new_page(base_url=url)
            page.goto("/login")
            page.get_by_label("Name").fill("Edith")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            for killed in (False, True):
                page.goto("/admin/imports/new/")
                page.get_by_label("Files").set_input_files(
                    {
                        "name": f"bank-{killed}.json",
                        "mimeType": "application/json",
                        "buffer": other(data, "How does") if killed else data,
                    }
                )
                states = page.locator(".bar .states")
                with Readers(url) as busy:
                    start = time.perf_counter()
                    page.get_by_role("button", name="Read it").click()
                    if killed:
                        kill_worker()
                    expect(states).to_have_text("waits for you", timeout=300_000)
                    shown = time.perf_counter()
                    page.get_by_role("button", name=re.compile("^Import ")).click()
                    if killed:
                        kill_worker()
                    expect(states).to_have_text("imported", timeout=300_000)
                    written = time.perf_counter()
                what = "killed twice" if killed else "busy"
                print(f"{what + ':':11} {busy.told()}")
                print(
                    f"  {count:,} rows ({len(data) / 1e6:.0f} MB): shown after "
                    f"{shown - start:.1f} s, written {written - shown:.1f} s later"
                )
                print(f"  tallies: {' '.join(page.locator('#tallies').inner_text().split())}")
                print(
                    f"  peak memory: server {peak(processes('manage.py serve'))} MB, "
                    f"worker {peak(processes('manage.py work'))} MB"
                )
            browser.close()


def other(data: bytes, words: str) -> bytes:
    """Return the bank with other questions: stems that begin with `words`, no uids, no slugs."""
    import msgspec

    document = msgspec.json.decode(data)
    for question in document["questions"]:
        question["stem"] = question["stem"].replace("What does", words)
        del question["uid"], question["slug"]
        for answer in question["answers"]:
            del answer["uid"]
    return msgspec.json.encode(document)


def kill_worker() -> None:
    """Kill the worker as soon as it is at work, and let its lease run out at once."""
    import sqlite3

    path = os.environ["CMS_DATABASE_URL"].removeprefix("sqlite:///")
    while True:
        with sqlite3.connect(path, timeout=30) as connection:
            row = connection.execute("SELECT id FROM job WHERE state = 'running'").fetchone()
        if row:
            break
        time.sleep(0.01)
    time.sleep(0.7)
    for pid in processes("manage.py work"):
        os.kill(pid, signal.SIGKILL)
    with sqlite3.connect(path, timeout=30) as connection:
        connection.execute("UPDATE job SET lease_until = '2000-01-01' WHERE state = 'running'")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) == 2 else 10_000)
