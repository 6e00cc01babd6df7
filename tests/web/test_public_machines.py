"""The public site as machines read it: linked data, heads, feeds, the sitemap, conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import pytest
from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace
from sqlalchemy.orm import Session
from usp.tree import sitemap_tree_for_homepage
from usp.web_client.abstract_client import (
    AbstractWebClient,
    AbstractWebClientResponse,
    LocalWebClientSuccessResponse,
    WebClientErrorResponse,
)
from werkzeug.http import http_date

from cms.formats.item import DeckFilter, DeckItem
from cms.services import changes, listing
from cms.services.content import content_of
from cms.services.decks import save_deck
from cms.services.publishing import publish, retire
from cms.services.questions import save
from cms.web import cache
from cms.web.public import sitemap
from tests.conftest import dispose, new_app
from tests.factories import (
    AT,
    MARKUP,
    make_bank,
    make_published,
    make_question,
    markup_in_every_text,
)
from tests.web.htmlpages import HtmlPage
from tests.web.vocabulary import faults

pytestmark = pytest.mark.each_database

LATER = AT + timedelta(days=2)
KEPT = "/questions/where-does-flask-keep-the-session"
SITE = "https://bank.example.org"


@pytest.fixture(autouse=True)
def _no_staleness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "STALENESS", 0)


@pytest.fixture
def bank(session: Session) -> None:
    make_bank(session)
    deck = DeckItem(slug="flask", title="All of Flask", filter=DeckFilter(all=["flask"]))
    save_deck(session, None, deck, by=None, at=AT)
    session.commit()


@pytest.fixture
def site(database_url: str, bank: None) -> Iterator[FlaskClient]:
    """The same bank, by an app that knows its own address."""
    app = new_app(database_url, BASE_URL=SITE)
    yield app.test_client()
    dispose(app)


def page(client: FlaskClient, path: str) -> HtmlPage:
    return HtmlPage(client.get(path).text, f"http://localhost{path}")


def forget_pages(client: FlaskClient) -> None:
    """Empty the cache: a page of this release would still be what it was."""
    client.application.extensions[cache.EXTENSION].pages = cache.KeptPages(cache.CAPACITY)


# --- linked data -----------------------------------------------------------------


@pytest.mark.usefixtures("bank")
def test_linked_data_says_what_the_page_says(site: FlaskClient) -> None:
    quiz, crumbs = page(site, KEPT).linked_data()
    [question] = quiz["hasPart"]
    assert (quiz["@type"], question["@type"]) == ("Quiz", "Question")
    assert question["eduQuestionType"] == "Flashcard"
    assert question["@id"] == f"{SITE}{KEPT}#question"
    assert question["name"] == "Where does Flask keep the session?"
    assert question["text"] == "Where does Flask keep the session?\nThink of two browsers."
    assert question["acceptedAnswer"]["text"] == "In a cookie."
    # The code is there, the name of its language is not.
    assert question["suggestedAnswer"][0]["text"] == "In a cookie.\nWhy\nprint(1)\n1"
    assert question["acceptedAnswer"]["url"] == f"{SITE}{KEPT}#answer-2"
    assert question["suggestedAnswer"][0]["url"] == f"{SITE}{KEPT}#answer-1"
    assert [each["name"] for each in question["suggestedAnswer"][0]["citation"]] == [
        "Sessions",
        "https://example.org/plain",
    ]
    assert question["dateModified"] == "2026-11-23T10:00:00Z"
    assert question["datePublished"] == "2026-11-22T10:00:00Z"
    assert [term["termCode"] for term in question["keywords"]] == ["flask/sessions", "http"]
    [correction] = question["correction"]
    assert correction["@type"] == "CorrectionComment"
    assert correction["url"] == f"{SITE}/corrections/1"
    assert correction["text"] == (
        "Was claimed: It is kept on the server.\nIn fact: The browser keeps it."
    )
    assert correction["creditText"] == "Grace"
    names = [each["name"] for each in crumbs["itemListElement"]]
    assert names == ["Tags", "flask", "sessions", question["name"]]


def test_linked_data_keeps_to_the_vocabulary(site: FlaskClient, session: Session) -> None:
    odd = markup_in_every_text(session)
    for path, types in (
        ("/", ["WebSite"]),
        (KEPT, ["Quiz", "BreadcrumbList"]),
        (f"/questions/{odd.slug}", ["Quiz", "BreadcrumbList"]),
        ("/tags/flask", ["CollectionPage", "BreadcrumbList"]),
        ("/decks/flask", ["Quiz", "BreadcrumbList"]),
        ("/corrections/1", ["CorrectionComment", "BreadcrumbList"]),
        ("/export/", ["Dataset"]),
        ("/questions/", []),
        ("/questions/nothing", []),
    ):
        nodes = page(site, path).linked_data()
        assert [node["@type"] for node in nodes] == types, path
        assert [fault for node in nodes for fault in faults(node)] == [], path


def test_no_text_ends_the_script_that_it_stands_in(database_url: str, session: Session) -> None:
    question = markup_in_every_text(session)
    app = new_app(database_url, SITE_NAME=MARKUP)
    address = f"/questions/{question.slug}"
    found = page(app.test_client(), address)
    quiz, _ = found.linked_data()
    dispose(app)
    assert found.faults() == []
    [node] = quiz["hasPart"]
    assert node["name"] == f"Is {MARKUP} text?"
    assert node["isPartOf"]["name"] == MARKUP
    [right] = node["acceptedAnswer"]
    assert right["answerExplanation"]["text"].endswith("one\ntwo\na < b")
    assert node["suggestedAnswer"][0]["text"].endswith("\na | b\n< | &")
    assert node["license"] == {"@type": "CreativeWork", "name": "CC BY-SA 4.0"}
    assert node["isBasedOn"]["creditText"] == node["correction"][0]["creditText"] == MARKUP
    assert found.meta("og:site_name") == [MARKUP]
    assert found.meta("og:title") == [node["name"]]


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        ({"@type": "Questions"}, "no type 'Questions'"),
        ({"@type": "Question", "stem": "x"}, "no such property"),
        ({"@type": "Quiz", "acceptedAnswer": {"@type": "Answer"}}, "Quiz does not have it"),
        ({"@type": "Question", "acceptedAnswer": {"@type": "WebSite"}}, "WebSite is none of"),
        ({"@type": "Question", "acceptedAnswer": "Yes."}, "'Yes.' is none of"),
        ({"@type": "Question", "dateModified": "2026-11-22T10:00:00"}, "is none of"),
        ({"@type": "Question", "answerCount": "3"}, "'3' is none of"),
        ({"@type": "Quiz", "hasPart": [{"@type": "Question", "url": "not one"}]}, "'not one'"),
    ],
)
def test_the_check_of_linked_data_finds_faults(node: dict[str, Any], fault: str) -> None:
    assert any(fault in each for each in faults(node))


def test_a_long_answer_is_told_in_part(client: FlaskClient, session: Session) -> None:
    make_published(session, "Is it long?", body="word " * 5_000)
    quiz, _ = page(client, "/questions/is-it-long").linked_data()
    told = quiz["hasPart"][0]["acceptedAnswer"]["text"]
    assert len(told) <= 5_000
    assert told.endswith("word…")


# --- heads -----------------------------------------------------------------------


def test_each_content_has_one_address(site: FlaskClient) -> None:
    addresses: list[tuple[str, str | None]] = [
        ("/", "/"),
        ("/?x=1", "/"),
        (KEPT, KEPT),
        ("/questions/", "/questions/"),
        ("/questions/?q=&sort=title", "/questions/"),
        # The list of one tag is the tag's page.
        ("/questions/?tag=flask", "/tags/flask"),
        ("/tags/flask", "/tags/flask"),
        ("/decks/flask", "/decks/flask"),
        ("/corrections/1", "/corrections/1"),
        # Searches, filters and later pages are endless: none is to be indexed.
        ("/questions/?q=cookie", None),
        ("/questions/?q=nothing+like+it", None),
        ("/questions/?tag=unknown", None),
        ("/questions/?tag=flask&tag=http", None),
        ("/questions/?difficulty=easy", None),
        ("/corrections/?after=9", None),
        ("/decks/flask?before=9", None),
        ("/questions/unknown", None),
        ("/unknown", None),
    ]
    for path, canonical in addresses:
        head = page(site, path)
        header = site.get(path).headers.get("Link", "")
        if canonical is None:
            assert head.related("canonical") == head.meta("og:url") == [], path
            assert head.meta("robots") == ["noindex"], path
            assert 'rel="canonical"' not in header, path
        else:
            assert head.related("canonical") == head.meta("og:url") == [SITE + canonical], path
            assert head.meta("robots") == [], path
            assert f'<{SITE}{canonical}>; rel="canonical"' in header, path


@pytest.mark.usefixtures("bank")
def test_later_pages_of_a_list_are_not_indexed(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    for path in ("/questions/", "/tags/flask", "/decks/flask"):
        text = client.get(path).text
        following = text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert following, path
        assert page(client, following).meta("robots") == ["noindex"], path


@pytest.mark.usefixtures("bank")
def test_a_site_that_does_not_know_its_address_names_none(client: FlaskClient) -> None:
    for path in ("/", KEPT):
        head = page(client, path)
        assert head.related("canonical") == head.meta("og:url") == head.meta("robots") == []
        assert 'rel="canonical"' not in client.get(path).headers["Link"]


def test_open_graph_tells_what_a_link_leads_to(site: FlaskClient) -> None:
    head = page(site, KEPT)
    for name, contents in (
        ("og:title", ["Where does Flask keep the session?"]),
        ("og:description", ["In a cookie."]),
        ("description", ["In a cookie."]),
        ("og:type", ["article"]),
        ("og:site_name", ["Test bank"]),
        ("og:locale", ["en_US"]),
        ("article:modified_time", ["2026-11-23T10:00:00Z"]),
        ("article:tag", ["flask/sessions", "http"]),
    ):
        assert head.meta(name) == contents, name
    assert page(site, "/tags/flask").meta("og:type") == ["website"]


@pytest.mark.usefixtures("bank")
def test_other_forms_of_a_page_are_named_in_its_head_and_its_header(client: FlaskClient) -> None:
    for path, others in (
        (KEPT, [f"{KEPT}.json", f"{KEPT}.md", "/feed.atom"]),
        ("/tags/flask", ["/tags/flask/feed.atom", "/feed.atom"]),
        ("/decks/flask", ["/decks/flask/feed.atom", "/feed.atom"]),
        ("/corrections/", ["/corrections/feed.atom", "/feed.atom"]),
        ("/", ["/feed.atom"]),
    ):
        header = client.get(path).headers["Link"]
        assert page(client, path).related("alternate") == others, path
        for other in others:
            assert f'<{other}>; rel="alternate"; type="' in header, path
    for ending in (".json", ".md"):
        assert client.get(KEPT + ending).headers["Link"] == f'<{KEPT}>; rel="canonical"'


def test_a_browser_learns_how_to_search(site: FlaskClient) -> None:
    [address] = page(site, "/").related("search")
    answer = site.get(address)
    assert answer.mimetype == "application/opensearchdescription+xml"
    assert f'template="{SITE}/questions/?q={{searchTerms}}"' in answer.text
    assert "<ShortName>Test bank</ShortName>" in answer.text


# --- feeds -----------------------------------------------------------------------


def read_feed(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.mimetype == "application/atom+xml"
    headers = {"content-type": answer.content_type, "content-location": SITE + path}
    feed = feedparser.parse(answer.data, response_headers=headers)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    assert feed.feed.id == next(link.href for link in feed.feed.links if link.rel == "self")
    assert len({entry.id for entry in feed.entries}) == len(feed.entries)
    for entry in feed.entries:
        assert entry.id.startswith("urn:uuid:")
        assert entry.updated_parsed <= feed.feed.updated_parsed
        assert entry.title
        assert entry.link.startswith(SITE)
    return feed


def test_the_feed_tells_what_each_release_did(site: FlaskClient, session: Session) -> None:
    view = make_published(session, "What is a route?")
    edited = replace(content_of(view), stem="What is a `route` now?")
    save(session, view, edited, seen_version=1, by=None, at=LATER)
    publish(session, [view], by=None, at=LATER)
    session.commit()
    first, second = (make_question(session, f"Number {n}?") for n in (1, 2))
    publish(session, [first, second], by=None, at=LATER)
    retire(session, [first], by=None, at=LATER, reason="It was <wrong>.")
    session.commit()
    feed = read_feed(site, "/feed.atom")
    assert [entry.title for entry in feed.entries] == [
        "Withdrawn: Number 1?",
        "Release 8: 2 questions",
        "Changed: What is a route now?",
        "New: What is a route now?",
        "New: What is HTTP?",
        "New: What is a view?",
        "Updated: Where does Flask keep the session?",
        "New: Where does Flask keep the session?",
    ]
    withdrawn, both, *_, refreshed, _ = feed.entries
    assert withdrawn.content[0].value == "<p>It was &lt;wrong&gt;.</p>"
    assert withdrawn.link == f"{SITE}/questions/number-1"
    assert f'<a href="{SITE}/questions/number-2">Number 2?</a>' in both.content[0].value
    assert "its text did not" in refreshed.content[0].value
    assert feed.feed.updated == "2026-11-24T10:00:00Z"
    assert feed.feed.title == "Test bank: changes"


def test_a_release_of_many_questions_is_one_entry(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "NAMED", 2)
    many = [make_question(session, f"Number {n}?") for n in range(5)]
    publish(session, many, by=None, at=AT)
    session.commit()
    for limit, title, rest in ((9, "5 questions", "and 3 more"), (4, "more than 4", "and many")):
        monkeypatch.setattr(changes, "COUNTED", limit)
        forget_pages(client)
        feed = feedparser.parse(client.get("/feed.atom").data)
        [entry] = feed.entries
        assert title in entry.title
        assert entry.content[0].value.count("<li>") == 2
        assert rest in entry.content[0].value


def test_a_feed_holds_the_newest_and_what_no_xml_can_hold_is_left_out(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.web.public.feeds.ENTRIES", 2)
    for number in range(3):
        make_published(session, f"Number \uffff{number}?", tags=["some"])
    for path in ("/feed.atom", "/tags/some/feed.atom"):
        feed = feedparser.parse(client.get(path).data)
        assert not feed.bozo
        assert [entry.title for entry in feed.entries] == ["New: Number 2?", "New: Number 1?"]


def test_corrections_are_told_with_claim_truth_and_source(site: FlaskClient) -> None:
    [entry] = read_feed(site, "/corrections/feed.atom").entries
    assert entry.title == "Correction 1: It is kept on the server."
    assert entry.link == f"{SITE}/corrections/1"
    for part in ("<em>server</em>", "The browser keeps it.", "https://example.org/e", "Grace"):
        assert part in entry.content[0].value


def test_a_tag_and_a_deck_have_feeds_of_their_own(site: FlaskClient, session: Session) -> None:
    of_tag = read_feed(site, "/tags/flask/feed.atom")
    assert [entry.title for entry in of_tag.entries] == [
        "New: What is a view?",
        "Changed: Where does Flask keep the session?",
    ]
    make_published(session, "What is a blueprint?", tags=["flask"])
    of_deck = read_feed(site, "/decks/flask/feed.atom")
    assert [entry.title for entry in of_deck.entries] == [
        "All of Flask: 1 added",
        "All of Flask: 2 added",
    ]
    assert f"{SITE}/questions/what-is-a-blueprint" in of_deck.entries[0].content[0].value
    assert site.get("/tags/unknown/feed.atom").status_code == 404
    assert site.get("/decks/unknown/feed.atom").status_code == 404


def test_an_empty_bank_has_feeds_and_a_sitemap(client: FlaskClient) -> None:
    for path in ("/feed.atom", "/corrections/feed.atom"):
        feed = feedparser.parse(client.get(path).data)
        assert (feed.bozo, feed.entries) == (False, [])
    assert client.get("/sitemap.xml").text.count("<loc>") == 7


def test_feeds_stand_on_the_host_that_was_asked_where_no_address_is_set(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    make_published(session)
    for path in ("/feed.atom", "/sitemap.xml", "/opensearch.xml", "/robots.txt"):
        for host in ("localhost", "127.0.0.1:8000", "localhost"):
            answer = client.get(path, headers={"Host": host})
            assert f"http://{host}/" in answer.text, path
        refused = client.get(path, headers={"Host": "evil.example"})
        assert refused.status_code == 400
        assert "evil.example" not in refused.text


# --- the sitemap -----------------------------------------------------------------


class Crawling(AbstractWebClient):
    """Fetches the addresses of the site from a test client."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.fetched: list[str] = []

    def set_max_response_data_length(self, max_response_data_length: int | None) -> None:
        pass

    def get(self, url: str) -> AbstractWebClientResponse:
        answer = self.client.get(url.removeprefix(SITE))
        self.fetched.append(url.removeprefix(SITE))
        if answer.status_code == 200:
            return LocalWebClientSuccessResponse(url, answer.text)
        return WebClientErrorResponse(str(answer.status_code), False)


def test_a_crawler_finds_every_page_by_the_sitemap(
    site: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [make_published(session, f"Gone {number}?") for number in range(4)]
    last = make_published(session, "What is last?", tags=["flask"])
    retire(session, gone, by=None, at=AT)
    session.commit()
    changed = AT + timedelta(days=1)
    for size, parts in (
        (2_500, []),
        # The part whose questions were all withdrawn is left out.
        (2, ["pages", "questions-1", "questions-2", "questions-4", "corrections-1"]),
    ):
        monkeypatch.setattr(sitemap, "PART_SIZE", size)
        forget_pages(site)
        crawler = Crawling(site)
        tree = sitemap_tree_for_homepage(SITE, web_client=crawler, use_known_paths=False)
        pages = {each.url.removeprefix(SITE): each.last_modified for each in tree.all_pages()}
        assert crawler.fetched == [
            *("/robots.txt", "/sitemap.xml"),
            *(f"/sitemap-{part}.xml" for part in parts),
        ]
        assert pages[KEPT] == pages["/corrections/1"] == changed
        assert pages[f"/questions/{last.slug}"] == pages["/decks/flask"] == AT
        tags = {"/tags/flask": None, "/tags/flask/basics": None, "/tags/flask/sessions": None}
        assert tags.items() <= pages.items()
        lists = {"/", "/questions/", "/tags/", "/decks/", "/study/", "/corrections/", "/export/"}
        assert lists <= pages.keys()
        assert len(pages) == len(lists) + len(tags) + len(["http"]) + 1 + 4 + 1


@pytest.mark.usefixtures("bank")
def test_a_part_that_the_sitemap_does_not_have_is_explained(client: FlaskClient) -> None:
    for name in (
        *("x", "questions", "questions-0", "questions-9", "questions--1", "questions-٣"),
        *("questions-99999999999", "corrections-2", "pages-1"),
    ):
        answer = client.get(f"/sitemap-{name}.xml")
        assert answer.status_code == 404, name
        assert "Its index is at /sitemap.xml." in answer.text, name


# --- conditions ------------------------------------------------------------------

PUBLIC = [
    *("/", "/questions/", "/questions/?q=cookie", KEPT, f"{KEPT}.json", f"{KEPT}.md", "/tags/"),
    *("/tags/flask", "/tags/flask/feed.atom", "/decks/", "/decks/flask", "/decks/flask/feed.atom"),
    *("/decks/flask.json", "/corrections/", "/corrections/1", "/corrections/feed.atom"),
    *("/export/", "/export/bank.json", "/export/bank.md.zip", "/feed.atom", "/sitemap.xml"),
    *("/sitemap-pages.xml", "/opensearch.xml"),
]
# What depends on the build alone has an ETag of its own, and no time.
OF_THE_BUILD = ["/robots.txt", "/schema/question-bank-1.json"]


@pytest.mark.usefixtures("bank")
def test_every_public_answer_can_be_kept_and_asked_for_again(
    app: Flask, client: FlaskClient
) -> None:
    app.config["STARTED_AT"] = AT - timedelta(days=1)
    released = http_date(AT)
    expected, found = {}, {}
    whole_files = {*OF_THE_BUILD, "/decks/flask.json", "/export/bank.json", "/export/bank.md.zip"}
    for path in PUBLIC + OF_THE_BUILD:
        got, head = client.get(path), client.head(path)
        vary = None if path in whole_files else "Accept-Encoding"
        expected[path] = (200, 200, b"", set(), released if path in PUBLIC else None, vary)
        found[path] = (
            got.status_code,
            head.status_code,
            head.data,
            {each for each in {*got.headers} ^ {*head.headers} if each[0] != "Date"},
            got.headers.get("Last-Modified"),
            got.headers.get("Vary"),
        )
        assert got.headers["Cache-Control"] == "public, max-age=0, must-revalidate", path
        assert got.headers["ETag"].startswith('"'), path
        assert got.content_length == len(got.data), path
    assert found == expected


CONDITIONS: list[tuple[Callable[[str, datetime], dict[str, str]], int]] = [
    (lambda etag, at: {"If-None-Match": etag}, 304),
    (lambda etag, at: {"If-None-Match": f'"x", W/{etag}'}, 304),
    (lambda etag, at: {"If-None-Match": '"x"'}, 200),
    (lambda etag, at: {"If-Modified-Since": http_date(at)}, 304),
    (lambda etag, at: {"If-Modified-Since": http_date(at + timedelta(days=9))}, 304),
    (lambda etag, at: {"If-Modified-Since": http_date(at - timedelta(seconds=1))}, 200),
    (lambda etag, at: {"If-Modified-Since": "yesterday"}, 200),
    # An ETag decides alone: the date cannot tell two releases of one second apart.
    (lambda etag, at: {"If-None-Match": '"x"', "If-Modified-Since": http_date(at)}, 200),
    (lambda etag, at: {"If-None-Match": etag, "If-Modified-Since": http_date(AT)}, 304),
    (lambda etag, at: {"If-Match": '"x"'}, 412),
    (lambda etag, at: {"If-Match": f"W/{etag}"}, 412),
    (lambda etag, at: {"If-Match": etag, "If-None-Match": etag}, 304),
    (lambda etag, at: {"If-Unmodified-Since": http_date(at - timedelta(days=1))}, 412),
    (lambda etag, at: {"If-Unmodified-Since": http_date(at)}, 200),
]


@pytest.mark.usefixtures("bank")
def test_conditions_are_answered_in_the_order_of_the_standard(client: FlaskClient) -> None:
    # What the cache keeps, and what it leaves to the app.
    for path in ("/", f"{KEPT}.json", "/feed.atom", "/sitemap.xml", "/decks/flask.json"):
        got = client.get(path)
        at = got.last_modified
        assert at is not None
        for number, (fields, status) in enumerate(CONDITIONS):
            sent = fields(got.headers["ETag"], at)
            # Each condition by one method, another one at the next address.
            method = ("GET", "HEAD")[(number + len(path)) % 2]
            answer = client.open(path, method=method, headers=sent)
            assert answer.status_code == status, (path, sent)
            assert answer.headers["ETag"] == got.headers["ETag"], (path, sent)
            assert answer.headers["Cache-Control"] == got.headers["Cache-Control"], (path, sent)
            if status != 200 or method == "HEAD":
                assert answer.data == b"", (path, sent)


@pytest.mark.usefixtures("bank")
def test_a_new_release_and_a_new_build_are_newer(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    app.config["STARTED_AT"] = AT - timedelta(days=1)
    before = client.get("/feed.atom")
    make_published(session, "Is it new?", at=LATER)
    publish_later = make_question(session, "Is it newer?")
    publish(session, [publish_later], by=None, at=LATER)
    session.commit()
    since = {"If-Modified-Since": before.headers["Last-Modified"]}
    after = client.get("/feed.atom", headers=since)
    assert (after.status_code, after.last_modified) == (200, LATER)
    app.config["STARTED_AT"] = LATER + timedelta(days=1)
    forget_pages(client)
    assert client.get("/feed.atom").last_modified == LATER + timedelta(days=1)


@pytest.mark.usefixtures("bank")
def test_who_sends_dates_alone_gets_the_pages_of_other_settings(
    database_url: str,
) -> None:
    held = http_date(datetime.now(UTC) - timedelta(seconds=1))
    other = new_app(database_url, TESTING=True, SITE_NAME="Another name")
    answer = other.test_client().get("/", headers={"If-Modified-Since": held})
    assert answer.status_code == 200
    assert "Another name" in answer.text
    again = {"If-Modified-Since": answer.headers["Last-Modified"]}
    assert other.test_client().get("/", headers=again).status_code == 304
    dispose(other)


@pytest.mark.usefixtures("bank")
def test_errors_and_redirects_are_asked_for_again_and_probes_are_not_kept(
    client: FlaskClient,
) -> None:
    for path, status, rule in (
        ("/questions/unknown", 404, "public, max-age=0, must-revalidate"),
        ("/tags/unknown", 404, "public, max-age=0, must-revalidate"),
        ("/decks/unknown.json", 404, "public, max-age=0, must-revalidate"),
        ("/tags/flask/", 301, "public, max-age=0, must-revalidate"),
        ("/questions/?sort=x", 400, "public, max-age=0, must-revalidate"),
        ("/healthz", 200, "no-store"),
        ("/readyz", 200, "no-store"),
    ):
        answer = client.get(path, headers={"If-Modified-Since": http_date(LATER)})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (status, rule), path
