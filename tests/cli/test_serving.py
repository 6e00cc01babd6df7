"""The production server, as a process of its own: what kills, stops or holds it up."""

from __future__ import annotations

import http.client
import http.cookiejar
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from cms.models import Question, User
from cms.services.content import revision_content
from cms.vocabulary import Role
from tests.conftest import PASSWORD, ROOT, SECRET, add_person
from tests.factories import make_published, make_question
from tests.web.pages import fields_of

WRITERS = 2
PATIENCE = 120  # seconds: what a very busy machine may take, and no server that works

if sys.platform == "win32":
    pytest.skip("processes are killed by POSIX's signals here", allow_module_level=True)


class Server:
    """`manage.py serve` on a free port, in a process group that can be killed as a whole."""

    def __init__(self, database_url: str) -> None:
        self._environment = os.environ | {
            "CMS_DATABASE_URL": database_url,
            "CMS_SECRET_KEY": SECRET,
        }
        # Bound for as long as this lives, so that no other program gets the port in between; it
        # listens to nothing, and so the server may bind the same.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(self.port)]
        command += options
        self._process = subprocess.Popen(
            command, env=self._environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=PATIENCE).read()
                return
            except (OSError, http.client.HTTPException):
                assert self._process.poll() is None, "the server ended by itself"
                assert time.monotonic() < end, "the server did not come up"
                time.sleep(0.05)

    def kill(self) -> None:
        """End it as the system does when it is out of memory: at once, and all of it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ask_to_end(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        assert self._process is not None
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    def close(self) -> None:
        self.kill()
        self._place.close()


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    server = Server(database_url)
    yield server
    server.close()


@pytest.fixture
def editor(session: Session) -> User:
    return add_person(session, "Edith", Role.editor)


def editor_of(id: int) -> str:
    return f"/admin/questions/{id}/"


class Browser:
    """A client that keeps its cookies and follows no redirect."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._jar), _NoRedirect()
        )

    def get(self, path: str) -> str:
        return str(self._opener.open(self._url + path, timeout=PATIENCE).read().decode())

    def post(self, path: str, fields: dict[str, str]) -> int:
        """Send a form; return the status."""
        body = urllib.parse.urlencode(fields).encode()
        try:
            return int(self._opener.open(self._url + path, body, timeout=PATIENCE).status)
        except urllib.error.HTTPError as error:
            return error.code

    def hand_over(self, path: str, fields: dict[str, str]) -> socket.socket:
        """Send a form once the server says that it has begun with the request."""
        request = urllib.request.Request(self._url + path)
        self._jar.add_cookie_header(request)
        body = urllib.parse.urlencode(fields).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {request.host}\r\nExpect: 100-continue\r\n"
            f"Cookie: {request.get_header('Cookie')}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        host, _, port = request.host.partition(":")
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
        connection.sendall(head.encode())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        return connection

    def log_in(self) -> None:
        form = fields_of(self.get("/login"), "/login")
        assert self.post("/login", form | {"name": "Edith", "password": PASSWORD}) == 302


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


# --- killed ---------------------------------------------------------------------------


@pytest.mark.each_database
@pytest.mark.usefixtures("editor")
def test_what_was_acknowledged_outlives_a_killed_server(
    session: Session, server: Server, pytestconfig: pytest.Config
) -> None:
    """`--kills 200` is the long proof, by hand."""
    questions = [make_question(session) for _ in range(WRITERS)]
    ids = [question.id for question in questions]
    session.commit()
    acknowledged: list[set[str]] = [set() for _ in questions]
    for kill in range(pytestconfig.getoption("--kills")):
        server.start()
        killed = threading.Event()
        writers = [
            threading.Thread(target=_edit, args=(server.url, id, kill, acknowledged[n], killed))
            for n, id in enumerate(ids)
        ]
        before = sum(map(len, acknowledged))
        for writer in writers:
            writer.start()
        _wait_for(acknowledged, count=before + 1)
        # Each time at another moment of whatever it does then.
        time.sleep(kill * 0.137 % 0.5)
        killed.set()
        server.kill()
        for writer in writers:
            writer.join()
    if session.get_bind().dialect.name == "sqlite":
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
    session.expire_all()
    for texts, id in zip(acknowledged, ids, strict=True):
        question = session.get_one(Question, id)
        numbers = range(1, question.latest_number + 1)
        kept = [revision_content(session, question, n).answers[0].body for n in numbers]
        assert texts <= set(kept)
        assert question.answers[0].body == kept[-1]


def _edit(url: str, id: int, kill: int, acknowledged: set[str], killed: threading.Event) -> None:
    """Save one text after another, and note those that the server took."""
    number = 0
    try:
        browser = Browser(url)
        browser.log_in()
        address = editor_of(id)
        while True:
            body = f"Text {number} before kill {kill}."
            form = fields_of(browser.get(address)) | {"answers[0].body": body}
            if browser.post(address, form) == 303:
                acknowledged.add(body)
            number += 1
    except (OSError, http.client.HTTPException, AssertionError):
        # The server is gone, or was in the middle of a page, which then lacks its end.
        assert killed.is_set()


def _wait_for(texts: list[set[str]], count: int) -> None:
    end = time.monotonic() + PATIENCE
    while sum(map(len, texts)) < count:
        assert time.monotonic() < end, "nothing was saved"
        time.sleep(0.02)


# --- asked to end ---------------------------------------------------------------------


@pytest.mark.usefixtures("editor")
def test_a_request_in_flight_is_finished_before_the_server_ends(
    session: Session, server: Server
) -> None:
    question = make_question(session)
    id = question.id
    session.commit()
    server.start()
    browser = Browser(server.url)
    browser.log_in()
    address = editor_of(id)
    form = fields_of(browser.get(address))
    form["answers[0].body"] = "Said while the server was asked to end."
    # Somebody else holds the database: the request waits in the middle.
    session.execute(select(Question).where(Question.id == id).with_for_update())
    with browser.hand_over(address, form) as connection:
        server.ask_to_end()
        # A server that did not wait for what it has begun would be gone by then.
        time.sleep(1)
        session.rollback()
        assert connection.recv(1_000).startswith(b"HTTP/1.1 303 ")
    assert server.wait() == 0
    assert session.get_one(Question, id).answers[0].body == form["answers[0].body"]


# --- held up --------------------------------------------------------------------------


def test_clients_that_stall_hold_up_nobody_else(session: Session, server: Server) -> None:
    make_published(session)
    server.start()
    host = f"Host: 127.0.0.1:{server.port}\r\n"
    beginnings = [
        # Of a request, of a form, and a connection that asks for nothing.
        f"GET /questions/ HTTP/1.1\r\n{host}",
        f"POST /login HTTP/1.1\r\n{host}Content-Length: 1000\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\nname=Edi",
        "",
    ]
    stalled = []
    try:
        for number in range(450):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            stalled.append(connection)
            connection.sendall(beginnings[number % 3].encode())
        page = urllib.request.urlopen(f"{server.url}/questions/", timeout=PATIENCE).read().decode()
    finally:
        for connection in stalled:
            connection.close()
    assert "1 question" in page


# --- watched --------------------------------------------------------------------------


def test_processes_count_together(session: Session, server: Server) -> None:
    """Whichever is asked knows what the others answered."""
    make_published(session)
    server.start("--workers", "2")
    for _ in range(40):
        urllib.request.urlopen(f"{server.url}/questions/", timeout=10).read()
    told = {
        line
        for _ in range(10)
        for line in urllib.request.urlopen(f"{server.url}/metrics", timeout=10)
        if line.startswith(b'qbank_http_request_seconds_count{area="questions",code="200"}')
    }
    assert told == {b'qbank_http_request_seconds_count{area="questions",code="200"} 40.0\n'}
