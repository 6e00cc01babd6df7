"""Attempts that are counted in the server's process leave the bank alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Correction, LoginAttempt, User
from cms.services import intake
from cms.vocabulary import Role
from tests.conftest import PASSWORD, add_person, dispose, new_app
from tests.factories import make_published
from tests.web.conftest import Send
from tests.web.pages import fields_of
from tests.web.test_intake import WRONG


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app = new_app(database_url, TESTING=True, RATELIMIT_STORAGE="memory", PUBLIC_CORRECTIONS=True)
    yield app
    dispose(app)


@pytest.fixture
def ada(session: Session) -> User:
    return add_person(session, "Ada", Role.editor)


def written(session: Session) -> int:
    count = session.scalar(select(func.count(LoginAttempt.id)))
    session.rollback()
    return count or 0


def test_guesses_are_refused_after_ten_though_somebody_holds_the_database(
    app: Flask, client: FlaskClient, ada: User, send: Send, session: Session
) -> None:
    """As an import does; of a log-in, the attempt alone would have waited for it."""
    with app.app_context(), db.engine.begin() as writing:
        writing.execute(text("UPDATE release_counter SET number = number"))
        guesses = [send(client, "/login", name="Ada", password="wrong") for _ in range(10)]
        refused = send(client, "/login", name="Ada", password=PASSWORD)
    assert {page.status_code for page in guesses} == {422}
    assert refused.status_code == 429
    assert "Too many log-ins failed. Wait 5 minutes" in refused.text
    assert written(session) == 0


def test_a_log_in_takes_its_attempt_back(
    app: Flask, ada: User, send: Send, session: Session
) -> None:
    for _ in range(12):
        done = send(app.test_client(), "/login", name="Ada", password=PASSWORD)
        assert done.status_code == 302
    assert written(session) == 0


def test_a_report_that_is_refused_does_not_count_and_one_too_many_files_nothing(
    client: FlaskClient, session: Session
) -> None:
    address = f"/questions/{make_published(session).slug}/correct"
    session.commit()

    def report(**fields: str) -> int:
        form = fields_of(client.get(address).text, "report") | WRONG
        return client.post(address, data=form | fields).status_code

    times = intake.FROM_ADDRESS.times
    assert [report(where="body:x") for _ in range(times)] == [200] * times
    assert [report(claim=f"Claim {n}") for n in range(times)] == [303] * times
    assert report(claim="One too many") == 429
    assert session.scalar(select(func.count(Correction.id))) == times
    assert written(session) == 0


def test_several_processes_that_would_each_count_are_not_served(app: Flask) -> None:
    refused = app.test_cli_runner().invoke(args=["serve", "--workers", "2", "--port", "1"])
    assert refused.exit_code == 1
    assert "--workers 2 would let 2 times as many pass. Serve with one worker" in refused.stderr
    # One is: what is at fault then is the port.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        alone = app.test_cli_runner().invoke(args=["serve", "--port", port])
    assert f"Nothing can be served on 127.0.0.1:{port}" in alone.stderr
