"""Logging in and out, one's own account and the one-use link, as a browser sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cms.models import LoginAttempt, LoginSession, User, new_uid
from cms.services import accounts, autosaves
from cms.vocabulary import Role
from cms.web.auth import SEEN, safe_next
from tests.conftest import PASSWORD
from tests.factories import AT, make_question
from tests.web.pages import fields_of

ANOTHER = "seven teapots in the attic"

AsRole = Callable[[Role | None], FlaskClient]
LogIn = Callable[[FlaskClient, User], None]
Send = Callable[..., Any]


def is_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def session_cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


# --- logging in -----------------------------------------------------------------


def test_one_logs_in_and_lands_where_one_wanted_to_go(
    client: FlaskClient, ada: User, send: Send
) -> None:
    asked = client.get("/account?tab=1")
    assert asked.status_code == 302
    assert asked.location == "/login?next=/account?tab%3D1"
    form = client.get(asked.location)
    assert 'name="next" value="/account?tab=1"' in form.text
    done = send(client, "/login", name="ada", password=PASSWORD, next="/account?tab=1")
    assert (done.status_code, done.location) == (302, "/account?tab=1")
    assert is_in(client)


def test_without_a_wish_one_lands_at_the_desk(client: FlaskClient, ada: User, send: Send) -> None:
    done = send(client, "/login", name="Ada", password=PASSWORD)
    assert done.location == "/admin/"
    assert client.get("/login").location == "/admin/"


@pytest.mark.parametrize(
    ("name", "password"), [("Ada", "not the right password"), ("Nobody", PASSWORD), ("", "")]
)
def test_a_refused_login_says_the_same_and_keeps_only_the_name(
    client: FlaskClient, ada: User, send: Send, name: str, password: str
) -> None:
    page = send(client, "/login", name=name, password=password, next="/account")
    assert page.status_code == 422
    assert "The name or the password is wrong." in page.text
    assert f'name="name" value="{name}"' in page.text
    assert 'name="next" value="/account"' in page.text
    assert not password or password not in page.text
    assert not is_in(client)


def test_a_failed_login_stays_counted_although_it_changes_nothing_else(
    client: FlaskClient, ada: User, send: Send, session: Session
) -> None:
    send(client, "/login", name="Ada", password="wrong")
    assert session.scalar(select(func.count(LoginAttempt.id))) == 2


def test_after_ten_failures_the_form_says_how_long_to_wait(
    client: FlaskClient, ada: User, send: Send, session: Session
) -> None:
    now = datetime.now(UTC)
    subject = "address:127.0.0.1"
    session.add_all([LoginAttempt(subject=subject, at=now) for _ in range(10)])
    session.commit()
    page = send(client, "/login", name="Ada", password=PASSWORD)
    assert page.status_code == 429
    assert 290 <= int(page.headers["Retry-After"]) <= 300
    assert "Too many log-ins failed. Wait 5 minutes and try again." in page.text
    assert 'id="password"' in page.text
    assert not is_in(client)


def test_looking_at_the_login_with_head_logs_nobody_in(client: FlaskClient, ada: User) -> None:
    answer = client.head("/login", data={"name": "Ada", "password": PASSWORD})
    assert answer.status_code == 200
    assert not is_in(client)


def test_logging_in_keeps_nothing_of_the_cookie_before(
    client: FlaskClient, ada: User, send: Send
) -> None:
    """A cookie that somebody planted (session fixation) does not become Ada's."""
    client.get("/login")
    with client.session_transaction("/login") as cookie:
        cookie["planted"] = True
        before = cookie["csrf_token"]
    send(client, "/login", name="Ada", password=PASSWORD)
    with client.session_transaction("/login") as cookie:
        assert "planted" not in cookie
        assert cookie.get("csrf_token") != before


def test_each_login_begins_a_session_of_its_own(
    app: Flask, ada: User, send: Send, session: Session
) -> None:
    for _ in range(2):
        send(app.test_client(), "/login", name="Ada", password=PASSWORD)
    assert session.scalar(select(func.count(LoginSession.token_hash))) == 2


# --- sessions -------------------------------------------------------------------


def test_a_stolen_cookie_is_dead_after_logout(
    app: Flask, client: FlaskClient, ada: User, log_in: LogIn, send: Send
) -> None:
    log_in(client, ada)
    stolen = session_cookie(client)
    thief = app.test_client()
    thief.set_cookie("session", stolen)
    assert is_in(thief)
    out = send(client, "/logout")
    assert (out.status_code, out.location) == (302, "/login")
    assert not is_in(client)
    thief = app.test_client()
    thief.set_cookie("session", stolen)
    assert not is_in(thief)


def _disable(session: Session, user: User) -> None:
    accounts.disable(session, user, by=None, at=datetime.now(UTC))


def _promote(session: Session, user: User) -> None:
    accounts.set_role(session, user, Role.admin, by=None, at=datetime.now(UTC))


def _reset(session: Session, user: User) -> None:
    now = datetime.now(UTC)
    accounts.redeem(session, accounts.issue_link(session, user, by=None, at=now), ANOTHER, at=now)


def _expire(session: Session, user: User) -> None:
    session.execute(update(LoginSession).values(expires_at=datetime.now(UTC)))


@pytest.mark.parametrize("kill", [_disable, _promote, _reset, _expire], ids=lambda f: f.__name__)
def test_a_cookie_dies_with_its_session_on_the_server(
    client: FlaskClient,
    editor: User,
    log_in: LogIn,
    session: Session,
    kill: Callable[[Session, User], None],
) -> None:
    log_in(client, editor)
    assert is_in(client)
    kill(session, editor)
    session.commit()
    assert not is_in(client)


def test_a_cookie_dies_after_half_an_hour_of_idling(
    client: FlaskClient, editor: User, log_in: LogIn
) -> None:
    for idle, alive in ((timedelta(minutes=29), True), (timedelta(minutes=31), False)):
        log_in(client, editor)
        with client.session_transaction("/login") as cookie:
            cookie[SEEN] = int((datetime.now(UTC) - idle).timestamp())
        assert is_in(client) is alive


def test_being_seen_is_written_to_the_cookie_once_a_minute_and_never_to_the_database(
    client: FlaskClient, editor: User, log_in: LogIn, session: Session
) -> None:
    log_in(client, editor)
    # The form's token is put into the cookie once.
    client.get("/account")
    assert "Set-Cookie" not in client.get("/account").headers
    before = session.execute(select(LoginSession.__table__)).all()
    session.rollback()
    with client.session_transaction("/login") as cookie:
        cookie[SEEN] -= 61
        seen = cookie[SEEN]
    assert "Set-Cookie" in client.get("/account").headers
    with client.session_transaction("/login") as cookie:
        assert cookie[SEEN] >= seen + 61
    assert session.execute(select(LoginSession.__table__)).all() == before


@pytest.mark.parametrize("forged", ["", "x", "eyJfdXNlcl9pZCI6IjEifQ.aaaaaa.bbbbbbbbbbbbbbbb"])
def test_a_forged_cookie_is_nobody(client: FlaskClient, ada: User, forged: str) -> None:
    client.set_cookie("session", forged)
    client.set_cookie("remember_token", "1|" + "0" * 128)
    assert not is_in(client)


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(
    client: FlaskClient, ada: User, send: Send
) -> None:
    done = send(client, "/login", name="Ada", password=PASSWORD)
    cookie = done.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires" not in cookie
    assert "remember_token" not in str(done.headers)


# --- one's own account ----------------------------------------------------------


def test_one_changes_the_password_and_stays_logged_in_here_alone(
    app: Flask, ada: User, log_in: LogIn, send: Send
) -> None:
    here, there = app.test_client(), app.test_client()
    log_in(here, ada)
    log_in(there, ada)
    done = send(here, "/account", current=PASSWORD, new_password=ANOTHER, repeat=ANOTHER)
    assert (done.status_code, done.location) == (302, "/account")
    assert "Your password is changed." in here.get("/account").text
    assert not is_in(there)
    assert send(there, "/login", name="Ada", password=PASSWORD).status_code == 422
    assert send(there, "/login", name="Ada", password=ANOTHER).status_code == 302


@pytest.mark.parametrize(
    ("fields", "beside", "message"),
    [
        ({"current": "wrong"}, "current", "The current password is wrong."),
        ({"new_password": "short", "repeat": "short"}, "new_password", "it needs at least 15"),
        ({"repeat": "something else"}, "repeat", "The two passwords differ."),
    ],
)
def test_a_refused_change_says_beside_which_field(
    client: FlaskClient,
    ada: User,
    log_in: LogIn,
    send: Send,
    fields: dict[str, str],
    beside: str,
    message: str,
) -> None:
    log_in(client, ada)
    form = {"current": PASSWORD, "new_password": ANOTHER, "repeat": ANOTHER, **fields}
    page = send(client, "/account", **form)
    assert page.status_code == 422
    assert f'<p class="error" id="{beside}-note" role="alert">{message}' in page.text.replace(
        "The password has 5 characters; ", ""
    )
    assert PASSWORD not in page.text
    assert ANOTHER not in page.text
    assert is_in(client)


# --- the one-use link -----------------------------------------------------------


@pytest.fixture
def link(session: Session, editor: User) -> str:
    token = accounts.issue_link(session, editor, by=None, at=datetime.now(UTC))
    session.commit()
    return f"/account/link/{token}"


def test_a_link_sets_the_password_once(client: FlaskClient, link: str, send: Send) -> None:
    for _ in range(2):
        page = client.get(link)
        assert page.status_code == 200
        assert "Set a password for Edith" in page.text
    done = send(client, link, new_password=PASSWORD, repeat=PASSWORD)
    assert (done.status_code, done.location) == (302, "/login")
    assert "The password of Edith is set. Log in with it." in client.get("/login").text
    again = send(client, link, new_password=ANOTHER, repeat=ANOTHER)
    assert again.status_code == 404
    assert "This link is used up" in again.text
    assert "This link is used up" in client.get(link).text
    assert send(client, "/login", name="Edith", password=PASSWORD).location == "/admin/"


def test_a_refused_password_leaves_the_link_good(
    client: FlaskClient, link: str, send: Send
) -> None:
    for fields, message in (
        ({"new_password": "aaaaaaaaaaaaaaaa", "repeat": "aaaaaaaaaaaaaaaa"}, "first that are gue"),
        ({"new_password": PASSWORD, "repeat": ANOTHER}, "The two passwords differ."),
    ):
        page = send(client, link, **fields)
        assert page.status_code == 422
        assert message in page.text
        assert fields["new_password"] not in page.text
    assert send(client, link, new_password=PASSWORD, repeat=PASSWORD).status_code == 302


def test_a_link_logs_out_whoever_was_logged_in_here(
    client: FlaskClient, ada: User, log_in: LogIn, link: str, send: Send
) -> None:
    log_in(client, ada)
    send(client, link, new_password=PASSWORD, repeat=PASSWORD)
    assert not is_in(client)


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_secret_of_a_link_does_not_leave_by_referer(
    client: FlaskClient, link: str, csrf: Callable[[FlaskClient], str], method: str
) -> None:
    data = {"csrf_token": csrf(client)} if method == "post" else None
    answer = getattr(client, method)(link, data=data)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


# --- where one goes after the login ---------------------------------------------

# Django's tests of url_has_allowed_host_and_scheme know most of these.
BAD_ADDRESSES = [
    "",
    "http://example.com",
    "http:///example.com",
    "https://example.com",
    "ftp://example.com",
    r"\\example.com",
    r"\\\example.com",
    r"/\\/example.com",
    r"\\\example.com",
    r"\\example.com",
    r"\\//example.com",
    r"/\/example.com",
    r"\/example.com",
    r"/\example.com",
    "http:///example.com",
    r"http:/\//example.com",
    r"http:\/example.com",
    r"http:/\example.com",
    'javascript:alert("XSS")',
    "\njavascript:alert(x)",
    "java\nscript:alert(x)",
    "\x08//example.com",
    r"http://otherserver\@example.com",
    r"http:\\testserver\@example.com",
    r"http://testserver\me:pass@example.com",
    r"http://testserver\@example.com",
    r"http:\\testserver\confirm\me@example.com",
    "http:999999999",
    "ftp:9999999999",
    "\n",
    "http://[2001:cdba:0000:0000:0000:0000:3257:9652/",
    "http://2001:cdba:0000:0000:0000:0000:3257:9652]/",
    "//example.com",
    "///example.com",
    "////example.com",
    "//\\example.com",
    "/\t/example.com",
    "/\n/example.com",
    "/\r\n/example.com",
    "\t//example.com",
    " //example.com",
    "/%09/example.com",
    "/%0a/example.com",
    "/%0D%0ASet-Cookie:x=1",
    "/%5Cexample.com",
    "/%2Fexample.com",
    "/\x00/example.com",
    "/\x85/example.com",
    "%2F%2Fexample.com",
    "%68ttp://example.com",
    "data:text/html,x",
    "vbscript:x",
    "account",
    "./account",
    "?next=//example.com",
    "@example.com",
    "/" + "a" * 3_000,
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_nobody_is_sent_to_another_site(address: str) -> None:
    assert safe_next(address) is None


def test_the_desk_sends_nobody_to_another_site(as_role: AsRole, session: Session) -> None:
    question, desk = make_question(session), as_role(Role.editor)
    user = session.scalars(select(User)).one()
    session.commit()
    page = f"/admin/questions/{question.id}/"
    form = fields_of(desk.get(page).text)

    def discarded(address: str) -> str | None:
        kept = autosaves.keep(
            session, user, question, form_id=new_uid(), version=1, fields=[], at=AT
        )
        session.commit()
        session.expunge(kept)
        data = {"csrf_token": form["csrf_token"], "url": address}
        return desk.post(f"/admin/questions/unsaved/{kept.id}/discard", data=data).location

    for address in [*BAD_ADDRESSES, "http:example.com", "/admin/\nx"]:
        assert desk.get(page, query_string={"url": address}).status_code == 200
        assert discarded(address) == page
    assert discarded("/admin/questions/unsaved/?x=1") == "/admin/questions/unsaved/?x=1"


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/admin/",
        "/admin/questions/?search=C%2B%2B&page=2",
        "/questions/?q=http://example.com/a//b",
        "/questions/what-is-flask#answers",
        "/questions/?q=two words",
        "/questions/überfrage",
        "/a//b",
    ],
)
def test_a_path_of_this_site_is_gone_to(address: str) -> None:
    assert safe_next(address) == address


@pytest.mark.parametrize("address", ["//example.com", "/\\example.com", "https://example.com/x"])
def test_a_login_with_a_bad_address_lands_at_the_desk(
    client: FlaskClient, ada: User, send: Send, address: str
) -> None:
    assert "example.com" not in client.get("/login", query_string={"next": address}).text
    done = send(client, f"/login?next={address}", name="Ada", password=PASSWORD, next=address)
    assert done.location == "/admin/"
    assert client.get("/login", query_string={"next": address}).location == "/admin/"


def test_a_form_that_nobody_may_send_leads_back_to_no_page(client: FlaskClient, send: Send) -> None:
    """Its address may answer to POST alone."""
    assert send(client, "/account").location == "/login"
