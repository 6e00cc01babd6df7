"""The public site over HTTP: every page, its status, its headers, and where old addresses lead."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from html.parser import HTMLParser

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms import create_app
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem, Item
from cms.formats.markdown.bank import read
from cms.models import Base, Tag
from cms.services import listing
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.publishing import publish, retire
from cms.services.questions import save
from cms.services.tags import save_tag
from cms.vocabulary import CorrectionKind
from cms.web import cache
from tests.conftest import dispose
from tests.factories import AT, make_bank, make_published

LATER = AT + timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_staleness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "STALENESS", 0)


@pytest.fixture
def bank(session: Session) -> None:
    make_bank(session)


KEPT = "/questions/where-does-flask-keep-the-session"
PAGES = [
    "/",
    "/questions/",
    "/questions/?q=cookie&difficulty=medium&tag=flask&sort=title",
    KEPT,
    f"{KEPT}/history",
    f"{KEPT}.json",
    f"{KEPT}.md",
    "/tags/",
    "/tags/flask",
    "/tags/flask/sessions",
    "/corrections/",
    "/corrections/1",
    "/export/",
]


class Outline(HTMLParser):
    """What a page offers to those who cannot see it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.landmarks: list[str] = []
        self.styles_and_scripts: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in {"h1", "h2", "h3", "h4", "h5", "h6"}:
            self.headings.append(int(tag[1]))
        if tag in {"header", "main", "footer"}:
            self.landmarks.append(tag)
        if found.get("id"):
            self.ids.append(found["id"] or "")
        is_data = found.get("type") == "application/ld+json"
        if tag == "style" or (tag == "script" and "src" not in found and not is_data):
            self.styles_and_scripts.append(tag)
        self.styles_and_scripts += [
            name for name in found if name == "style" or name.startswith("on")
        ]
        if tag == "a":
            self.links.append(found.get("href") or "")


# --- what every page has ---------------------------------------------------------


@pytest.mark.usefixtures("bank")
def test_every_page_names_release_and_build_and_sets_no_cookie(
    app: Flask, client: FlaskClient
) -> None:
    for path in [*PAGES, "/export/bank.json"]:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["ETag"] == f'"4-{app.config["BUILD"]}"', path
        assert answer.headers["Cache-Control"] == "public, max-age=0, must-revalidate", path
        assert "Set-Cookie" not in answer.headers, path
        assert answer.headers.get("Vary") in {None, "Accept-Encoding"}, path
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path


@pytest.mark.usefixtures("bank")
def test_a_page_that_the_reader_has_is_not_sent_again(client: FlaskClient) -> None:
    for path in [*PAGES, "/export/bank.json"]:
        etag = client.get(path).headers["ETag"]
        answer = client.get(path, headers={"If-None-Match": etag})
        assert (answer.status_code, answer.data) == (304, b""), path
        assert answer.headers["ETag"] == etag


@pytest.mark.usefixtures("bank")
def test_a_head_says_what_a_get_would(client: FlaskClient) -> None:
    for path in [*PAGES, "/export/bank.json"]:
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.data) == (200, b""), path
        assert dict(head.headers) == dict(got.headers), path


def test_public_addresses_answer_get_and_head_alone(app: Flask, client: FlaskClient) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("public.")]
    assert len(rules) > 12
    for rule in rules:
        assert rule.methods == {"GET", "HEAD"}, rule
    for path in ("/", "/questions/", "/corrections/1", "/export/bank.json", "/healthz"):
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert client.open(path, method=method).status_code in {400, 405}, (method, path)


@pytest.mark.usefixtures("bank")
def test_every_page_has_one_outline_and_nothing_inline(client: FlaskClient) -> None:
    for path in PAGES:
        if path.endswith((".json", ".md")):
            continue
        page = Outline(client.get(path).text)
        assert page.headings.count(1) == 1, path
        assert page.headings[0] == 1, path
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert all(below - above <= 1 for above, below in steps), (path, page.headings)
        assert page.landmarks == ["header", "main", "footer"], path
        assert len(page.ids) == len(set(page.ids)), path
        assert page.styles_and_scripts == [], path


@pytest.mark.usefixtures("bank")
def test_no_link_of_the_site_is_dead(client: FlaskClient) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.startswith("/"):
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        if answer.mimetype == "text/html":
            waiting += [link.partition("#")[0] for link in Outline(answer.text).links]
    assert {*PAGES[3:], "/export/bank.csv", "/login"} <= seen


@pytest.mark.usefixtures("bank")
def test_reading_leaves_the_database_as_it_was(client: FlaskClient, session: Session) -> None:
    def rows() -> dict[str, int | None]:
        session.rollback()
        tables = Base.metadata.sorted_tables
        return {t.name: session.scalar(select(func.count()).select_from(t)) for t in tables}

    before = rows()
    for path in [*PAGES, "/questions/nothing", "/questions/?q=%00'\"&after=x", "/readyz"]:
        client.get(path)
    assert rows() == before


def test_the_requests_host_is_on_no_page(client: FlaskClient, session: Session) -> None:
    make_published(session)
    for path in ("/", "/questions/what-is-a-view", "/questions/", "/export/"):
        page = client.get(path, headers={"Host": "evil.example"})
        assert "evil.example" not in page.text + str(page.headers)


def test_the_sites_own_address_is_on_pages_that_are_cited(
    database_url: str, session: Session
) -> None:
    make_published(session)
    app = create_app(
        {
            "DATABASE_URL": database_url,
            "SECRET_KEY": "a secret of the test suite, of enough characters",
            "BASE_URL": "https://bank.example.org",
        }
    )
    page = app.test_client().get("/questions/what-is-a-view").text
    dispose(app)
    assert 'href="https://bank.example.org/questions/what-is-a-view"' in page


# --- home and lists ----------------------------------------------------------------


def test_an_empty_bank_says_what_to_do(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "nothing has been published yet" in page.text
    assert "/login" in page.text
    for path in ("/questions/", "/tags/", "/corrections/", "/export/"):
        assert client.get(path).status_code == 200, path


@pytest.mark.usefixtures("bank")
def test_home_says_what_the_bank_is(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "<h1>Test bank</h1>" in page
    assert "3 questions" in page
    assert "1 correction of" in page
    assert "release 4" in page
    assert "correction 1</a>" in page
    assert "A draft?" not in page
    assert "secret" not in page
    # The newest first, each with its summary.
    assert page.index("What is HTTP?") < page.index("What is a view?")
    assert "In a cookie." in page


@pytest.mark.usefixtures("bank")
def test_the_list_is_filtered_and_sorted(client: FlaskClient) -> None:
    kept, view, http = "Where does", "What is a view?", "What is HTTP?"
    for query, stems in (
        ("", [http, view, kept]),
        ("?sort=title", [view, http, kept]),
        ("?q=cookie", [kept]),
        ("?q=What+is&sort=title", [view, http]),
        ("?tag=http", [http, kept]),
        ("?tag=flask&tag=http", [kept]),
        ("?tag=/flask/", [view, kept]),
        ("?difficulty=easy", [view]),
        ("?q=&tag=&difficulty=&sort=&after=", [http, view, kept]),
    ):
        page = re.sub("</?mark>", "", client.get(f"/questions/{query}").text)
        places = [page.index(stem) for stem in stems]
        assert places == sorted(places), query
        assert page.count('class="title"') == len(stems), query


@pytest.mark.usefixtures("bank")
def test_each_filter_in_effect_can_be_removed(client: FlaskClient) -> None:
    page = client.get("/questions/?q=cookie&tag=flask&tag=http&difficulty=medium").text
    assert 'href="/questions/?q=cookie&amp;tag=flask&amp;tag=http"' in page
    assert 'href="/questions/?q=cookie&amp;tag=http&amp;difficulty=medium"' in page
    assert 'href="/questions/?tag=flask&amp;tag=http&amp;difficulty=medium"' in page
    # The form keeps what it does not show.
    assert page.count('<input type="hidden" name="tag"') == 2
    assert 'value="cookie"' in page
    assert "<option selected>medium</option>" in page


@pytest.mark.usefixtures("bank")
def test_a_list_continues_on_the_next_page(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    for start in ("/questions/?sort=title", "/tags/flask", "/questions/?q=what&tag=http"):
        address, found = start, []
        while address:
            page = client.get(address).text
            found.append(page.split('class="title" href="')[1].split('"')[0])
            following = page.partition('rel="next" href="')[2].partition('"')[0]
            address = following.replace("&amp;", "&")
            assert ("First page" in page) == (len(found) > 1)
        assert len(found) == len(set(found)) == {"/questions/?sort=title": 3}.get(start, len(found))


@pytest.mark.usefixtures("bank")
def test_a_wrong_filter_is_explained(client: FlaskClient) -> None:
    for query, words in (
        ("after=garbage", "first page of the list"),
        ("difficulty=impossible", "easy, medium, hard"),
        ("sort=random", "recent, title, relevance"),
        ("&".join(f"tag={n}" for n in range(9)), "at most 8 tags"),
    ):
        answer = client.get(f"/questions/?{query}")
        assert answer.status_code == 400, query
        assert words in answer.text, query


@pytest.mark.usefixtures("bank")
def test_a_list_of_nothing_says_what_to_try(client: FlaskClient) -> None:
    page = client.get("/questions/?q=nonsense&tag=unknown").text
    assert "Nothing matches" in page
    assert "No public question has the tag “unknown”" in page
    assert "fewer words" in page


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("q=cokie", ["No question has “cokie”", "<b>“cookie”</b>", "<mark>cookie</mark>"]),
        ("q=cokie", ['href="/questions/?q=%22cokie%22"', "as it stands", 'value="cokie"']),
        ("q=itsdangerous", ["Signed by <mark>itsdangerous</mark>."]),
        ("q=session", ["the <code><mark>session</mark></code>?</a>", "1 question"]),
        ("q=cookie&tag=flask/basics", ["“cookie” without the filters</a>", "1 question"]),
        ("q=cokie&difficulty=hard", ["Perhaps “cookie” was meant", "without the filters"]),
        ("q=cookie+zebra", ["Fewer words: ", 'href="/questions/?q=cookie">cookie</a>']),
        ("q=sessions+zebra+http", ["Tags that fit", 'href="/tags/flask/sessions"']),
        ("tag=http&difficulty=easy", ['Only <a href="/questions/?tag=http">http</a>']),
        ("q=%3F!", ["“?!” has no word to search for", "<code>url_for</code> or C++"]),
        ("", ['href="/questions/?difficulty=easy">easy</a> <span class="number fine">1<']),
        ("", ['<span class="none">hard</span> <span class="number fine">0<']),
        ("q=cookie", ["hard</span> <span", "/questions/?q=cookie&amp;difficulty=medium"]),
        ("difficulty=easy", ['aria-current="true"', "Narrow by tag"][:1]),
    ],
)
def test_a_search_says_why_and_what_to_try(
    client: FlaskClient, query: str, words: list[str]
) -> None:
    page = client.get(f"/questions/?{query}").text
    assert [each for each in words if each not in page] == []


@pytest.mark.usefixtures("bank")
def test_questions_are_suggested_while_one_types(client: FlaskClient) -> None:
    for query in ("cook", "cokie"):
        answer = client.get(f"/questions/suggest?q={query}")
        assert answer.headers["ETag"] == client.get("/questions/").headers["ETag"]
        assert answer.text.count('<li role="option"') == 2
        assert f'data-href="{KEPT}"' in answer.text
        assert f'data-href="/questions/?q={query}"' in answer.text
    assert client.get("/questions/suggest?q=zebra").text.strip() == ""
    assert client.get("/questions/suggest?q=%3Cb%3E&tag=%00").status_code == 200
    assert client.get("/questions/suggest").text.strip() == ""


@pytest.mark.usefixtures("bank")
def test_any_string_is_a_safe_search(client: FlaskClient) -> None:
    for query in (
        "C++",
        '"',
        "'",
        "%",
        "\0",
        "a\0b",
        "*",
        "( OR",
        "NEAR(",
        "x" * 5_000,
        "日本",
        "-",
    ):
        assert client.get("/questions/", query_string={"q": query}).status_code == 200, query
    assert client.get("/questions/?q=%ff%fe%ed%a0%80").status_code == 200


@pytest.mark.usefixtures("bank")
def test_what_was_searched_for_is_shown_as_text(client: FlaskClient) -> None:
    page = client.get("/questions/?q=<script>alert(1)</script>&tag=<b>").text
    assert "<script>alert" not in page
    assert "<b>&lt;" not in page
    assert "&lt;script&gt;" in page


# --- a question ------------------------------------------------------------------


@pytest.mark.usefixtures("bank")
def test_a_question_shows_all_that_was_published_of_it(client: FlaskClient) -> None:
    page = client.get(KEPT).text
    for part in (
        "<h1>Where does Flask keep the <code>session</code>?</h1>",
        "<title>Where does Flask keep the session? · Test bank</title>",
        "Think of <em>two</em> browsers.",
        '<div class="short"><p>In a cookie.</p></div>',
        "Full answer",
        "For experts",
        "Flask ≥ 2.2",
        "Flask ≥ 3",
        'datetime="2026-11-23T10:00:00Z" title="23 November 2026, 10:00:00 UTC">23 Nov 2026<',
        '<a class="tag" href="/tags/flask/sessions">',
        'href="https://example.org/s" rel="nofollow noopener">Sessions</a>',
        ">https://example.org/plain</a>",
        '<div class="code code-run"><div class="code-head">python</div>',
        '<div class="code code-output">',
        'href="/questions/where-does-flask-keep-the-session.json"',
        'href="/questions/where-does-flask-keep-the-session.md"',
        "release 4",
    ):
        assert part in page, part
    # A source that two answers cite stands once.
    assert page.count('href="https://example.org/s"') == 1
    # The short answer is not repeated among the full ones.
    assert page.count("<p>In a cookie.</p>") == 1


@pytest.mark.usefixtures("bank")
def test_an_erratum_says_claim_truth_and_source(client: FlaskClient) -> None:
    for path in (KEPT, "/corrections/", "/corrections/1"):
        page = client.get(path).text
        for part in (
            "Correction 1",
            "It is kept on the <em>server</em>.",
            "The browser keeps it.",
            ">Evidence</a>",
            "Grace",
            "23 Nov 2026",
        ):
            assert part in page, (path, part)
        assert "factual" in page.lower(), path
    assert 'href="/questions/where-does-flask-keep-the-session"' in page


def test_answers_of_every_shape(client: FlaskClient, session: Session) -> None:
    short, full = AnswerItem(label="Short", body="One."), AnswerItem(body="Two.")
    labeled = AnswerItem(label="In 2026", body="Three.")
    for number, (answers, shown) in enumerate(
        (
            ([full], [">Answer\n", "<p>Two."]),
            ([short], ['<div class="short"><p>One.']),
            ([labeled], [">In 2026\n", "<p>Three."]),
            ([full, short], ['<div class="short"><p>One.', ">Full answer\n", "<p>Two."]),
            ([full, labeled], [">Answer\n", "<p>Two.", ">In 2026\n", "<p>Three."]),
        )
    ):
        make_published(session, f"Number {number}?", answers=answers)
        page = client.get(f"/questions/number-{number}").text
        places = [page.index(part) for part in shown]
        assert places == sorted(places), shown


@pytest.mark.usefixtures("bank")
def test_a_question_as_data_is_its_item(app: Flask, client: FlaskClient) -> None:
    answer = client.get(f"{KEPT}.json")
    assert answer.mimetype == "application/json"
    item = json.loads(answer.data)
    assert item["slug"] == "where-does-flask-keep-the-session"
    assert [each["number"] for each in item["corrections"]] == [1]
    exported = client.get("/export/bank.json").json
    assert exported is not None
    assert item in exported["questions"]


@pytest.mark.usefixtures("bank")
def test_a_question_as_markdown_is_the_file_of_an_export(client: FlaskClient) -> None:
    answer = client.get(f"{KEPT}.md")
    assert answer.content_type == "text/markdown; charset=utf-8"
    exported = client.get("/export/bank.md.zip")
    assert exported.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(exported.data)) as archive:
        assert archive.read("where-does-flask-keep-the-session.md") == answer.data
    [row] = read(Upload("where-does-flask-keep-the-session.md", answer.data)).rows
    assert row.item == msgspec.json.decode(client.get(f"{KEPT}.json").data, type=Item)


def test_an_old_address_leads_to_the_new_one_for_good(
    client: FlaskClient, session: Session
) -> None:
    question = make_published(session)
    changed = replace(content_of(question), slug="views")
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    for ending in ("", ".json", ".md"):
        answer = client.get(f"/questions/what-is-a-view{ending}")
        assert (answer.status_code, answer.location) == (301, f"/questions/views{ending}")


def test_a_retired_question_is_gone_with_its_reason(client: FlaskClient, session: Session) -> None:
    question = make_published(session)
    retire(session, [question], by=None, at=LATER, reason="It was asked twice.")
    session.commit()
    answer = client.get("/questions/what-is-a-view")
    assert answer.status_code == 410
    assert "What is a view?" in answer.text
    assert "It was asked twice." in answer.text
    for ending in (".json", ".md"):
        assert client.get(f"/questions/what-is-a-view{ending}").status_code == 410
    assert client.get("/questions/").text.count("What is a view?") == 0


def test_a_merged_question_leads_to_its_survivor(client: FlaskClient, session: Session) -> None:
    question, survivor = make_published(session), make_published(session, "What are views?")
    question.merged_into = survivor
    retire(session, [question], by=None, at=LATER)
    session.commit()
    answer = client.get("/questions/what-is-a-view")
    assert (answer.status_code, answer.location) == (301, "/questions/what-are-views")


@pytest.mark.usefixtures("bank")
def test_an_unknown_question_helps_on(client: FlaskClient) -> None:
    answer = client.get("/questions/where-is-the-session")
    assert answer.status_code == 404
    assert f'href="{KEPT}"' in answer.text
    assert 'type="search"' in answer.text
    assert client.get("/questions/a-draft").status_code == 404
    assert client.get("/questions/unknown.md").status_code == 404
    data = client.get("/questions/unknown.json")
    assert (data.status_code, data.mimetype) == (404, "application/problem+json")


# --- tags and corrections ----------------------------------------------------------


@pytest.mark.usefixtures("bank")
def test_a_tag_holds_its_descendants(client: FlaskClient) -> None:
    page = client.get("/tags/flask").text
    assert "What is a view?" in page
    assert "Where does Flask" in page
    assert "What is HTTP?" not in page
    assert "2 questions" in page
    assert '<a class="tag" href="/tags/flask/basics">' in page
    tree = client.get("/tags/").text
    assert tree.index("flask/basics") < tree.index("flask/sessions") < tree.index("/tags/http")


def test_a_renamed_tag_leads_to_its_new_address(client: FlaskClient, session: Session) -> None:
    make_published(session, tags=["web/views"])
    tag = session.scalars(select(Tag).filter_by(slug="web")).one()
    save_tag(session, tag, slug="flask", name="Flask", description="", by=None, at=LATER)
    session.commit()
    for old, new in (
        ("/tags/web/views", "/tags/flask/views"),
        ("/questions/?tag=web&sort=title", "/questions/?tag=flask&sort=title"),
        ("/tags/flask/", "/tags/flask"),
    ):
        answer = client.get(old)
        assert (answer.status_code, answer.location) == (301, new)
    assert client.get("/tags/unknown").status_code == 404


def test_corrections_continue_on_the_next_page(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.web.public.corrections.PAGE_SIZE", 2)
    question = make_published(session)
    for number in range(1, 4):
        correction = open_correction(
            session, question, kind=CorrectionKind.editorial, claim=f"No {number}.", by=None, at=AT
        )
        accept(session, correction, fixed_in=1, by=None, at=AT)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    first = client.get("/corrections/").text
    # Neighbors about one question stand under one heading.
    assert first.count("<h2>") == 1
    assert [f"No {n}." in first for n in (1, 2, 3)] == [False, True, True]
    second = client.get("/corrections/?after=2").text
    assert [f"No {n}." in second for n in (1, 2, 3)] == [True, False, False]
    assert "No older correction" in client.get("/corrections/?after=1").text
    assert client.get("/corrections/?after=x").status_code == 400
    assert client.get("/corrections/9").status_code == 404


@pytest.mark.usefixtures("bank")
def test_static_files_are_kept_for_a_year_by_their_builds_address(
    app: Flask, client: FlaskClient
) -> None:
    page = client.get("/").text
    build = app.config["BUILD"]
    for name in ("site.css", "public.css", "site.js", "icon.svg"):
        assert f'"/static/{name}?v={build}"' in page
        kept = client.get(f"/static/{name}?v={build}")
        assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        other = client.get(f"/static/{name}?v=older")
        assert "immutable" not in other.headers["Cache-Control"]
        for answer in (kept, other):
            answer.close()
