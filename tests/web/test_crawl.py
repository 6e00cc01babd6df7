"""Every address of the public site is followed, and strange ones are asked for.

No link is dead, no page is wrong or heavy, nothing fails, and the database is
afterwards byte for byte what it was before.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote, urldefrag, urljoin, urlsplit
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder, run_wsgi_app

from cms.models import Base
from cms.services import listing
from cms.web import cache
from cms.web.public import sitemap
from tests.conftest import ROOT
from tests.factories import (
    make_every_public_kind,
)
from tests.web.htmlpages import HtmlPage
from tests.web.vocabulary import faults

SITE = "http://localhost"
# Followed of one path: filters combine without end.
QUERIES = 4
BUDGET = 50_000  # bytes of a page with its style sheets and scripts, compressed
WITHDRAWN = "/questions/was-it-wrong"


@pytest.fixture(autouse=True)
def _no_staleness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "STALENESS", 0)


@pytest.fixture
def flask_bank(app: Flask, database_url: str) -> None:
    """Forty questions as people wrote them; once is enough to look at so many pages."""
    if not database_url.startswith("sqlite"):
        return
    folder = str(ROOT / "fixtures" / "flask")
    imported = app.test_cli_runner().invoke(args=["import", folder, "--publish"])
    assert imported.exit_code == 0, imported.output


@pytest.fixture
def bank(session: Session) -> None:
    make_every_public_kind(session)


class Crawler:
    """Follows the links of the site from its first page on, and notes what is wrong."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.faults: list[str] = []
        self.pages: dict[str, HtmlPage] = {}
        self.weights: dict[str, int] = {}
        self.anchors: set[tuple[str, str, str]] = set()
        self._compressed: dict[str, int] = {}
        self._seen: set[str] = set()
        self._asked: Counter[str] = Counter()

    def crawl(self, start: str) -> None:
        waiting = [(urljoin(SITE, start), "the start")]
        while waiting:
            address, source = waiting.pop()
            target, anchor = urldefrag(address)
            if not target.startswith(f"{SITE}/"):
                continue
            if anchor:
                self.anchors.add((target, anchor, source))
            if target in self._seen:
                continue
            self._seen.add(target)
            parts = urlsplit(target)
            self._asked[parts.path] += bool(parts.query)
            if parts.query and self._asked[parts.path] > QUERIES:
                continue
            waiting += ((each, target) for each in self._followed(target, source))
        for target, anchor, source in self.anchors:
            if target in self.pages and anchor not in self.pages[target].ids:
                self.faults.append(f"{source}: {target} has no #{anchor}")

    def _followed(self, address: str, source: str) -> list[str]:
        response = self.client.get(address.removeprefix(SITE))
        body = response.data
        response.close()
        expected = {410} if address == SITE + WITHDRAWN else {200, 301}
        if response.status_code not in expected:
            self.faults.append(f"{source}: {address} answers {response.status_code}")
            return []
        self._compressed[address] = len(gzip.compress(body))
        found = [
            urljoin(address, each)
            for each in re.findall("<([^>]+)>", response.headers.get("Link", ""))
        ]
        if response.location:
            return [*found, urljoin(address, response.location)]
        if response.mimetype == "text/html":
            page = self.pages[address] = HtmlPage(response.text, address)
            self.faults += (f"{address}: {each}" for each in page.faults())
            nodes = enumerate(page.linked_data())
            self.faults += (
                f"{address}: {each}" for n, node in nodes for each in faults(node, f"${n}")
            )
            return [*found, *page.links()]
        if response.mimetype in {"application/atom+xml", "application/xml"}:
            root = ET.fromstring(body)
            found += (
                each.get("href", "") for each in root.iter("{http://www.w3.org/2005/Atom}link")
            )
            found += (each.text or "" for each in root.iter(f"{{{sitemap.NAMESPACE}}}loc"))
            for content in root.iter("{http://www.w3.org/2005/Atom}content"):
                hrefs = re.findall('href="([^"]*)"', content.text or "")
                found += (urljoin(address, unescape(each)) for each in hrefs)
        if response.mimetype == "text/plain":
            found += re.findall(r"https?://\S+", response.text)
        return found

    def heavy(self) -> dict[str, int]:
        """Return the pages that are over budget, with their weight."""
        weights = {
            address: self._compressed[address]
            + sum(self._compressed[each] for each in page.loaded())
            for address, page in self.pages.items()
        }
        assert min(weights.values()) > 3_000
        return {address: weight for address, weight in weights.items() if weight > BUDGET}


@pytest.mark.usefixtures("flask_bank", "bank")
def test_every_link_leads_to_a_page_that_is_right_and_light(
    app: Flask, client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 20)
    session.rollback()
    before = state_of(session.get_bind())  # type: ignore[arg-type]
    crawler = Crawler(client)
    for start in ("/", "/robots.txt", "/questions/what-is-a-view", "/questions/is-it-right-again"):
        crawler.crawl(start)
    assert crawler.faults == []
    assert crawler.heavy() == {}
    # It went everywhere.
    reached = {urlsplit(address).path for address in crawler._seen}
    assert {
        WITHDRAWN,
        "/questions/views",
        "/decks/empty",
        "/feed.atom",
        "/opensearch.xml",
    } <= reached
    assert {"/tags/flask/feed.atom", "/decks/basics/feed.atom", "/corrections/feed.atom"} <= reached
    assert {"/sitemap.xml", "/export/bank.json", "/decks/basics.md.zip", "/login"} <= reached
    assert len(crawler.pages) >= 30
    assert state_of(session.get_bind()) == before  # type: ignore[arg-type]


# --- strange requests ------------------------------------------------------------

METHODS = ("GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW")
PIECES = (
    *("flask", "views", "1", "0", "-1", "999999999999999999999", "basics", "pages", "questions-1"),
    *(
        "..",
        ".",
        "%00",
        "%ff%fe",
        "%ed%a0%80",
        "%2e%2e%2f",
        "a" * 3_000,
        "'\"<script>",
        "ünï",
        "日本",
    ),
    *(
        " ",
        "%0d%0aX: y",
        "%25",
        "feed.atom",
        "x.json",
        "x.md",
        "{0}",
        "%(x)s",
        "*",
        "\\",
        ";x=1",
        "~",
    ),
)
NAMES = ("q", "tag", "difficulty", "sort", "after", "before", "since", "bom", "raw", "x", "")
HEADERS = {
    "If-None-Match": ("*", '"', "*", 'W/"1-x"', "," * 500, "x" * 5_000, '"é"'),
    "If-Modified-Since": ("", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 06 Nov 9999"),
    "If-Match": ("*", '"x"', ""),
    "If-Unmodified-Since": ("Thu, 01 Jan 1970 00:00:00 GMT", "x"),
    "Range": ("bytes=0-1", "bytes=-", "lines=1"),
    "Accept": ("*/*", "application/json;q=x", "\xff"),
    "Cookie": ("session=x", "=;;=", "session=" + "A" * 3_000),
    "X-Forwarded-Host": ("evil.example",),
    "Content-Type": ("application/json", "multipart/form-data; boundary=", "x"),
}


def strange_requests(app: Flask, count: int, seed: int) -> Iterator[tuple[str, EnvironBuilder]]:
    """Yield requests of public addresses, their parts and queries made of odd pieces."""
    chance = random.Random(seed)
    # Sorted: an app that has answered something before has them in another order.
    rules = sorted(
        re.sub(r"<[^>]+>", "{}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("public.")
    )
    for _ in range(count):
        path = re.sub(r"\{\}", lambda _: chance.choice(PIECES), chance.choice(rules))
        if chance.random() < 0.2:
            path += chance.choice(("/", "/x", ".", *PIECES))
        pairs = [
            f"{chance.choice(NAMES)}={quote(chance.choice(PIECES), safe='%')}"
            for _ in range(chance.choice((0, 0, 1, 2, 12)))
        ]
        names = chance.sample(sorted(HEADERS), chance.choice((0, 1, 2, 3)))
        method = chance.choice(METHODS)
        builder = EnvironBuilder(
            path=quote(path, safe="/%"),
            query_string="&".join(pairs),
            method=method,
            headers={name: chance.choice(HEADERS[name]) for name in names},
            data=b"q=x" if method in {"POST", "PUT", "PATCH"} else None,
        )
        yield f"{method} {path[:200]}?{'&'.join(pairs)[:300]} {names}", builder


@pytest.mark.usefixtures("bank")
def test_no_request_breaks_the_public_site_or_changes_the_bank(
    app: Flask, session: Session
) -> None:
    session.rollback()
    before = state_of(session.get_bind())  # type: ignore[arg-type]
    broken, statuses = [], set()
    for told, builder in strange_requests(app, 600, seed=20261127):
        chunks, status, headers = run_wsgi_app(app, builder.get_environ(), buffered=True)
        body = b"".join(chunks)
        code = int(status[:3])
        statuses.add(code)
        allowed = builder.method in {"GET", "HEAD"}
        if code >= 500 or b"Traceback" in body or (code < 300 and not allowed):
            broken.append(f"{told}: {status}")
        if "Set-Cookie" in headers or "evil.example" in f"{headers}":
            broken.append(f"{told}: {headers}")
    assert broken == []
    # The requests were strange enough to meet every answer that there is.
    assert {200, 304, 400, 404, 405, 412} <= statuses
    assert state_of(session.get_bind()) == before  # type: ignore[arg-type]


def state_of(engine: Engine) -> str:
    """Return a hash of the whole database: of SQLite's file, or of PostgreSQL's rows."""
    if engine.dialect.name == "sqlite":
        path = engine.url.database
        assert path is not None
        connection = sqlite3.connect(path, isolation_level=None)
        blocked, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.close()
        assert not blocked, "somebody reads or writes while nobody should"
        with open(path, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            rows = connection.execute(
                text(f'SELECT t::text FROM "{table.name}" t ORDER BY t::text')
            )
            digest.update(f"{table.name}: {rows.scalars().all()}\n".encode())
    return digest.hexdigest()
