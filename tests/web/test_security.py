"""Headers on every response, CSRF on every change, hosts, proxies, reads that write nothing."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask, Response, abort, request
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, TimeoutError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from cms import create_app
from cms.errors import (
    CmsError,
    InvalidContent,
    InvalidInput,
    Misconfigured,
    NotAllowed,
    NotFound,
    NotPublishable,
    StaleDeck,
    StaleEdit,
    TooManyAttempts,
    UnreadableFile,
    WrongState,
)
from cms.extensions import db
from cms.formats.item import Content, DeckItem
from cms.models import User
from cms.services import accounts
from cms.vocabulary import Role
from cms.web.errors import PAGES, status_of
from cms.web.security import CONTENT_SECURITY_POLICY, URLENCODED
from tests.conftest import SECRET

AsRole = Callable[[Role | None], FlaskClient]
Csrf = Callable[[FlaskClient], str]

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
TYPED = "a text that took an hour"


@pytest.fixture
def failing(own_app: Flask) -> Flask:
    """The app with pages that fail in every way."""
    app = own_app
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/fail/<what>", "fail", fail, methods=["GET", "POST"])
    app.add_url_rule("/api/fail/<what>", "api_fail", fail, methods=["GET", "POST"])
    app.add_url_rule("/fail/<what>.json", "json_fail", fail)
    return app


def _raise(error: Exception) -> None:
    raise error


def _locked() -> OperationalError:
    return OperationalError("UPDATE secret_table", {}, Exception("database is locked"))


def _full() -> OperationalError:
    return OperationalError("INSERT", {}, Exception("database or disk is full"))


class _PostgresqlFull(Exception):
    sqlstate = "53100"


FAILURES: dict[str, Callable[[], object]] = {
    "400": lambda: abort(400),
    "401": lambda: abort(401),
    "403": lambda: abort(403),
    "404": lambda: abort(404),
    "405": lambda: abort(405),
    "409": lambda: abort(409),
    "410": lambda: abort(410, "This question was retired because it is wrong <b>."),
    "413": lambda: abort(413),
    "429": lambda: abort(429),
    "451": lambda: abort(451),
    "500": lambda: abort(500),
    "501": lambda: abort(501),
    "bug": lambda: 1 / 0,
    "key": lambda: request.form["absent"],
    "locked": lambda: _raise(_locked()),
    "full": lambda: _raise(_full()),
    "full-postgresql": lambda: _raise(OperationalError("INSERT", {}, _PostgresqlFull("no space"))),
    "pool": lambda: _raise(TimeoutError("QueuePool limit of size 8 reached")),
    "input": lambda: _raise(InvalidInput("The slug has a space. Leave it out.", field="slug")),
    "wait": lambda: _raise(TooManyAttempts("Too often.", wait=90)),
    "settings": lambda: _raise(Misconfigured("CMS_X cannot be y.")),
}


def fail(what: str) -> str:
    return str(FAILURES[what]())


# --- headers --------------------------------------------------------------------


def assert_guarded(response: TestResponse) -> None:
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in response.headers["Permissions-Policy"]


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
    assert policy.pop("img-src") == "'self' data:"
    assert set(policy) >= {"script-src", "style-src", "form-action", "connect-src"}
    assert set(policy.values()) == {"'self'"}


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/login", 200),
        ("GET", "/account", 302),
        ("GET", "/account/link/unknown", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/nowhere.json", 404),
        ("GET", "/api/nowhere", 404),
        ("GET", "/logout", 405),
        ("DELETE", "/login", 405),
        ("OPTIONS", "/login", 200),
        ("POST", "/login", 400),
        ("POST", "/", 405),
        ("GET", "/static/site.css", 200),
        ("GET", "/static/nothing.css", 404),
        *((m, f"/fail/{what}", None) for m in ("GET", "POST") for what in FAILURES),
    ],
)
def test_every_response_is_guarded(
    failing: Flask, method: str, address: str, status: int | None
) -> None:
    with failing.test_client().open(address, method=method) as response:
        assert_guarded(response)
        assert status in {None, response.status_code}


@pytest.mark.parametrize("address", ["/login", "/fail/bug"])
def test_too_large_a_body_is_413_and_guarded(failing: Flask, address: str) -> None:
    failing.config["MAX_CONTENT_LENGTH"] = 100
    response = failing.test_client().post(address, data={"text": "x" * 101})
    assert response.status_code == 413
    assert "Send a smaller file" in response.text
    assert_guarded(response)


@pytest.mark.parametrize("body", ["text=" + "x" * 12_000_000, "a&" * 5_000])
def test_a_plain_form_has_the_bounds_of_one_with_files(failing: Flask, body: str) -> None:
    response = failing.test_client().post("/login", data=body, content_type=URLENCODED)
    assert response.status_code == 413
    assert "Send a smaller file" in response.text
    assert_guarded(response)


@pytest.mark.parametrize(
    ("role", "address"),
    [(None, "/login"), (None, "/account"), (Role.editor, "/account"), (Role.editor, "/admin/")],
)
def test_nothing_behind_the_login_is_stored_by_anybody(
    as_role: AsRole, role: Role | None, address: str
) -> None:
    assert as_role(role).get(address).headers["Cache-Control"] == "no-store"


def public_addresses(app: Flask) -> list[str]:
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("public.") and not rule.arguments
    )


def test_a_public_page_is_the_same_for_everybody_and_sets_no_cookie(
    app: Flask, as_role: AsRole
) -> None:
    editor, nobody = as_role(Role.editor), as_role(None)
    # What is measured is of the moment, and no page.
    addresses = [each for each in public_addresses(app) if each != "/metrics"]
    assert "/" in addresses
    bodies = set()
    for address in [*addresses, "/static/site.css"]:
        for browser in (editor, nobody):
            with browser.get(address, query_string={"q": "view"}) as answer:
                assert answer.status_code < 400, address
                assert "Set-Cookie" not in answer.headers, address
                assert "Cookie" not in answer.headers.get("Vary", ""), address
                bodies.add((address, answer.data))
    assert len(bodies) == len(addresses) + 1


@pytest.mark.parametrize(
    ("base_url", "secure"), [("https://bank.example.org", True), ("http://bank.example.org", False)]
)
def test_behind_tls_the_cookie_and_the_transport_are_strict(
    database_url: str, base_url: str, secure: bool
) -> None:
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "BASE_URL": base_url})
    answer = app.test_client().get("/login", base_url=base_url)
    cookie = answer.headers["Set-Cookie"]
    assert answer.headers.get("Strict-Transport-Security") == (
        "max-age=31536000" if secure else None
    )
    assert cookie.startswith("__Host-session=") is secure
    assert ("Secure" in cookie) is secure
    assert "Domain" not in cookie
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def test_a_link_works_behind_tls_although_its_page_sends_no_referer(
    app: Flask, session: Session, editor: User
) -> None:
    token = accounts.issue_link(session, editor, by=None, at=datetime.now(UTC))
    session.commit()
    client, tls = app.test_client(), {"base_url": "https://localhost"}
    page = client.get(f"/account/link/{token}", **tls).text
    form = {"csrf_token": token_in(page), "new_password": "x", "repeat": "x"}
    assert client.post(f"/account/link/{token}", data=form, **tls).status_code == 422


# --- hosts and proxies ----------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({}, "localhost", 200),
        ({}, "127.0.0.1:8000", 200),
        ({}, "evil.example", 400),
        ({}, "localhost.evil.example", 400),
        ({}, "localhost, evil.example", 400),
        ({}, "", 400),
        ({"BASE_URL": "https://bank.example.org"}, "bank.example.org", 200),
        ({"BASE_URL": "https://bank.example.org"}, "www.bank.example.org", 400),
        ({"BASE_URL": "https://bank.example.org"}, "localhost", 200),
        ({"TRUSTED_HOSTS": ["bank.example.org"]}, "bank.example.org", 200),
        ({"TRUSTED_HOSTS": ["bank.example.org"]}, "localhost", 400),
        ({"TRUSTED_HOSTS": [".example.org"]}, "bank.example.org", 200),
    ],
)
def test_only_trusted_hosts_are_answered(
    database_url: str, settings: dict[str, Any], host: str, status: int
) -> None:
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": SECRET, **settings})
    for address in ("/", "/login", "/static/site.css"):
        with app.test_client().get(address, headers={"Host": host}) as answer:
            assert answer.status_code == status, address
            assert_guarded(answer)
            if status == 400:
                assert "CMS_TRUSTED_HOSTS" in answer.text
                assert host not in answer.text or not host
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, "198.51.100.9", ("127.0.0.1", "http")),
        (1, "198.51.100.9", ("198.51.100.9", "https")),
        # What the client itself put in front is not believed.
        (1, "10.0.0.1, 198.51.100.9", ("198.51.100.9", "https")),
        (2, "198.51.100.9, 192.0.2.1", ("198.51.100.9", "https")),
    ],
)
def test_addresses_are_taken_from_as_many_proxies_as_there_are(
    database_url: str, proxies: int, forwarded: str, seen: tuple[str, str]
) -> None:
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "PROXIES": proxies})
    app.add_url_rule("/seen", "seen", lambda: [request.remote_addr, request.scheme, request.host])
    headers = {
        "X-Forwarded-For": forwarded,
        "X-Forwarded-Proto": ", ".join(["https"] * max(proxies, 1)),
        "X-Forwarded-Host": "evil.example",
    }
    answer = app.test_client().get("/seen", headers=headers).json
    assert answer == [*seen, "localhost"]
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


# --- CSRF -----------------------------------------------------------------------


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def changing_routes(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield the method and a made-up address of every route that may change something."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & CHANGING):
            values = {
                name: 1 if "int" in type(converter).__name__.lower() else "x"
                for name, converter in rule._converters.items()
            }
            with app.test_request_context():
                yield method, app.url_for(rule.endpoint, _method=method, **values)


def test_no_route_changes_anything_without_a_token(app: Flask, as_role: AsRole) -> None:
    routes = list(changing_routes(app))
    assert ("POST", "/login") in routes
    assert ("POST", "/logout") in routes
    assert not app.view_functions.keys() & {"csrf_exempt"}
    for role in (None, Role.admin):
        browser = as_role(role)
        accepted = [
            (method, address, answer.status_code)
            for method, address in routes
            for token in (None, "", "forged")
            if (
                answer := browser.open(
                    address, method=method, data={} if token is None else {"csrf_token": token}
                )
            ).status_code
            not in ({400, 401} if role is None else {400})
        ]
        assert accepted == []
        assert browser.get("/account").status_code == (302 if role is None else 200)


def test_a_token_of_somebody_elses_session_is_refused(as_role: AsRole, csrf: Csrf) -> None:
    mine, theirs = as_role(Role.editor), as_role(Role.admin)
    assert mine.post("/logout", data={"csrf_token": csrf(theirs)}).status_code == 400
    assert mine.get("/account").status_code == 200


def test_a_refused_form_gives_back_what_was_typed_but_no_secret(client: FlaskClient) -> None:
    page = client.post(
        "/login",
        data={
            "name": "Ada",
            "body": f"{TYPED}\n<script>",
            "password": "walnut harbor",
            "new_password": "violin ninety",
            "csrf_token": "forged",
        },
    )
    assert page.status_code == 400
    assert "Open the form anew and send it again" in page.text
    assert f"{TYPED}\n&lt;script&gt;</textarea>" in page.text
    for secret in ("walnut", "violin", "forged"):
        assert secret not in page.text


# --- errors ---------------------------------------------------------------------

CONTENT = Content(stem="What is Flask?")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x"), 422),
        (InvalidContent([("stem", "is empty")]), 422),
        (UnreadableFile("a.csv", "x"), 422),
        (NotAllowed("x"), 403),
        (NotFound("x"), 404),
        (WrongState("x"), 409),
        (NotPublishable("a", ["x"]), 409),
        (StaleDeck(theirs=DeckItem(slug="a", title="A"), by="Ada"), 409),
        (StaleEdit(mine=CONTENT, theirs=CONTENT, base=None, by="Ada"), 409),
        (TooManyAttempts("x", wait=1), 429),
        (Misconfigured("x"), 500),
    ],
)
def test_each_error_of_the_domain_has_its_status(error: CmsError, status: int) -> None:
    assert status_of(error) == status


def test_the_table_of_errors_above_is_complete() -> None:
    def descendants(cls: type[CmsError]) -> set[type[CmsError]]:
        return {cls}.union(*(descendants(each) for each in cls.__subclasses__()))

    parameters = test_each_error_of_the_domain_has_its_status.pytestmark[0].args[1]
    assert descendants(CmsError) - {CmsError} == {type(error) for error, _ in parameters}


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        *(
            (code, int(code), PAGES[int(code)][1])
            for code in ("400", "403", "404", "405", "409", "413", "429", "500")
        ),
        ("410", 410, "This question was retired because it is wrong &lt;b&gt;."),
        ("451", 451, "Go back"),
        ("501", 501, "Something is broken here"),
        ("bug", 500, "Something is broken here"),
        ("key", 400, "Go back, reload the page and try again."),
        ("locked", 503, "Wait a few seconds and try again."),
        ("pool", 503, "Wait a few seconds and try again."),
        ("full", 503, "The server has no room left to write."),
        ("full-postgresql", 503, "The server has no room left to write."),
        ("input", 400, "The slug has a space. Leave it out."),
        ("wait", 429, "Too often. Wait 2 minutes and try again."),
        ("settings", 500, "Something is broken here"),
    ],
)
def test_an_error_page_says_what_to_do_and_nothing_of_the_inside(
    failing: Flask, what: str, status: int, words: str
) -> None:
    page = failing.test_client().get(f"/fail/{what}")
    assert page.status_code == status
    assert page.content_type == "text/html; charset=utf-8"
    assert words in page.text.replace("&#39;", "'")
    assert page.text.count("<h1>") == 1
    for inside in ("Traceback", "secret_table", "sqlalche.me", "ZeroDivision", "OperationalError"):
        assert inside not in page.text
    if status in {429, 503} and what != "429":
        assert int(page.headers["Retry-After"]) in {10, 90}


@pytest.mark.parametrize("address", ["/api/fail/{}", "/fail/{}.json"])
@pytest.mark.parametrize(("what", "status"), [("404", 404), ("bug", 500), ("locked", 503)])
def test_programs_get_a_problem_document(
    failing: Flask, address: str, what: str, status: int
) -> None:
    answer = failing.test_client().get(address.format(what))
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": PAGES[status][0],
        "status": status,
        "detail": PAGES[status][1],
    }


def test_a_405_names_the_methods_that_are_taken(client: FlaskClient) -> None:
    allowed = client.get("/logout").headers["Allow"]
    assert set(allowed.split(", ")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("what", ["bug", "locked", "full"])
def test_a_form_that_the_server_could_not_save_gives_its_text_back(
    failing: Flask, csrf: Csrf, what: str
) -> None:
    client = failing.test_client()
    page = client.post(
        f"/fail/{what}", data={"csrf_token": csrf(client), "body": TYPED, "password": "hidden"}
    )
    assert page.status_code in {500, 503}
    assert TYPED in page.text
    assert "hidden" not in page.text


def test_what_a_failed_request_wrote_is_undone_before_its_page_is_sent(
    own_app: Flask, session: Session, csrf: Csrf
) -> None:
    left_open = []

    def write_and_fail() -> None:
        accounts.add_user(db.session(), "Ghost", Role.editor, by=None, at=datetime.now(UTC))
        raise WrongState("Not now.")

    def look(response: Response) -> Response:
        left_open.append(db.session().in_transaction())
        return response

    own_app.add_url_rule("/half", "half", write_and_fail, methods=["POST"])
    own_app.after_request(look)
    client = own_app.test_client()
    token = csrf(client)
    left_open.clear()
    assert client.post("/half", data={"csrf_token": token}).status_code == 409
    assert left_open == [False]
    assert accounts.list_users(session) == []


# --- reads ----------------------------------------------------------------------


def contents(database_url: str) -> dict[str, list[Any]]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        rows = {
            table.name: sorted(map(repr, connection.execute(table.select())))
            for table in db.metadata.sorted_tables
        }
    engine.dispose()
    return rows


def test_get_and_head_write_nothing(app: Flask, as_role: AsRole, database_url: str) -> None:
    browsers = [as_role(role) for role in (None, *Role)]
    before = contents(database_url)
    assert before["account"]
    assert before["login_session"]
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or set()):
            continue
        values = {
            name: 1 if "int" in type(converter).__name__.lower() else "x"
            for name, converter in rule._converters.items()
        }
        with app.test_request_context():
            address = app.url_for(rule.endpoint, **values)
        for browser in browsers:
            for method in ("GET", "HEAD"):
                browser.open(address, method=method, query_string={"q": "x", "next": "/x"}).close()
    assert contents(database_url) == before


def test_a_page_behind_the_login_waits_for_no_writer(
    app: Flask, as_role: AsRole, database_url: str
) -> None:
    """An import holds SQLite's one write lock for as long as it runs."""
    browser = as_role(Role.editor)
    with app.app_context():
        engine = db.engine
    started, done = threading.Event(), threading.Event()

    def write() -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE account SET role = role"))
            started.set()
            done.wait(15)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(10)
        before = time.monotonic()
        assert browser.get("/account").status_code == 200
        assert time.monotonic() - before < 5
    finally:
        done.set()
        writer.join()
