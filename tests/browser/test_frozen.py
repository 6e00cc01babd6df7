"""A frozen site in a real browser, on a server that knows nothing but files, below a path."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from cms.extensions import db
from cms.services import searchindex
from tests.browser.conftest import Open, faults_of
from tests.cli.frozensites import fill, served
from tests.conftest import ROOT, dispose, new_app
from tests.factories import make_published

NOTHING = ("zzz nothing", "url_f", "nothing’s new", "constructor")
QUERIES = (
    *("cookie", "url_for", "C++", "C#", "node.js", "flask session", "sess", "request context"),
    *("thread-safe", '"application context"', "@app.route", "flask.g", "wsgi serv", *NOTHING),
    *("co", "python's", "café", "werkzeug.security generate"),
)


@dataclass(frozen=True)
class Pair:
    """The addresses of a site with a server of its own, and of the same site as files."""

    live: str
    frozen: str


@pytest.fixture(scope="module")
def pair(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Some Flask questions and some odd ones, once for all that only look at them."""
    folder = tmp_path_factory.mktemp("pair")
    shutil.copy(sqlite_template, folder / "bank.db")
    (folder / "host").mkdir()
    with served(folder / "host") as host:
        app = new_app(f"sqlite:///{folder / 'bank.db'}", BASE_URL=f"{host}bank")
        runner = app.test_cli_runner()
        some = sorted((ROOT / "fixtures" / "flask").glob("[f-u]*.md"))
        imported = runner.invoke(args=["import", *map(str, some), "--publish"])
        assert imported.exit_code == 0, imported.output
        with app.app_context(), Session(db.engine, expire_on_commit=False) as session:
            fill(session)
            make_published(session, "Is a café thread-safe?", body="So is C#.")
        with pytest.MonkeyPatch.context() as patch:
            # So that the index has many pieces, and entries for beginnings of words.
            patch.setattr(searchindex, "PIECE", 2_000)
            result = runner.invoke(args=["freeze", str(folder / "host" / "bank")])
        assert result.exit_code == 0, result.output
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Pair(f"http://127.0.0.1:{server.server_port}", f"{host}bank/")
        server.shutdown()
        thread.join()
        server.server_close()
        dispose(app)


@pytest.fixture
def frozen(pair: Pair) -> str:
    """The address of the site as files."""
    return pair.frozen


def found(page: Page) -> list[str]:
    """Return the slugs of a list of results, as the page shows them."""
    links = page.locator("main .list > li > a.title").filter(visible=True).all()
    addresses = (link.get_attribute("href") or "" for link in links)
    return [re.sub(r"[?#].*", "", each).rstrip("/").rpartition("/")[2] for each in addresses]


def test_a_search_finds_in_files_what_it_finds_on_the_server(pair: Pair, open_page: Open) -> None:
    page = open_page()
    for query in QUERIES:
        page.goto(f"{pair.live}/questions/?q={quote(query)}")
        # A word that was guessed is no word of the query.
        live = [] if page.locator("main .notice").count() else found(page)
        page.goto(f"{pair.frozen}questions/?q={quote(query)}")
        shown: list[str] = []
        while True:
            expect(page.locator("#found")).to_be_visible()
            shown += found(page)
            more = page.get_by_role("link", name="Next page →")
            if not more.is_visible():
                break
            more.click()
            page.wait_for_url("**page=*")
        assert sorted(shown) == sorted(live), query
        # What begins alike is ranked by fewer figures.
        assert live[:1] == shown[:1] or query == "co" or live[0] in shown[:3], query
        assert bool(live) == (query not in NOTHING), query


def test_a_reader_searches_studies_and_is_interviewed_without_a_server(
    frozen: str, open_page: Open
) -> None:
    page = open_page()
    page.goto(f"{frozen}tags/flask/")
    page.keyboard.press("/")
    page.keyboard.type("url_fo")
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options.last).to_have_text("All results for “url_fo”")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/bank/questions/?q=url_fo")
    expect(page.locator("#found .tally")).to_contain_text("question")
    expect(page.locator("#found mark").first).to_have_text(re.compile("url_fo", re.IGNORECASE))
    expect(page.locator(".standing").first).to_be_hidden()
    assert faults_of(page) == []
    page.locator("#found .list a.title").first.click()
    expect(page.locator("article h1")).to_be_visible()
    page.get_by_label("Colors").select_option("dark")
    page.goto(f"{frozen}questions/?q=zzzz+nothing")
    expect(page.locator("#found")).to_contain_text("Nothing matches.")
    assert page.evaluate("document.documentElement.dataset.scheme") == "dark"
    assert faults_of(page) == []
    # An address of the live site leads to the page that has what it asks for.
    page.goto(f"{frozen}questions/?tag=flask/routing")
    page.wait_for_url("**/bank/tags/flask/routing/")

    page.goto(f"{frozen}tags/flask/study/")
    for number in range(12):
        expect(page.locator("#progress")).to_contain_text(f"{number} done")
        expect(page.locator("#card .reveal:not([open])")).to_be_visible()
        page.keyboard.press("Space")
        expect(page.locator("#grades")).to_be_visible()
        page.keyboard.press("4")
    expect(page.locator("#progress")).to_contain_text("12 done")
    # More than a page has: the card came by itself, and its links lead on.
    page.locator("#card .facts-line .tag").first.click()
    page.wait_for_url("**/bank/tags/**/")
    expect(page.locator("h1")).to_be_visible()

    page.goto(f"{frozen}study/interview/?tag=flask")
    expect(page.get_by_label("or tag")).to_have_value("flask")
    for level, number in (("easy", "1"), ("medium", "2"), ("hard", "0")):
        page.get_by_label(level, exact=True).fill(number)
    page.get_by_label("Draw number").fill("7")
    page.get_by_role("button", name="Draw the questions").click()
    expect(page.locator("#before .lead")).to_contain_text("3 questions in 30 minutes.")
    drawn = page.locator("#drawn .flashcard").evaluate_all("all => all.map((e) => e.dataset.slug)")
    page.get_by_role("button", name="Start the clock").click()
    for mark in ("1", "2", "3"):
        page.keyboard.press("Space")
        expect(page.locator("#marks")).to_be_visible()
        # Who folds an answer and opens it again sees it again.
        page.locator("#card .reveal > summary").click()
        page.locator("#card .reveal > summary").click()
        expect(page.locator("#card .reveal > div").first).to_be_visible()
        page.locator("#progress").click()
        page.keyboard.press(mark)
    expect(page.locator("#after-lead")).to_contain_text("1 well, 1 partly, 1 missed")
    assert faults_of(page) == []
    again = page.get_by_role("link", name="Another interview like it")
    assert "seed=8" in (again.get_attribute("href") or "")
    page.goto(page.url)
    expect(page.locator("#after-lead")).to_be_visible()
    assert (
        page.locator("#drawn .flashcard").evaluate_all("all => all.map((e) => e.dataset.slug)")
        == drawn
    )
    page.goto(f"{frozen}study/interview/draw/?easy=99&seed=1")
    expect(page.get_by_role("alert")).to_have_text(re.compile("Choose from 1 to 30 questions"))


def test_without_scripts_a_frozen_site_offers_nothing_that_does_nothing(
    frozen: str, open_page: Open
) -> None:
    page = open_page(scripts=False)
    for path in ("", "questions/", "study/interview/", "404.html"):
        page.goto(f"{frozen}{path}")
        assert page.locator("form, input, button").filter(visible=True).count() == 0, path
    page.goto(f"{frozen}study/interview/")
    page.get_by_role("link", name="Some questions that were drawn before").click()
    expect(page.locator(".flashcard").first).to_be_visible()
