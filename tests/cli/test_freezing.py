"""`freeze`: what is frozen is the site, and works where nothing but files is."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import feedparser
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.extensions import db, read_engine
from cms.formats import FORMATS
from cms.freezing import folders
from cms.freezing.freezing import freeze
from cms.models import Question
from cms.services import listing, searchindex
from cms.services.publishing import publish, retire
from tests.cli.conftest import Run
from tests.cli.frozensites import fill, served
from tests.conftest import ROOT, dispose, new_app
from tests.factories import AT, make_bank, make_published
from tests.web.htmlpages import HtmlPage

BASE = "https://user.example/repo"
_LINKING = {"href", "src", "action", "data-href", "data-list", "data-cards", "data-index"}


def invoke(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


@pytest.fixture(scope="module")
def frozen_app(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A site with the Flask questions, and with one at least of everything else."""
    path = tmp_path_factory.mktemp("frozen") / "bank.db"
    shutil.copy(sqlite_template, path)
    app = new_app(f"sqlite:///{path}", BASE_URL=BASE, PUBLIC_CORRECTIONS=True)
    imported = invoke(app, "import", str(ROOT / "fixtures" / "flask"), "--publish")
    assert imported.exit_code == 0, imported.output
    with app.app_context(), Session(db.engine, expire_on_commit=False) as session:
        fill(session)
    yield app
    dispose(app)


@pytest.fixture(scope="module")
def frozen(frozen_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That site as files, as they stand below the path of a project's page."""
    folder = tmp_path_factory.mktemp("host") / "repo"
    with pytest.MonkeyPatch.context() as patch:
        # So that lists have more pages, and the index more pieces.
        patch.setattr(listing, "PAGE_SIZE", 10)
        patch.setattr(searchindex, "PIECE", 5_000)
        result = invoke(frozen_app, "freeze", str(folder))
    assert result.exit_code == 0, result.output
    odd = "dead link: /questions/how-does-url-for-differ-from-c leads to"
    assert [line for line in result.stderr.splitlines() if "dead link" in line] == [
        f"{odd} {address}, where nothing is" for address in ("/admin/", "/questions/nowhere")
    ]
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Return the hash of each file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


# --- the whole of it -------------------------------------------------------------------


class Links(HTMLParser):
    """The addresses that a page names."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += (value for name, value in attrs if name in _LINKING and value)


class Reader:
    """Follows each link of a served site that begins with `root`, and notes what is dead."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.dead: list[str] = []
        self.pages: dict[str, str] = {}
        self.types: dict[str, str] = {}
        parts = urlsplit(root)
        self._connection = HTTPConnection(parts.hostname or "", parts.port)

    def read(self, *starts: str) -> None:
        waiting = [(urljoin(self.root, start), "the start") for start in starts]
        anchors: set[tuple[str, str, str]] = set()
        while waiting:
            address, source = waiting.pop()
            # The site's own address is where these files are meant to be.
            address, anchor = urldefrag(address.replace(f"{BASE}/", self.root))
            address = address.partition("?")[0]
            if not address.startswith(self.root):
                if address.startswith(self.root[: self.root.index("/", 8)]):
                    self.dead.append(f"{source}: {address} is outside of the site")
                continue
            if anchor:
                anchors.add((address, anchor, source))
            if address not in self.types:
                waiting += ((each, address) for each in self._followed(address, source))
        for address, anchor, source in anchors:
            if address in self.pages and f'id="{anchor}"' not in self.pages[address]:
                self.dead.append(f"{source}: {address} has no #{anchor}")

    def _followed(self, address: str, source: str) -> Iterator[str]:
        self._connection.request("GET", urlsplit(address).path)
        response = self._connection.getresponse()
        body = response.read()
        self.types[address] = response.headers.get_content_type()
        if response.status == 301:
            yield urljoin(address, response.headers["Location"])
            return
        if response.status != 200:
            self.dead.append(f"{source}: {address} answers {response.status}")
            return
        text = body.decode(errors="replace")
        if self.types[address] == "text/html":
            self.pages[address] = text
            for found in Links(text).found:
                if found.startswith("/"):
                    self.dead.append(f"{address}: {found} is not relative")
                elif not found.startswith("#"):
                    yield urljoin(address, found)
        elif address.endswith(".js"):
            yield from (urljoin(address, each) for each in re.findall(r"'(\./[\w-]+\.js)'", text))
        elif address.endswith((".xml", ".atom", "robots.txt")):
            yield from re.findall(r"https?://user\.example[^\s<\"]*", unescape(text))


def test_no_link_of_a_frozen_site_is_dead_below_any_path(frozen: Path) -> None:
    with served(frozen.parent) as host:
        reader = Reader(f"{host}repo/")
        reader.read("", "robots.txt", "questions/what-is-a-view", "questions/is-it-right-again")
    beginnings = {f"{reader.root}{each}" for each in ("search/", "study/cards/")}
    assert [each for each in reader.dead if not any(b in each for b in beginnings)] == []
    reached = {address.removeprefix(reader.root) for address in reader.types}
    # Pieces of the index, cards, lists of cards and the page for what is not there are asked for
    # by scripts and by hosts; all else is linked.
    own = {"404.html", ".nojekyll", "frozen.json", "opensearch.xml"}
    unlinked = {
        name
        for name in tree(frozen)
        if name.removesuffix("index.html") not in reached
        and not name.startswith(("search/", "study/cards/", "study/list/"))
    } - own
    assert unlinked == set()
    assert len(reader.pages) > 150


def test_every_kind_of_frozen_page_is_valid_and_says_its_policy(frozen: Path) -> None:
    names = [
        *("index.html", "404.html", "questions/index.html", "questions/page/2/index.html"),
        *("questions/difficulty/easy/index.html", "questions/views/index.html"),
        *("questions/what-is-a-view/index.html", "questions/was-it-wrong/index.html"),
        *("questions/views/history/index.html", "tags/index.html", "tags/flask/index.html"),
        *("decks/index.html", "decks/basics/index.html", "decks/basics/study/index.html"),
        *("study/index.html", "study/interview/index.html", "study/interview/draw/index.html"),
        *("corrections/index.html", "corrections/1/index.html", "export/index.html"),
    ]
    for name in names:
        page = HtmlPage((frozen / name).read_text(), f"{BASE}/{name}")
        assert page.faults() == [], name
        head = page.root.find("head")
        assert head is not None
        # It holds for what stands below it.
        policy = head.findall("meta")[1]
        assert policy.get("http-equiv") == "Content-Security-Policy", name
        assert "script-src 'self'" in policy.get("content", "")
        assert "frame-ancestors" not in policy.get("content", "")
        text = (frozen / name).read_text()
        assert "Log in" not in text
        assert "Something wrong here?" not in text
        queries = {each for each in Links(text).found if "?" in each and "://" not in each}
        assert [
            each for each in queries if "static/" not in each and "interview/" not in each
        ] == []


def test_what_moved_leads_on_and_what_was_withdrawn_says_so(frozen: Path) -> None:
    for old, new in (("what-is-a-view", "views"), ("is-it-right-again", "is-it-right")):
        page = HtmlPage((frozen / "questions" / old / "index.html").read_text(), BASE)
        refresh = [each for each in page.root.iter("meta") if each.get("http-equiv") == "refresh"]
        assert refresh[0].get("content") == f"0; url=../../questions/{new}/"
        assert page.related("canonical") == [f"{BASE}/questions/{new}"]
        assert f"../../questions/{new}/" in [each.get("href") for each in page.root.iter("a")]
    gone = (frozen / "questions/was-it-wrong/index.html").read_text()
    assert "This question was withdrawn" in gone
    assert "It &lt;was&gt; wrong &amp; old." in gone
    assert '<meta name="robots" content="noindex">' in gone
    assert not (frozen / "questions/was-it-wrong.json").exists()


def test_the_page_for_what_is_not_there_works_at_any_depth(frozen: Path) -> None:
    page = HtmlPage((frozen / "404.html").read_text(), f"{BASE}/a/b/c/d")
    inside = [each for each in page.links() if "user.example" in each and "#" not in each]
    assert inside
    for each in inside:
        assert each.startswith(f"{BASE}/")
        file = frozen / urlsplit(each).path.removeprefix("/repo/")
        assert file.exists(), each


def test_files_and_data_are_those_of_the_site_byte_for_byte(
    frozen_app: Flask, frozen: Path
) -> None:
    client = frozen_app.test_client()
    names = ["feed.atom", "sitemap.xml", "tags/flask/feed.atom", "schema/question-bank-1.json"]
    names += ["questions/views.json", "questions/views.md", "corrections/feed.atom"]
    for format in FORMATS.values():
        if format.write is not None:
            names += (f"{each}.{format.extension}" for each in ("export/bank", "decks/basics"))
    assert len(names) > 20
    for name in names:
        with client.get(f"/{name}") as response:
            assert response.status_code == 200
            assert (frozen / name).read_bytes() == response.data, name
    feed = feedparser.parse((frozen / "feed.atom").read_bytes())
    assert not feed.bozo
    assert feed.entries[0].link.startswith(f"{BASE}/questions/")


def test_lists_have_all_their_pages_in_order(frozen_app: Flask, frozen: Path) -> None:
    def slugs(html: str) -> list[str]:
        return re.findall(r'class="title" href="(?:\.\./)*/?questions/([\w-]+)', html)

    frozen_pages, number = slugs((frozen / "questions/index.html").read_text()), 1
    while (page := frozen / f"questions/page/{(number := number + 1)}/index.html").exists():
        frozen_pages += slugs(page.read_text())
    address, live = "/questions/", []
    client = frozen_app.test_client()
    while address:
        html = client.get(address).text
        live += slugs(html)
        following = re.search(r'rel="next" href="([^"]+)"', html)
        address = unescape(following[1]) if following else ""
    assert number > 4
    assert frozen_pages == live
    # A tag whose path is that of a later page keeps its own.
    assert "<h1>2</h1>" in (frozen / "tags/flask/page/2/index.html").read_text()
    assert (frozen / "tags/flask/pages/2/index.html").exists()
    assert "<h1>Study</h1>" in (frozen / "tags/languages/study/index.html").read_text()
    cards = (frozen / "questions/study/tag/languages/index.html").read_text()
    assert 'data-list="../../../../study/list/tag/languages.json"' in cards


# --- again, and in what there is -----------------------------------------------------------


@pytest.mark.each_database
def test_the_same_release_gives_the_same_files_and_what_is_gone_goes(
    app: Flask, run: Run, session: Session, tmp_path: Path
) -> None:
    make_bank(session)
    one, other = tmp_path / "one", tmp_path / "other"
    assert run("freeze", str(one)).exit_code == 0
    assert run("freeze", str(other)).exit_code == 0
    before = tree(one)
    assert before == tree(other)
    for path in one.rglob("*"):
        os.utime(path, (1, 1))
    (one / "CNAME").write_text("bank.example.org")
    (one / ".git").mkdir()
    again = run("freeze", str(one))
    assert "0 new or changed" in again.stderr
    assert {path.stat().st_mtime for path in one.rglob("*") if path.is_file()} == {
        1.0,
        (one / "CNAME").stat().st_mtime,
    }
    view = session.scalars(select(Question).filter_by(slug="what-is-a-view")).one()
    retire(session, [view], by=None, at=AT)
    session.commit()
    changed = run("freeze", str(one))
    assert changed.exit_code == 0, changed.output
    after = tree(one)
    assert "questions/what-is-a-view.json" in before
    assert "questions/what-is-a-view.json" not in after
    assert (
        "This question was withdrawn" in (one / "questions/what-is-a-view/index.html").read_text()
    )
    assert after["static/site.css"] == before["static/site.css"]
    assert (one / "static/site.css").stat().st_mtime == 1.0
    assert (one / "CNAME").read_text() == "bank.example.org"
    assert (one / ".git").is_dir()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.each_database
def test_a_release_in_between_is_in_the_next_freeze_alone(
    app: Flask, session: Session, tmp_path: Path
) -> None:
    make_bank(session)
    late: list[Question] = []

    def publish_meanwhile(_done: int, _known: int) -> None:
        if not late:
            late.append(make_published(session, "What came late?", tags=["flask", "late"]))
            retired = session.scalars(select(Question).filter_by(slug="what-is-a-view")).one()
            retire(session, [retired], by=None, at=AT)
            session.commit()

    with app.app_context():
        first = freeze(app, read_engine(), tmp_path / "site", publish_meanwhile)
        assert late
        texts = {name: (tmp_path / "site" / name).read_bytes() for name in tree(tmp_path / "site")}
        assert not [name for name, text in texts.items() if b"came late" in text]
        assert "questions/what-is-a-view.json" in texts
        assert freeze(app, read_engine(), tmp_path / "site").release == first.release + 2
    assert (tmp_path / "site/questions/what-came-late.json").exists()
    assert not (tmp_path / "site/questions/what-is-a-view.json").exists()


def test_without_its_own_address_a_site_leaves_out_what_needs_one(
    run: Run, session: Session, tmp_path: Path
) -> None:
    make_bank(session)
    result = run("freeze", str(tmp_path / "site"))
    assert "CMS_BASE_URL is not set: feeds, the sitemap, OpenSearch" in result.stderr
    files = tree(tmp_path / "site")
    assert not [name for name in files if name.endswith((".atom", "sitemap.xml", "opensearch.xml"))]
    for name in files:
        if name.endswith("index.html"):
            text = (tmp_path / "site" / name).read_text()
            for word in ("feed.atom", "sitemap", "ld+json", "canonical", "localhost", "127.0.0.1"):
                assert word not in text, f"{name} has {word}"
    assert "Sitemap" not in (tmp_path / "site" / "robots.txt").read_text()
    with served(tmp_path / "site") as host:
        reader = Reader(host)
        reader.read("")
    assert [
        each for each in reader.dead if "/search/ " not in each and "/cards/ " not in each
    ] == []


# --- what a person can get wrong -------------------------------------------------------------


def test_nothing_is_frozen_before_something_is_published(run: Run, tmp_path: Path) -> None:
    result = run("freeze", str(tmp_path / "site"))
    assert result.exit_code == 1
    assert "Nothing is published yet" in result.stderr
    assert list(tmp_path.iterdir()) == []


def _holds_notes(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")


def _is_a_file(folder: Path) -> None:
    folder.write_text("mine")


def _has_another_record(folder: Path) -> None:
    folder.mkdir()
    (folder / "frozen.json").write_text('{"format": "another"}')


def _has_no_parent(folder: Path) -> None:
    folder.parent.rmdir()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_holds_notes, "holds something else than a frozen site"),
        (_is_a_file, "is a file. Name a folder"),
        (_has_another_record, "holds something else than a frozen site"),
        (_has_no_parent, "The folder above it is not there: make it first."),
    ],
)
def test_a_folder_of_something_else_is_left_alone(
    run: Run, session: Session, tmp_path: Path, prepare: Any, words: str
) -> None:
    make_bank(session)
    folder = tmp_path / "in" / "site"
    folder.parent.mkdir()
    prepare(folder)
    before = tree(tmp_path)
    result = run("freeze", str(folder))
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk has no room left for"),
        (errno.EACCES, "the folder above has to be writable, too"),
        (errno.EBUSY, "it can be no mount point"),
    ],
)
def test_a_disk_that_refuses_leaves_the_former_site_as_it_was(
    run: Run,
    session: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    words: str,
) -> None:
    make_bank(session)
    folder = tmp_path / "site"
    assert run("freeze", str(folder)).exit_code == 0
    before = tree(tmp_path)
    make_published(session, "What is new?")
    write = folders.SiteFolder.write

    def refuse(self: Any, name: str, data: bytes) -> None:
        if name == "questions/what-is-new/index.html":
            raise OSError(number, os.strerror(number), name)
        write(self, name, data)

    monkeypatch.setattr(folders.SiteFolder, "write", refuse)
    result = run("freeze", str(folder))
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Nothing was changed" in result.stderr
    assert tree(tmp_path) == before


def test_a_file_of_somebody_else_in_the_way_is_named(
    run: Run, session: Session, tmp_path: Path
) -> None:
    make_bank(session)
    folder = tmp_path / "site"
    run("freeze", str(folder))
    record = json.loads((folder / "frozen.json").read_text())
    record["entries"].remove("robots.txt")
    (folder / "frozen.json").write_text(json.dumps(record))
    before = tree(tmp_path)
    result = run("freeze", str(folder))
    assert result.exit_code == 1
    assert "has 'robots.txt', which no freeze wrote" in result.stderr
    assert tree(tmp_path) == before


def test_a_page_that_fails_stops_the_freeze_and_is_named(
    app: Flask, run: Run, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bank(session)
    publish(session, [], by=None, at=AT)

    def fail(**_: object) -> str:
        raise RuntimeError("no page")

    monkeypatch.setitem(app.view_functions, "public.decks", fail)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    result = run("freeze", str(tmp_path / "site"))
    assert result.exit_code == 1
    assert "The site answers /decks/ with status 500" in result.stderr
    assert list(tmp_path.iterdir()) == []
