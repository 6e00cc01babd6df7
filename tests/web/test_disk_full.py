"""A disk that is full: a clear page, the typed text given back, and nothing half-written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.formats.item import AnswerItem
from cms.vocabulary import Role
from tests.factories import make_published, make_question
from tests.web.pages import submit

resource = pytest.importorskip("resource", reason="this system bounds no files")

LONG = "A sentence that takes room. " * 3_000

AsRole = Callable[[Role | None], FlaskClient]
NoRoom = Callable[[], AbstractContextManager[None]]

sqlite_alone = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def no_room(app: Flask) -> NoRoom:
    """Within it SQLite may take no page that it does not have, as on a full disk."""
    with app.app_context():
        engine = db.engine

    @contextlib.contextmanager
    def full() -> Iterator[None]:
        def bound(connection: Any, *_: object) -> None:
            # One page is fewer than the database has: it stays at those.
            connection.execute("PRAGMA max_page_count = 1")

        event.listen(engine, "checkout", bound)
        try:
            yield
        finally:
            event.remove(engine, "checkout", bound)
            engine.dispose()

    return full


@contextlib.contextmanager
def no_large_files() -> Iterator[None]:
    """Within it no file grows beyond 200 kB: the system refuses as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


@pytest.mark.each_database
@sqlite_alone
def test_text_that_finds_no_room_is_given_back_and_saved_later(
    desk: FlaskClient, session: Session, no_room: NoRoom
) -> None:
    question = make_question(session, body="Short.")
    address = f"/admin/questions/{question.id}/"
    with no_room():
        refused = submit(desk, address, **{"answers[0].body": LONG})
        assert refused.status_code == 503
        assert "The server has no room left to write. Nothing was saved" in refused.text
        assert LONG in refused.text
        assert desk.get(address).status_code == 200
    session.refresh(question)
    assert (question.answers[0].body, question.latest_number) == ("Short.", 1)
    session.commit()
    assert submit(desk, address, **{"answers[0].body": LONG}).status_code == 303
    session.refresh(question)
    assert (question.answers[0].body, question.latest_number) == (LONG.strip(), 2)
    assert session.scalar(text("PRAGMA integrity_check")) == "ok"


@pytest.mark.each_database
@sqlite_alone
def test_a_release_that_finds_no_room_is_none(
    desk: FlaskClient, session: Session, no_room: NoRoom
) -> None:
    question = make_question(session, body=LONG)
    address = f"/admin/questions/{question.id}/publish"
    with no_room():
        assert submit(desk, address, form="/publish").status_code == 503
        assert desk.get(f"/questions/{question.slug}").status_code == 404
        assert desk.get("/api/v1/changes").json["changes"] == []
    assert submit(desk, address, form="/publish").status_code == 303
    assert desk.get(f"/questions/{question.slug}").status_code == 200


def test_an_export_that_finds_no_room_is_refused_and_comes_whole_later(
    client: FlaskClient, session: Session
) -> None:
    make_published(session, context=LONG, answers=[AnswerItem(body=LONG)] * 3)
    with no_large_files():
        refused = client.get("/export/bank.json")
    assert refused.status_code == 503
    assert "The server has no room left to write" in refused.text
    assert refused.headers["Retry-After"] == "10"
    assert LONG.strip() in client.get("/export/bank.json").text
