"""Finished public pages, kept in memory in front of Flask.

A public response depends on its address, the release and the build alone, and
its ETag names the latter two. So a page is kept under its address, and sent
again for as long as the bank's release is the one that its own ETag names. A
kept page, or a 304, costs one look at the release and nothing of Flask.

Only what a view of the shelf answers is kept: a 200 with such an ETag, and
without a cookie. What depends on who is logged in never has one. The site's
own static files are kept, too, for as long as the build.

What is kept is text, and is compressed once for all who take it so. None of it
holds a secret that somebody could guess by its length: no token, no session.
"""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from flask import Flask
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import Accept, Headers
from werkzeug.http import parse_accept_header
from werkzeug.sansio.utils import host_is_trusted

from cms.extensions import read_engine
from cms.web.conditions import status_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EXTENSION = "kept_pages"
CAPACITY = 32_000_000  # bytes of all kept bodies together
LARGEST = 500_000  # bytes of one
# Characters of a query string: a longer one is a search that nobody repeats.
LONGEST_QUERY = 200
# Seconds for which a look at PostgreSQL holds: one for every request would cost too much.
STALENESS = 1.0

_RELEASE = "SELECT number FROM release_counter"
_API = "/api/"
_PAGES = ("/questions/", "/tags/", "/corrections/", "/study/", _API)
# A deck's page and its files stand side by side: a file's name has a dot, an address has none.
_DECKS = "/decks/"
_FEED = "/feed.atom"
_SITEMAP = "/sitemap"
_STATIC = "/static/"
# Where the site's own address is not set, these are made for the host that was asked: others
# take them along.
_FOR_PROGRAMS = (".atom", ".xml", ".md")
# What the body is described by; a 304 and a 412 have none.
_BODY_HEADERS = {"content-type", "content-encoding", "content-length", "last-modified"}
_STATUSES = {200: "200 OK", 304: "304 NOT MODIFIED", 412: "412 PRECONDITION FAILED"}


def init_cache(app: Flask) -> None:
    """Put the cache in front of `app`. What rewrites the environment has to stand before it."""
    with app.app_context():
        engine = read_engine()
    look = SqliteLook(engine) if engine.dialect.name == "sqlite" else PolledLook(engine)
    cache = ResponseCache(
        app.wsgi_app, look, app.config["BUILD"], trusted_hosts=app.config["TRUSTED_HOSTS"]
    )
    app.extensions[EXTENSION] = cache
    app.wsgi_app = cache  # type: ignore[method-assign]


def keepable(path: str) -> bool:
    """Whether a path is a page's or a static file's. Exports are files: too large to keep."""
    if path.startswith(_DECKS):
        return "." not in path or path.endswith(_FEED)
    return path in {"/", "/export/", "/opensearch.xml", _FEED} or path.startswith(
        (*_PAGES, _SITEMAP, _STATIC)
    )


# --- the release ---------------------------------------------------------------


class Look(Protocol):
    """A look at the number of the current release."""

    def __call__(self) -> int | None:
        """Return the number, or None where the database does not say."""

    def forget(self) -> None:
        """Look again next time: a newer release than the last look's was seen."""


class SqliteLook:
    """Reads the number anew each time, on a connection of its own in each thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._local = threading.local()
        self._opened: list[Any] = []
        event.listen(engine, "engine_disposed", self._close)

    def __call__(self) -> int | None:
        try:
            connection = getattr(self._local, "connection", None) or self._open()
            (number,) = connection.execute(_RELEASE).fetchone()
            return int(number)
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error):
            return None

    def forget(self) -> None:
        """Do nothing: nothing is remembered."""

    def _open(self) -> Any:
        pooled = self._engine.raw_connection()
        self._local.connection = pooled.driver_connection
        # Kept for the life of the thread, so the pool must not count it.
        pooled.detach()
        self._opened.append(pooled)
        return self._local.connection

    def _close(self, _engine: Engine) -> None:
        self._local = threading.local()
        while self._opened:
            self._opened.pop().close()


class PolledLook:
    """Reads the number at most once in `STALENESS` seconds, for all threads.

    Whoever closes the engine's connections, to put another database there, has it read anew.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._until = 0.0
        self._number: int | None = None
        event.listen(engine, "engine_disposed", lambda _engine: self.forget())

    def __call__(self) -> int | None:
        now = self._clock()
        if now >= self._until:
            try:
                with self._engine.connect() as connection:
                    self._number = connection.scalar(text(_RELEASE))
            except SQLAlchemyError:
                return None
            self._until = now + STALENESS
        return self._number

    def forget(self) -> None:
        """Look again next time."""
        self._until = 0.0


# --- the pages -------------------------------------------------------------------

Key = tuple[str, str, str, str, bool]
"""Origin, mount point, path, query and whether gzip is taken: what a public page depends on.

The origin is the scheme alone, but for what is made for programs.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A finished response. `etag`, in quotes, and the date `modified` are as in its headers.

    It is good for one release, or, without a number, for as long as the build.
    """

    release: int | None
    etag: str
    modified: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def size(self) -> int:
        """Bytes, about: the headers of a page are as long as a paragraph."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


@dataclass(slots=True)
class KeptPages:
    """Pages by address, the least recently used first, within a number of bytes."""

    capacity: int
    _pages: OrderedDict[Key, Page] = field(default_factory=OrderedDict)
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Key) -> Page | None:
        """Return the page of an address."""
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
            return page

    def put(self, key: Key, page: Page) -> None:
        """Keep a page, and drop what was not asked for longest."""
        with self._lock:
            former = self._pages.pop(key, None)
            self._size += page.size - (former.size if former else 0)
            self._pages[key] = page
            while self._size > self.capacity:
                _, dropped = self._pages.popitem(last=False)
                self._size -= dropped.size

    @property
    def size(self) -> int:
        """Bytes kept, about."""
        return self._size


class ResponseCache:
    """WSGI middleware that answers for `app` where it has the page."""

    def __init__(
        self,
        app: WSGIApplication,
        look: Look,
        build: str,
        *,
        trusted_hosts: Iterable[str] | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        self.pages = KeptPages(capacity)
        self._app = app
        self._look = look
        self._etag = re.compile(rf'"(?:(\d+)-)?{re.escape(build)}"')
        hosts = None if trusted_hosts is None else list(trusted_hosts)
        # Flask refuses other hosts; a kept page must not answer them in its stead.
        self._is_trusted = lru_cache(256)(lambda host: host_is_trusted(host, hosts))
        self._trusts_all = hosts is None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            response = self._app(environ, start_response)
            # Whoever publishes through this process sees it here at once.
            self._look.forget()
            return response
        path = environ.get("PATH_INFO", "")
        if not keepable(path) or not (
            self._trusts_all or self._is_trusted(environ.get("HTTP_HOST", ""))
        ):
            return self._app(environ, start_response)
        query = environ.get("QUERY_STRING", "")
        origin = environ["wsgi.url_scheme"]
        if path.endswith(_FOR_PROGRAMS):
            origin += f"://{environ.get('HTTP_HOST', '')}"
        # Programs that call the API in their own process name gzip, and do not read it.
        gzipped = not path.startswith(_API) and takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        key = (origin, environ.get("SCRIPT_NAME", ""), path, query, gzipped)
        page = self.pages.get(key)
        if page is None or page.release not in {None, self._look()}:
            return self._fresh(key, environ, start_response)
        return _send(page, environ, start_response)

    def _fresh(
        self, key: Key, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Let the app answer, and keep the page that it makes under the ETag that it has."""
        # A page that is asked for by HEAD is asked for by GET next.
        status, headers, body = _answer(self._app, {**environ, "REQUEST_METHOD": "GET"})
        named = {name.lower(): value for name, value in headers}
        found = self._etag.fullmatch(named.get("etag", ""))
        if not status.startswith("200 ") or not found or "set-cookie" in named:
            start_response(status, headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        release = None if found[1] is None else int(found[1])
        page = _page(release, headers, body, gzipped=key[4])
        if len(page.body) <= LARGEST and len(key[3]) <= LONGEST_QUERY:
            self.pages.put(key, page)
        if release is not None and release != self._look():
            self._look.forget()
        return _send(page, environ, start_response)


@lru_cache(64)
def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` takes gzip (RFC 9110, section 12.5.3)."""
    return parse_accept_header(accepted, Accept).quality("gzip") > 0


def _page(
    release: int | None, headers: list[tuple[str, str]], body: bytes, *, gzipped: bool
) -> Page:
    """Return the response as it is sent: another coding is another representation and ETag."""
    named = Headers(headers)
    named["Vary"] = "Accept-Encoding"
    if gzipped:
        # Without a time, the same page is the same bytes.
        body = gzip.compress(body, 6, mtime=0)
        named["Content-Encoding"] = "gzip"
        named["Content-Length"] = str(len(body))
        named["ETag"] = f'{named["ETag"][:-1]}-gzip"'
    return Page(release, named["ETag"], named.get("Last-Modified", ""), named.to_wsgi_list(), body)


def _answer(
    app: WSGIApplication, environ: WSGIEnvironment
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return the app's status, headers and whole body: pages are short and never streamed."""
    started: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_error: object) -> Any:
        started[:] = [status, headers]

    chunks = app(environ, start)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, headers = started
    return status, headers, body


def _send(page: Page, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    status = status_of(environ, page.etag, page.modified)
    if status != 200:
        start_response(
            _STATUSES[status], [h for h in page.headers if h[0].lower() not in _BODY_HEADERS]
        )
        return []
    start_response(_STATUSES[status], list(page.headers))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [page.body]
