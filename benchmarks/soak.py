"""Does a server that is used for long grow? Memory and open files of its processes, by the minute.

Serves a bank as `manage.py serve` does. For N minutes readers ask for pages, searches and
exports, somebody guesses passwords, and an editor saves and publishes. The slopes are those of a
line through the second half of the minutes, when all that is kept has been filled.
"""

import http.cookiejar
import itertools
import os
import re
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from html import unescape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

EVERY = 10  # seconds between two looks
PAUSE = 0.1  # seconds between two requests of everybody
EXPORTS = (
    *("/export/bank.json", "/export/bank.apkg"),
    *("/export/bank.csv?difficulty=easy", "/feed.atom"),
)


class Editor:
    """Logs in, saves one question again and again, and publishes it every time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.saves = itertools.count(1)
        self.text = ""
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def log_in(self, name: str, password: str) -> None:
        page = self._open("/login")
        token = unescape(re.findall(r'name="csrf_token" value="([^"]+)"', page)[0])
        self._open("/login", {"csrf_token": token, "name": name, "password": password})

    def save(self) -> None:
        """Send the form of the first question with another answer, and publish it."""
        from tests.web.pages import fields_of

        address = "/admin/questions/1/"
        form = fields_of(self._open(address))
        self.text = f"Saved for the {next(self.saves)}th time."
        form |= {"answers[0].body": self.text, "op": "publish"}
        self._open(address, form)

    def _open(self, path: str, form: dict[str, str] | None = None) -> str:
        body = urllib.parse.urlencode(form).encode() if form else None
        return str(self.opener.open(self.url + path, body, timeout=60).read().decode())


def state() -> tuple[float, int]:
    """Return the memory (MB, resident) and the open files of all the server's processes."""
    from imports import processes

    memory, files = 0.0, 0
    for pid in processes("manage.py serve"):
        status = Path(f"/proc/{pid}/status").read_text()
        memory += int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
        files += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return memory, files


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the line that lies closest to the points."""
    x, y = (sum(each[n] for each in points) / len(points) for n in (0, 1))
    spread = sum((each[0] - x) ** 2 for each in points)
    return sum((each[0] - x) * (each[1] - y) for each in points) / spread


def main(minutes: float) -> None:
    """Use a server for so many minutes, and print what came of it."""
    from imports import PASSWORD, prepare, served

    with tempfile.TemporaryDirectory() as folder:
        os.environ["CMS_DATABASE_URL"] = f"sqlite:///{folder}/bank.db"
        os.environ["CMS_SECRET_KEY"] = "a secret of a benchmark, of enough characters"
        prepare()
        with served() as url:
            stop, failed, count = threading.Event(), [], itertools.count()
            editor = Editor(url)
            editor.log_in("Edith", PASSWORD)

            def read() -> None:
                for number in itertools.count():
                    pages = (f"/questions/?q=route+{number}", "/", "/questions/", "/tags/")
                    address = EXPORTS[number // 20 % 4] if number % 20 == 0 else pages[number % 4]
                    urllib.request.urlopen(url + address, timeout=60).read()
                    if rest():
                        return

            def guess() -> None:
                for number in itertools.count():
                    try:
                        Editor(url).log_in(f"Nobody {number}", "wrong")
                    except urllib.error.HTTPError as error:
                        if error.code not in {422, 429}:
                            raise
                    if rest(10):
                        return

            def edit() -> None:
                while not rest(5):
                    editor.save()

            def rest(times: int = 1) -> bool:
                next(count)
                return stop.wait(PAUSE * times)

            def use(what: object) -> None:
                try:
                    what()  # type: ignore[operator]
                except Exception as error:
                    failed.append(error)

            work = (read, read, guess, edit)
            users = [threading.Thread(target=use, args=(each,)) for each in work]
            for user in users:
                user.start()
            looks, began = [], time.monotonic()
            while (spent := time.monotonic() - began) < minutes * 60 and not failed:
                memory, files = state()
                looks.append((spent / 60, memory, files))
                print(f"{spent / 60:6.1f} min {memory:7.1f} MB {files:5} files", flush=True)
                time.sleep(EVERY)
            stop.set()
            for user in users:
                user.join()
            public = urllib.request.urlopen(f"{url}/export/bank.json", timeout=60).read().decode()
            assert editor.text in public or failed, "what was saved is not public"
    for error in failed:
        raise error
    half = looks[len(looks) // 2 :]
    memory = slope([(at, used) for at, used, _ in half])
    files = slope([(at, used) for at, _, used in half])
    print(
        f"{next(count):,} requests, {next(editor.saves) - 1:,} saves: "
        f"{memory:+.2f} MB and {files:+.2f} open files a minute"
    )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) == 2 else 30)
