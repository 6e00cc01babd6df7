"""What the tables and the engines hold to, whatever the code above them does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, InternalError, OperationalError, StatementError
from sqlalchemy.orm import Session

from cms import create_app
from cms.extensions import db, read_engine
from cms.models import Source, User
from cms.models.engine import reading
from cms.vocabulary import Role
from tests.conftest import SECRET, dispose
from tests.factories import AT, make_question


def test_a_source_belongs_to_exactly_one_thing(session: Session) -> None:
    session.add(Source(url="https://example.org"))
    with pytest.raises(IntegrityError, match="one_owner"):
        session.flush()


def test_the_id_of_a_deleted_question_is_never_given_again(session: Session) -> None:
    gone = make_question(session, "Gone?")
    number = gone.id
    session.delete(gone)
    session.commit()
    assert make_question(session, "New?").id > number


def test_times_are_kept_in_utc_and_refused_without_a_zone(session: Session) -> None:
    east = timezone(timedelta(hours=5))
    session.add(User(name="Eve", name_key="eve", role=Role.editor, created_at=AT.astimezone(east)))
    session.commit()
    [read] = session.scalars(select(User.created_at))
    assert (read, read.tzinfo) == (AT, UTC)
    session.add(
        User(name="Naive", name_key="naive", role=Role.editor, created_at=datetime(2026, 1, 1))
    )
    with pytest.raises(StatementError, match="without a zone"):
        session.flush()


def test_a_page_view_never_waits_for_a_running_import(app: Flask) -> None:
    """On SQLite a reader inside `reading()` takes no write lock."""
    with app.app_context(), db.engine.begin() as writing:
        writing.execute(text("UPDATE release_counter SET number = 7"))
        with reading(), db.engine.connect() as connection:
            assert connection.scalar(text("SELECT number FROM release_counter")) == 0


def test_the_public_sides_engine_refuses_to_write(app: Flask) -> None:
    with (
        app.app_context(),
        read_engine().connect() as connection,
        pytest.raises((OperationalError, InternalError), match=r"readonly|read-only"),
    ):
        connection.execute(text("UPDATE release_counter SET number = 7"))


def test_sqlite_waits_for_the_disk_and_holds_its_foreign_keys(sqlite_template: Path) -> None:
    """As a bank is served; the apps of other tests do not wait."""
    app = create_app({"DATABASE_URL": f"sqlite:///{sqlite_template}", "SECRET_KEY": SECRET})
    with app.app_context(), db.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "foreign_keys", "journal_mode", "busy_timeout")
        }
    dispose(app)
    assert found == {
        "synchronous": 2,
        "foreign_keys": 1,
        "journal_mode": "wal",
        "busy_timeout": 20_000,
    }
