"""Browsers of every role: `as_role(Role.editor)`, `csrf(client)`, `send(client, address, …)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from cms.extensions import db
from cms.models import User
from cms.services import accounts, logins
from cms.vocabulary import Role
from cms.web.auth import SEEN, TOKEN
from tests.conftest import add_person, session_beside

LogIn = Callable[[FlaskClient, User], None]
AsRole = Callable[[Role | None], FlaskClient]
Csrf = Callable[[FlaskClient], str]
Send = Callable[..., TestResponse]


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    with session_beside(app) as session:
        yield session


@pytest.fixture
def log_in(app: Flask) -> LogIn:
    """Log a user in without the price of argon2: `log_in(client, user)`."""

    def enter(client: FlaskClient, user: User) -> None:
        now = datetime.now(UTC)
        with app.app_context(), Session(db.engine) as session:
            token = logins.start_session(session, user, at=now)
            session.commit()
        # A public address, which is the default, would leave the cookie alone.
        with client.session_transaction("/login") as cookie:
            cookie[TOKEN] = token
            cookie[SEEN] = int(now.timestamp())

    return enter


@pytest.fixture
def as_role(app: Flask, session: Session, log_in: LogIn) -> AsRole:
    """Return a new browser: of an account with this role, or of nobody (None)."""

    def browser(role: Role | None) -> FlaskClient:
        client = app.test_client()
        if role is not None:
            name = f"The {role.value}"
            user = session.scalar(select(User).where(User.name == name))
            user = user or accounts.add_user(session, name, role, by=None, at=datetime.now(UTC))
            session.commit()
            log_in(client, user)
        return client

    return browser


@pytest.fixture
def ada(session: Session) -> User:
    """An administrator whose password is `PASSWORD`."""
    return add_person(session, "Ada", Role.admin)


@pytest.fixture
def csrf() -> Csrf:
    """Return a valid CSRF token of a browser, from a page that holds a form."""

    def token(client: FlaskClient) -> str:
        page = client.get("/account", follow_redirects=True).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, "no form on the page"
        return found[1]

    return token


@pytest.fixture
def send(csrf: Csrf) -> Send:
    """POST a form with its CSRF token: `send(client, "/login", name="Ada", password="…")`."""

    def post(client: FlaskClient, address: str, **fields: str) -> TestResponse:
        return client.post(address, data={"csrf_token": csrf(client), **fields})

    return post
