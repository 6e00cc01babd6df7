"""The cache of finished pages: never a page of another release, address, host or person."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from cms.models import ReleaseCounter
from cms.web import cache
from cms.web.cache import KeptPages, Page, PolledLook, ResponseCache, SqliteLook
from tests.factories import make_published

pytestmark = pytest.mark.each_database

BUILD = "0123456789ab"


@dataclass
class Stub:
    """A bank of one number in front of an app that answers with it, and counts its calls."""

    release: int | None = 1
    served: int = 1
    status: str = "200 OK"
    extra: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None
    calls: int = 0
    forgotten: int = 0

    def __call__(self) -> int | None:
        return self.release

    def forget(self) -> None:
        self.forgotten += 1

    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        body = self.body or f"{environ['PATH_INFO']} of {self.served}".encode()
        headers = [("Content-Type", "text/html"), ("Content-Length", str(len(body)))]
        headers += self.extra or [("ETag", f'"{self.served}-{BUILD}"'), ("X-Policy", "strict")]
        start_response(self.status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(wrapped: ResponseCache, path: str = "/", method: str = "GET", **environ: str) -> Answer:
    started: list[Any] = []
    parts = wrapped(
        {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "HTTP_HOST": "localhost",
            "wsgi.url_scheme": "http",
        }
        | environ,
        lambda status, headers, exc_info=None: started.extend((status, headers)),
    )
    return Answer(int(started[0][:3]), dict(started[1]), b"".join(parts))


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def wrapped(stub: Stub) -> ResponseCache:
    return ResponseCache(stub.app, stub, BUILD)


def test_a_page_is_made_once_for_a_release(stub: Stub, wrapped: ResponseCache) -> None:
    first, second = ask(wrapped), ask(wrapped)
    assert (first.body, second.body) == (b"/ of 1", b"/ of 1")
    assert first.headers == second.headers
    assert stub.calls == 1
    stub.release = stub.served = 2
    assert ask(wrapped).body == b"/ of 2"
    assert stub.calls == 2


def test_a_page_that_is_newer_than_the_look_is_kept_as_what_it_is(
    stub: Stub, wrapped: ResponseCache
) -> None:
    """A release came between the look and the page."""
    stub.served = 2
    assert ask(wrapped).headers["ETag"] == f'"2-{BUILD}"'
    assert stub.forgotten == 1
    # The look still says 1: the page of 2 must not stand for it …
    stub.served = 1
    assert ask(wrapped).headers["ETag"] == f'"1-{BUILD}"'
    # … and is good once the look says 2.
    stub.served = stub.release = 2
    ask(wrapped)
    calls = stub.calls
    assert ask(wrapped).body == b"/ of 2"
    assert stub.calls == calls


def test_a_database_that_does_not_answer_is_the_apps_to_explain(
    stub: Stub, wrapped: ResponseCache
) -> None:
    ask(wrapped)
    stub.release = None
    stub.status, stub.extra = "503 Service Unavailable", [("Retry-After", "10")]
    assert ask(wrapped).status == 503


@pytest.mark.parametrize(
    "named",
    ['"1-{b}"', 'W/"1-{b}"', '"x", "1-{b}"', '"x",W/"1-{b}" , "y"', "*"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("known", [True, False])
def test_a_reader_who_has_the_page_gets_a_304(
    stub: Stub, wrapped: ResponseCache, named: str, method: str, known: bool
) -> None:
    if known:
        ask(wrapped)
    answer = ask(wrapped, method=method, HTTP_IF_NONE_MATCH=named.replace("{b}", BUILD))
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers == {
        "ETag": f'"1-{BUILD}"',
        "X-Policy": "strict",
        "Vary": "Accept-Encoding",
    }
    assert stub.calls == 1


@pytest.mark.parametrize("named", ['"0-{b}"', '"1-other"', "1-{b}", "", '"1-{b}', '"11-{b}"'])
def test_a_reader_who_has_another_page_gets_this_one(wrapped: ResponseCache, named: str) -> None:
    for _ in range(2):
        answer = ask(wrapped, HTTP_IF_NONE_MATCH=named.replace("{b}", BUILD))
        assert (answer.status, answer.body) == (200, b"/ of 1")


def test_a_head_has_the_headers_of_a_get_and_no_body(stub: Stub, wrapped: ResponseCache) -> None:
    before = ask(wrapped, method="HEAD")
    got = ask(wrapped)
    after = ask(wrapped, method="HEAD")
    assert before.headers == got.headers == after.headers
    assert (before.body, got.body, after.body) == (b"", b"/ of 1", b"")
    assert stub.calls == 1
    stub.status = "404 NOT FOUND"
    assert ask(wrapped, "/questions/none", method="HEAD").body == b""


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/questions/"},
        {"QUERY_STRING": "q=x"},
        {"SCRIPT_NAME": "/bank"},
        {"wsgi.url_scheme": "https"},
    ],
)
def test_another_address_is_another_page(
    stub: Stub, wrapped: ResponseCache, fields: dict[str, str]
) -> None:
    ask(wrapped)
    ask(wrapped, **fields)
    assert stub.calls == 2


@pytest.mark.parametrize(
    "path", ["/feed.atom", "/tags/a/feed.atom", "/decks/a/feed.atom", "/questions/a.md"]
)
def test_what_has_absolute_addresses_is_kept_for_each_host(
    stub: Stub, wrapped: ResponseCache, path: str
) -> None:
    for host, calls in (("a.example", 1), ("b.example", 2), ("a.example", 2)):
        ask(wrapped, path, HTTP_HOST=host)
        assert stub.calls == calls, host


@pytest.mark.parametrize(
    "path",
    [
        *("/robots.txt", "/decks/feed.atom.json", "/readyz"),
        *("/admin/", "/login", "/account", "/staticx", "/export/bank.json", "/healthz"),
        *(
            "/questions",
            "/questionsx",
            "/decks/a.json",
            "/decks",
            "/schema/question-bank-1.json",
            "",
        ),
    ],
)
def test_nothing_but_pages_of_the_shelf_is_kept(
    stub: Stub, wrapped: ResponseCache, path: str
) -> None:
    ask(wrapped, path)
    ask(wrapped, path)
    assert stub.calls == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_reach_the_app_and_renew_the_look(
    stub: Stub, wrapped: ResponseCache, method: str
) -> None:
    ask(wrapped)
    ask(wrapped, method=method)
    assert (stub.calls, stub.forgotten) == (2, 1)


@pytest.mark.parametrize(
    ("status", "extra"),
    [
        ("404 NOT FOUND", []),
        ("301 MOVED PERMANENTLY", []),
        ("410 GONE", []),
        ("500 INTERNAL SERVER ERROR", []),
        ("206 PARTIAL CONTENT", []),
        ("200 OK", [("X-None", "no ETag")]),
        ("200 OK", [("ETag", '"something else"')]),
        ("200 OK", [("ETag", f'W/"1-{BUILD}"')]),
        ("200 OK", [("ETag", f'"1-{BUILD}"'), ("Set-Cookie", "a=b")]),
        ("200 OK", [("etag", f'"1-{BUILD}"'), ("set-cookie", "a=b")]),
    ],
)
def test_what_is_no_public_page_is_not_kept(
    stub: Stub, wrapped: ResponseCache, status: str, extra: list[tuple[str, str]]
) -> None:
    stub.status, stub.extra = status, extra
    for _ in range(2):
        assert ask(wrapped).status == int(status[:3])
    assert stub.calls == 2


@pytest.mark.parametrize("fields", [{"QUERY_STRING": "q=" + "x" * 200}, {}])
def test_what_is_too_long_is_served_and_not_kept(
    stub: Stub, wrapped: ResponseCache, fields: dict[str, str]
) -> None:
    if not fields:
        stub.body = b"x" * (cache.LARGEST + 1)
    assert ask(wrapped, **fields).body == ask(wrapped, **fields).body
    assert stub.calls == 2


def test_an_untrusted_host_gets_no_kept_page(stub: Stub) -> None:
    wrapped = ResponseCache(stub.app, stub, BUILD, trusted_hosts=["bank.example.org"])
    for host, calls in (("bank.example.org", 1), ("evil.example", 2), ("bank.example.org:80", 2)):
        ask(wrapped, HTTP_HOST=host)
        assert stub.calls == calls, host


def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    pages = KeptPages(capacity=1_000)

    def put(name: str, size: int) -> None:
        pages.put(("http", "", name, "", True), Page(1, "", "", [], b"x" * size))

    for name in "abc":
        put(name, 300)
    pages.get(("http", "", "a", "", True))
    put("d", 300)
    kept = [name for name in "abcd" if pages.get(("http", "", name, "", True))]
    assert kept == ["a", "c", "d"]
    put("a", 100)
    assert pages.size == 700
    put("e", 2_000)
    assert pages.size == 0


# --- compressed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "gzipped"),
    [
        *(("gzip", True), ("gzip, deflate, br, zstd", True), ("br;q=1.0, GZIP;q=0.5", True)),
        *(("*", True), ("br, *;q=0.1", True)),
        *(("", False), ("identity", False), ("br", False), ("gzip;q=0", False)),
        *(("*, gzip;q=0", False), ("gzip;q=much", False), ("\x00;;,", False)),
    ],
)
def test_a_page_is_compressed_for_whoever_takes_it_so(
    stub: Stub, wrapped: ResponseCache, accepted: str, gzipped: bool
) -> None:
    stub.body = b"the same words again, " * 100
    answer = ask(wrapped, HTTP_ACCEPT_ENCODING=accepted)
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert (answer.headers.get("Content-Encoding") == "gzip") is gzipped
    assert (len(answer.body) < 200) is gzipped
    assert (gzip.decompress(answer.body) if gzipped else answer.body) == stub.body


def test_each_coding_is_kept_and_has_an_etag_of_its_own(stub: Stub, wrapped: ResponseCache) -> None:
    gzipped, plain = ask(wrapped, HTTP_ACCEPT_ENCODING="gzip"), ask(wrapped)
    etags = gzipped.headers["ETag"], plain.headers["ETag"]
    assert etags == (f'"1-{BUILD}-gzip"', f'"1-{BUILD}"')
    for accepted, etag, other in (("gzip", *etags), ("", *reversed(etags))):
        same = ask(wrapped, HTTP_ACCEPT_ENCODING=accepted, HTTP_IF_NONE_MATCH=etag)
        assert (same.status, same.body, same.headers["ETag"]) == (304, b"", etag)
        assert "Content-Encoding" not in same.headers
        another = ask(wrapped, HTTP_ACCEPT_ENCODING=accepted, HTTP_IF_NONE_MATCH=other)
        assert another.status == 200
    assert stub.calls == 2


def test_what_belongs_to_the_build_is_kept_beyond_a_release(
    stub: Stub, wrapped: ResponseCache
) -> None:
    stub.extra = [("ETag", f'"{BUILD}"')]
    ask(wrapped, "/static/site.css")
    stub.release = 2
    assert ask(wrapped, "/static/site.css").status == 200
    stub.release = None
    assert ask(wrapped, "/static/site.css", HTTP_IF_NONE_MATCH=f'"{BUILD}"').status == 304
    assert (stub.calls, stub.forgotten) == (1, 0)


# --- the looks -----------------------------------------------------------------


def release(session: Session, number: int) -> None:
    session.get_one(ReleaseCounter, 1).number = number
    session.commit()


@pytest.fixture
def engine(read_session: Session) -> Engine:
    """The read-only engine."""
    return read_session.get_bind()  # type: ignore[return-value]


def test_a_look_sees_each_release(session: Session, engine: Engine) -> None:
    clock = [0.0]
    look = (
        SqliteLook(engine)
        if engine.dialect.name == "sqlite"
        else PolledLook(engine, lambda: clock[0])
    )
    seen = []
    for number in (0, 1, 2):
        release(session, number)
        seen.append(look())
        clock[0] += cache.STALENESS
    assert seen == [0, 1, 2]


def test_a_polled_look_holds_for_a_second_or_until_it_is_forgotten(
    session: Session, engine: Engine
) -> None:
    clock = [0.0]
    look = PolledLook(engine, lambda: clock[0])
    assert look() == 0
    release(session, 1)
    clock[0] = cache.STALENESS - 0.01
    assert look() == 0
    clock[0] = cache.STALENESS
    assert look() == 1
    release(session, 2)
    look.forget()
    assert look() == 2


def test_a_look_at_a_database_without_a_bank_is_none(session: Session, engine: Engine) -> None:
    session.execute(text("ALTER TABLE release_counter RENAME TO gone"))
    session.commit()
    assert PolledLook(engine)() is None
    if engine.dialect.name == "sqlite":
        assert SqliteLook(engine)() is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_thread_looks_for_itself_and_disposal_closes_all(engine: Engine) -> None:
    look = SqliteLook(engine)
    found: list[int | None] = []
    threads = [threading.Thread(target=lambda: found.append(look())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0] * 4
    engine.dispose()
    assert look() == 0


# --- the whole site ------------------------------------------------------------


def test_pages_and_static_files_are_sent_compressed_and_nothing_of_the_desk(
    client: FlaskClient, session: Session
) -> None:
    make_published(session)
    page = client.get("/questions/what-is-a-view")
    static = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(static) > 3
    public = ["/", "/questions/", "/questions/what-is-a-view", "/questions/what-is-a-view.json"]
    public += ["/feed.atom", "/sitemap.xml"]
    for address in (*public, *static):
        plain = client.get(address)
        sent = client.get(address, headers={"Accept-Encoding": "gzip, br"})
        assert (plain.status_code, sent.status_code) == (200, 200), address
        assert sent.headers["Content-Encoding"] == "gzip", address
        assert gzip.decompress(sent.data) == plain.data, address
        assert sent.headers["Content-Type"] == plain.headers["Content-Type"]
        assert sent.headers["Content-Security-Policy"] == plain.headers["Content-Security-Policy"]
    for address in ("/login", "/questions/none", "/export/bank.json", "/api/v1/questions"):
        sent = client.get(address, headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in sent.headers, address


def test_the_site_serves_a_kept_page_without_flask(
    app: Flask, client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_published(session)
    first = client.get("/questions/what-is-a-view")
    with monkeypatch.context() as patched:
        patched.setattr(app, "full_dispatch_request", lambda: pytest.fail("Flask was asked"))
        second = client.get("/questions/what-is-a-view", headers={"Cookie": "session=stolen"})
        third = client.get(
            "/questions/what-is-a-view", headers={"If-None-Match": first.headers["ETag"]}
        )
    assert second.data == first.data
    assert list(second.headers) == list(first.headers)
    assert (third.status_code, third.data) == (304, b"")


def test_what_is_published_shows_at_once(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "STALENESS", 0)
    seen = []
    for number in range(3):
        make_published(session, f"Number {number}?")
        page = client.get("/")
        seen.append((page.headers["ETag"].split("-")[0], page.text.count('class="title"')))
        assert client.get("/").data == page.data
    assert seen == [('"1', 1), ('"2', 2), ('"3', 3)]


def test_readers_and_a_publisher_at_once_never_see_a_page_of_another_release(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page says its release in its text and in its ETag, and no reader goes back."""
    monkeypatch.setattr(cache, "STALENESS", 0)
    make_published(session, "Number 0?")
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        client, last = app.test_client(), 0
        while not done.is_set():
            page = client.get("/")
            number = int(page.headers["ETag"].strip('"').split("-")[0])
            if f"release {number} of" not in page.text or number < last:
                wrong.append(f"{page.headers['ETag']} after {last}")
            last = number

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 9):
        make_published(session, f"Number {number}?")
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
