"""A backup: one moment of the bank, however much is written meanwhile, on either database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Base, Question
from cms.services.backups.backing_up import back_up
from cms.services.backups.checking import check_file, checked
from cms.services.backups.restoring import NOT_RESTORED, restore
from cms.services.purging import purge
from tests.conftest import ROOT, SECRET, app_on, empty_bank
from tests.factories import AT, make_asset, make_bank, make_published, make_question
from tests.services.backups.bench import TODAY, Bench, exported, shelf

COPIES = 3


@pytest.fixture
def bench(app: Flask, session: Session, tmp_path: Path, sqlite_template: Path) -> Bench:
    """A bank of its own with a backup's place beside it."""
    return Bench(app, session, tmp_path, sqlite_template)


def everything(file: Path, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """All rows of a backup, table by table, and the ids that each table gave."""
    tables = [table.name for table in Base.metadata.sorted_tables if table.name not in without]
    with closing(sqlite3.connect(file)) as connection:
        found: dict[str, Any] = {
            name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall()
            for name in tables
        }
        given = connection.execute("SELECT name, seq FROM sqlite_sequence WHERE seq > 0").fetchall()
    return found | {"sqlite_sequence": sorted(given)}


def test_every_copy_under_two_writers_is_whole_and_of_one_release(
    bench: Bench, database_url: str
) -> None:
    environment = os.environ | {
        "CMS_DATABASE_URL": database_url,
        "CMS_SECRET_KEY": SECRET,
        "PYTHONPATH": str(ROOT),
    }
    writers = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "tests/services/backups/writer.py"), name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
    releases: list[int] = []
    end = time.monotonic() + 60
    while len(set(releases)) < COPIES:
        assert time.monotonic() < end, "nothing was written while copies were made"
        bench.back_up()
        assert check_file(bench.file, bench.migrations) == bench.migrations.head
        releases.append(_consistent_release(bench.file))
    counts = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    assert min(counts) > 0
    assert releases == sorted(releases)
    bench.back_up()
    assert _consistent_release(bench.file) == sum(counts)


def _consistent_release(file: Path) -> int:
    """The release of a copy, in which each release published one question."""
    with closing(sqlite3.connect(file)) as connection:

        def number(statement: str) -> int:
            found: int = connection.execute(statement).fetchone()[0]
            return found

        release = number("SELECT number FROM release_counter")
        for statement in (
            "SELECT coalesce(max(number), 0) FROM release",
            "SELECT count(*) FROM release",
            "SELECT count(*) FROM change",
            "SELECT count(*) FROM question",
            "SELECT count(*) FROM revision",
            "SELECT count(*) FROM publication",
            "SELECT count(*) FROM publication_search",
            "SELECT count(*) FROM audit_event WHERE action = 'question.publish'",
        ):
            assert number(statement) == release, statement
    return release


def test_a_bank_goes_from_one_database_to_the_other_and_back_without_losing_a_row(
    request: pytest.FixtureRequest, bench: Bench, database_url: str
) -> None:
    make_bank(bench.session)
    make_asset(bench.session)
    gone = make_question(bench.session, "Deleted?")
    bench.session.delete(gone)
    bench.back_up()
    before = exported(bench.session)
    kind = "postgresql" if database_url.startswith("sqlite") else "sqlite"
    with empty_bank(request, kind) as url, app_on(url) as app, app.app_context():
        with checked(bench.file, bench.migrations) as backup:
            restore(db.engine, backup, at=TODAY)
        with Session(db.engine) as session:
            assert exported(session) == before
            # Its ids go on where those of the other database were.
            last = session.scalar(select(Question.id).order_by(Question.id.desc()))
            assert last is not None
            home = bench.folder / "home.db"
            back_up(db.engine, home, bench.migrations)
            assert make_published(session, "After that?").id == last + 2
    first, second = (everything(file, without=NOT_RESTORED) for file in (bench.file, home))
    told = second["audit_event"].pop()
    assert "bank.restore" in told
    assert second == first


def questions(session: Session) -> list[dict[str, Any]]:
    """What is public, whatever its release; a text of that version says nothing of options."""
    return [{"options": []} | each | {"release": None} for each in shelf(session)["questions"]]


def test_a_backup_of_an_earlier_version_is_made_and_brought_up(bench: Bench, app: Flask) -> None:
    revision = "0001"
    make_bank(bench.session)
    bench.session.close()
    with app.app_context():
        flask_migrate.downgrade(revision=revision)
        bench.back_up()
        flask_migrate.upgrade()
    # What the earlier version cannot hold is not there any more.
    before = questions(bench.session)
    assert check_file(bench.file, bench.migrations) == revision
    was = bench.file.read_bytes()
    with checked(bench.file, bench.migrations) as backup:
        assert backup.made_at == revision
        restore(bench.engine, backup, at=TODAY)
    assert bench.file.read_bytes() == was
    assert questions(bench.session) == before
    assert bench.session.scalar(select(Question.stem).order_by(Question.id.desc())) == "A draft?"


def test_a_text_that_was_purged_is_in_no_backup_made_after_that(bench: Bench) -> None:
    question = make_published(bench.session, body="It is Rumpelstiltskin.")
    bench.back_up()
    assert b"It is Rumpel" in bench.file.read_bytes()
    purge(bench.session, question, reason="A wish.", by=None, at=AT)
    bench.back_up()
    assert b"It is Rumpel" not in bench.file.read_bytes()


def test_a_copy_needs_no_other_file(bench: Bench) -> None:
    make_bank(bench.session)
    bench.back_up()
    assert [path.name for path in bench.folder.iterdir()] == ["bank.db"]
    bench.file.chmod(0o400)
    uri = f"file:{bench.file}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT count(*) FROM question").fetchone() == (4,)
