"""Backup and restore as operators run them: the drill, and every refusal."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, func, make_url, select, text
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Question
from cms.vocabulary import Role
from tests.conftest import PASSWORD, ROOT, SECRET, add_person, app_on, empty_bank
from tests.factories import empty, make_bank, make_published
from tests.web.pages import fields_of

Run = Callable[..., Result]
EXPORTS = ["json", "jsonl", "csv", "md.zip", "apkg"]


def log_in(client: FlaskClient, name: str) -> int:
    form = fields_of(client.get("/login").text, "/login")
    sent = form | {"name": name, "password": PASSWORD}
    client.post("/login", data=sent)
    return client.get("/account").status_code


def exports(client: FlaskClient) -> dict[str, bytes]:
    found = {name: client.get(f"/export/bank.{name}") for name in EXPORTS}
    assert {response.status_code for response in found.values()} == {200}
    return {name: response.data for name, response in found.items()}


@pytest.mark.each_database
def test_the_drill(
    app: Flask, client: FlaskClient, run: Run, session: Session, tmp_path: Path
) -> None:
    """Import and publish, back up, lose everything, restore: the bank is as it was."""
    file = tmp_path / "bank.db"
    assert run("import", str(ROOT / "fixtures" / "flask"), "--publish").exit_code == 0
    add_person(session, "Ada", Role.admin)
    assert log_in(client, "Ada") == 200
    before = exports(client)
    made = run("backup", str(file))
    assert made.exit_code == 0, made.output
    assert "40 questions, release 1" in made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["bank.db"]

    empty(session)
    assert client.get("/account").status_code == 302
    done = run("restore", str(file))
    assert done.exit_code == 0, done.output
    assert "The bank is at release 1." in done.output
    assert exports(client) == before
    # The cookie of then is dead, and the password works.
    assert client.get("/account").status_code == 302
    assert log_in(client, "Ada") == 200
    assert client.get("/questions/?q=blueprint").status_code == 200


# --- what a backup refuses ---------------------------------------------------------------


def test_a_file_that_is_there_is_kept_unless_it_is_to_be_overwritten(
    run: Run, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "bank.db"
    file.write_text("precious")
    refused = run("backup", str(file))
    assert refused.exit_code == 1
    assert "is there already. Name another file, or overwrite it by --force." in refused.output
    assert file.read_text() == "precious"
    assert run("backup", str(file), "--force").exit_code == 0
    assert file.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("nowhere/bank.db", "There is no folder "),
        (".", "is a folder. Name a file in it."),
        pytest.param(
            "/proc/bank.db",
            "/proc/bank.db cannot be written (",
            marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux has a /proc"),
        ),
    ],
)
def test_a_place_where_no_backup_can_be_is_refused(
    run: Run, tmp_path: Path, place: str, problem: str
) -> None:
    refused = run("backup", str(tmp_path / place))
    assert refused.exit_code == 1
    assert problem in refused.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.each_database
def test_a_full_disk_leaves_nothing_behind(run: Run, session: Session, tmp_path: Path) -> None:
    make_published(session)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        refused = run("backup", str(tmp_path / "bank.db"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.exit_code == 1
    assert "bank.db cannot be written (" in refused.output
    assert "Nothing was left behind: make room" in refused.output
    assert list(tmp_path.iterdir()) == []


def test_the_bank_itself_is_neither_overwritten_nor_restored_from(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    with empty_bank(request, "sqlite") as url, app_on(url) as app:
        bank = make_url(url).database or ""
        link.symlink_to(bank)
        runner = app.test_cli_runner()
        for words in (["backup", "--force", bank], ["backup", "--force", str(link)]):
            assert "is the bank itself. Name another file." in runner.invoke(args=words).output
        refused = runner.invoke(args=["restore", str(link), "--yes"])
        assert "is the bank itself. Name a backup of it." in refused.output


@pytest.mark.each_database
def test_without_a_bank_there_is_nothing_to_back_up(
    app: Flask, run: Run, database_url: str, tmp_path: Path
) -> None:
    engine = create_engine(database_url)
    if database_url.startswith("sqlite"):
        Path(engine.url.database or "").unlink()
    else:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()
    refused = run("backup", str(tmp_path / "bank.db"))
    assert refused.exit_code == 1
    assert "so there is nothing to back up." in refused.output
    assert list(tmp_path.iterdir()) == []


# --- what a restore refuses ---------------------------------------------------------------


def damage(file: Path) -> None:
    """Write over the middle of a file."""
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2 // 4096 * 4096)
        opened.write(b"\xff" * 4096)


def changed(statement: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(statement)

    return change


@pytest.fixture(scope="module")
def good_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a small bank."""
    file = tmp_path_factory.mktemp("backup") / "bank.db"
    with empty_bank(request, "sqlite") as url, app_on(url) as app:
        with app.app_context(), Session(db.engine) as session:
            make_bank(session)
        assert app.test_cli_runner().invoke(args=["backup", str(file)]).exit_code == 0
    return file


SPOILED: list[tuple[str, Callable[[Path], object], str]] = [
    ("gone", Path.unlink, "there is no such file."),
    ("text", lambda file: file.write_text('{"format": "question-bank"}'), "it is no SQLite file"),
    ("empty", lambda file: file.write_bytes(b""), "it is no SQLite file"),
    ("damaged", damage, "it is damaged ("),
    ("cut", lambda file: os.truncate(file, file.stat().st_size // 2), "it is damaged ("),
    ("other", changed("DROP TABLE question"), "it holds no bank."),
    (
        "dangling",
        changed("PRAGMA foreign_keys = OFF; UPDATE answer SET question_id = 999"),
        "it is damaged (a row of 'answer' names one of 'question' that is not there)",
    ),
    (
        "newer",
        changed("UPDATE alembic_version SET version_num = '9999'"),
        "a newer version of this program made it (migration 9999;",
    ),
    (
        "other_columns",
        changed("ALTER TABLE asset DROP COLUMN alt"),
        "its table 'asset' has no 'alt'",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "problem"), [pytest.param(*each[1:], id=each[0]) for each in SPOILED]
)
def test_a_file_that_is_no_good_backup_is_refused_before_anything_is_touched(
    run: Run,
    session: Session,
    client: FlaskClient,
    tmp_path: Path,
    good_file: Path,
    spoil: Callable[[Path], object],
    problem: str,
) -> None:
    file = tmp_path / "bank.db"
    shutil.copy(good_file, file)
    spoil(file)
    make_published(session)
    before = client.get("/export/bank.json").data
    refused = run("restore", str(file), "--yes")
    assert refused.exit_code == 1
    assert problem in refused.output
    assert client.get("/export/bank.json").data == before
    assert {path.name for path in tmp_path.iterdir()} <= {"bank.db"}


def test_a_folder_is_no_backup(run: Run, tmp_path: Path) -> None:
    assert "it cannot be read (Is a directory)." in run("restore", str(tmp_path)).output


def test_nothing_is_replaced_for_good_without_a_yes(
    run: Run, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "bank.db"
    make_published(session)
    assert run("backup", str(file)).exit_code == 0
    make_published(session, "Another?")
    refused = run("restore", str(file), "--no-safety-copy")
    assert refused.exit_code == 1
    assert "What is there now is NOT kept." in refused.output
    assert "there is no terminal to ask for a yes. Give --yes" in refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["bank.db"]
    both = run("restore", str(file), "--no-safety-copy", "--safety-copy", "x.db")
    assert "exclude each other" in both.output
    taken = run("restore", str(file), "--yes", "--safety-copy", str(file))
    assert "is there already. Name another file by --safety-copy." in taken.output
    # Where nothing is lost, a script need not say yes.
    asked = run("restore", str(file))
    assert asked.exit_code == 0
    assert "2 questions, release 2 of 2026-11-22 10:00 UTC" in asked.output
    assert "  1 question, release 1 of 2026-11-22 10:00 UTC" in asked.output
    assert "Readers get release 3, in which every question counts as changed." in asked.output
    assert f"What is there now is kept in {file}.before-" in asked.output
    kept, _ = sorted(tmp_path.glob("bank.db*"), reverse=True)
    assert run("restore", str(kept)).exit_code == 0
    session.expire_all()
    assert session.scalar(select(func.count()).select_from(Question)) == 2


@pytest.mark.parametrize(("answer", "left"), [("n", 2), ("y", 1)])
def test_who_sits_at_a_terminal_is_asked(
    run: Run,
    app: Flask,
    session: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    left: int,
) -> None:
    file = tmp_path / "bank.db"
    make_published(session)
    run("backup", str(file))
    make_published(session, "Another?")
    monkeypatch.setattr("cms.cli.backups._is_terminal", lambda: True)
    words = ["restore", str(file), "--no-safety-copy"]
    done = app.test_cli_runner().invoke(args=words, input=f"{answer}\n")
    assert "Replace it? [y/N]" in done.output
    assert done.exit_code == (0 if answer == "y" else 1)
    assert session.scalar(select(func.count()).select_from(Question)) == left


def test_what_is_replaced_is_kept_and_can_be_brought_back(
    run: Run, session: Session, client: FlaskClient, tmp_path: Path
) -> None:
    file, kept = tmp_path / "bank.db", tmp_path / "kept.db"
    make_published(session)
    run("backup", str(file))
    make_published(session, "Another?")
    assert run("restore", str(file), "--yes").exit_code == 0
    beside = [path for path in tmp_path.iterdir() if path != file]
    assert [path.name.startswith("bank.db.before-") for path in beside] == [True]
    assert stat.S_IMODE(beside[0].stat().st_mode) == 0o600

    def stems() -> list[str]:
        document = json.loads(client.get("/export/bank.json").data)
        return [question["stem"] for question in document["questions"]]

    assert stems() == ["What is a view?"]
    again = run("restore", str(beside[0]), "--yes", "--safety-copy", str(kept))
    assert again.exit_code == 0
    assert "The bank is at release 4." in again.output
    assert f"Wrote {kept}: 1 question, release 3" in again.output
    assert stems() == ["What is a view?", "Another?"]


def test_a_safety_copy_that_cannot_be_made_stops_the_restore(
    run: Run, session: Session, client: FlaskClient, tmp_path: Path
) -> None:
    file = tmp_path / "bank.db"
    make_published(session)
    run("backup", str(file))
    make_published(session, "Another?")
    before = client.get("/export/bank.json").data
    refused = run("restore", str(file), "--yes", "--safety-copy", str(tmp_path / "no" / "x.db"))
    assert refused.exit_code == 1
    assert "There is no folder" in refused.output
    assert client.get("/export/bank.json").data == before


@pytest.mark.each_database
def test_a_value_that_the_database_refuses_leaves_the_bank_as_it_was(
    run: Run, session: Session, client: FlaskClient, tmp_path: Path, good_file: Path
) -> None:
    """SQLite takes what is longer than its column; PostgreSQL does not."""
    file = tmp_path / "bank.db"
    shutil.copy(good_file, file)
    changed(f"INSERT INTO slug_redirect VALUES ('tag', '{'x' * 200}', 'y')")(file)
    make_published(session, "Another?")
    before = client.get("/export/bank.json").data
    done = run("restore", str(file), "--yes", "--no-safety-copy")
    if session.get_bind().dialect.name == "sqlite":
        assert done.exit_code == 0
        return
    assert done.exit_code == 1
    assert "The database does not take the backup: value too long" in done.output
    assert "Nothing was changed: the bank is as it was." in done.output
    assert client.get("/export/bank.json").data == before


@pytest.mark.each_database
def test_a_bank_that_somebody_writes_is_left_alone(
    app: Flask, run: Run, session: Session, good_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_published(session)
    monkeypatch.setattr("cms.services.backups.restoring.LOCK_SECONDS", 1)
    monkeypatch.setattr("cms.models.engine.BUSY_TIMEOUT", 1_000)
    with app.app_context():
        db.engine.dispose()
    session.execute(text("UPDATE release_counter SET number = number"))
    refused = run("restore", str(good_file), "--yes", "--no-safety-copy")
    session.rollback()
    assert refused.exit_code == 1
    assert "Somebody has been writing to the bank for 1 seconds" in refused.output
    assert "Nothing was changed." in refused.output


KILLED = """
import os, signal, sys
from cms import create_app
from cms.services.backups import rows
put = rows.put
def put_and_die(connection, table, *rest):
    put(connection, table, *rest)
    if table == "publication_tag":
        os.kill(os.getpid(), signal.SIGKILL)
rows.put = put_and_die
words = ["restore", sys.argv[1], "--yes", "--no-safety-copy"]
create_app().test_cli_runner().invoke(args=words)
"""


@pytest.mark.each_database
def test_a_restore_that_is_killed_in_the_middle_leaves_the_bank_as_it_was(
    run: Run, session: Session, client: FlaskClient, good_file: Path, database_url: str
) -> None:
    file = good_file
    make_published(session, "Another?", tags=["late"])
    before = client.get("/export/bank.json").data
    environment = os.environ | {"CMS_DATABASE_URL": database_url, "CMS_SECRET_KEY": SECRET}
    command = [sys.executable, "-c", KILLED, str(file)]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert client.get("/export/bank.json").data == before
    assert b'"/questions/another"' in client.get("/questions/?q=another").data
    # The next one gets through.
    assert run("restore", str(file), "--yes", "--no-safety-copy").exit_code == 0
    assert b"Another?" not in client.get("/export/bank.json").data


@pytest.mark.each_database
def test_a_restore_makes_the_tables_where_there_are_none(
    app: Flask, run: Run, session: Session, client: FlaskClient, database_url: str, good_file: Path
) -> None:
    if database_url.startswith("sqlite"):
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()
        bank = Path(make_url(database_url).database or "")
        for ending in ("", "-wal", "-shm"):
            Path(f"{bank}{ending}").unlink(missing_ok=True)
    else:
        session.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        session.commit()
    done = run("restore", str(good_file))
    assert done.exit_code == 0, done.output
    assert len(json.loads(client.get("/export/bank.json").data)["questions"]) == 3
