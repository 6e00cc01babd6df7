"""The doctor: a row for each thing, what to do, and no secret; also where nothing starts."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flask_migrate
import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from cms.cli.doctor import doctor_command, examine
from cms.extensions import db
from cms.services import accounts, checkup
from cms.services.checkup import Finding, State, look_at_folder, look_at_version
from cms.services.jobs import enqueue
from cms.vocabulary import JobState, Role
from tests.conftest import SECRET, add_person
from tests.factories import AT, make_published


def found(instance: Path, **settings: str) -> dict[str, Finding]:
    """What the doctor finds with these variables, by row."""
    environ = {f"CMS_{name}": value for name, value in settings.items()}
    return {each.what: each for each in examine(environ, instance)}


def states(rows: dict[str, Finding]) -> dict[str, str]:
    return {what: each.state.value for what, each in rows.items() if each.state != State.ok}


@pytest.mark.each_database
def test_a_bank_in_order_has_no_fault(
    session: Session, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person(session, "Ada", Role.admin)
    make_published(session)
    rows = found(
        tmp_path,
        DATABASE_URL=database_url,
        READ_DATABASE_URL=database_url,
        SECRET_KEY=SECRET,
        RATELIMIT_STORAGE="Memory",
        SITE_NAME="memory",
    )
    assert states(rows) == {}
    assert rows["migrations"].found.endswith("the newest")
    assert rows["accounts"].found == "1 in all, active administrators: 1"
    assert rows["read database"].found == "at release 1, like the bank"
    assert rows["CMS_SECRET_KEY"].found == "set, and long enough"
    assert rows["CMS_RATELIMIT_STORAGE"].found.startswith("memory: counted in one server process")
    assert rows["CMS_SITE_NAME"].found == "memory"
    for name, value in {"DATABASE_URL": database_url, "SECRET_KEY": SECRET}.items():
        monkeypatch.setenv(f"CMS_{name}", value)
    done = CliRunner().invoke(doctor_command)
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output
    assert f"\n{'database'}\tok\t" in done.output


def test_a_configuration_that_stops_the_start_is_told_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "DATABASE_URL": "mysql://ada:geheim@db/bank",
        "SECRET_KEY": "short",
        "PROXIES": "two",
        "RATELIMIT_STORAGE": "redis://localhost",
        "BASE_ULR": "https://bank.example.org",
    }
    rows = found(tmp_path, **wrong)
    assert states(rows) == {
        "CMS_DATABASE_URL": "fault",
        "CMS_SECRET_KEY": "fault",
        "CMS_PROXIES": "fault",
        "CMS_RATELIMIT_STORAGE": "fault",
        "CMS_BASE_ULR": "warning",
        "database": "fault",
    }
    assert "it has to be a whole number" in rows["CMS_PROXIES"].found
    assert "it has to be 'database' or 'memory'" in rows["CMS_RATELIMIT_STORAGE"].found
    assert rows["CMS_BASE_ULR"].remedy == "Is CMS_BASE_URL meant?"
    assert rows["database"].remedy == "Mend CMS_DATABASE_URL first."
    for name, value in wrong.items():
        monkeypatch.setenv(f"CMS_{name}", value)
    done = CliRunner().invoke(doctor_command)
    assert done.exit_code == 1
    assert "mysql://ada:***@db/bank" in done.output
    assert "geheim" not in done.output
    assert "short'" not in done.output


ADDRESSES = [
    ({}, "ok", "unset: no canonical links"),
    ({"BASE_URL": "http://localhost:8000"}, "ok", "http://localhost:8000"),
    ({"BASE_URL": "http://bank.example.org"}, "warning", "passwords and cookies can be read"),
    ({"BASE_URL": "https://bank.example.org"}, "warning", "CMS_PROXIES is 0"),
    ({"BASE_URL": "https://bank.example.org", "PROXIES": "1"}, "ok", "https://bank.example.org"),
]


@pytest.mark.parametrize(("settings", "state", "words"), ADDRESSES)
def test_the_public_address_is_looked_at(
    tmp_path: Path, settings: dict[str, str], state: str, words: str
) -> None:
    row = found(tmp_path, **settings)["CMS_BASE_URL"]
    assert row.state == state
    assert words in row.found


@pytest.mark.parametrize(
    ("hosts", "state"),
    [("bank.example.org", "ok"), (".example.org, localhost", "ok"), ("example.com", "fault")],
)
def test_hosts_have_to_fit_the_address(tmp_path: Path, hosts: str, state: str) -> None:
    rows = found(tmp_path, BASE_URL="https://bank.example.org", PROXIES="1", TRUSTED_HOSTS=hosts)
    assert rows["CMS_TRUSTED_HOSTS"].state == state
    if state == "fault":
        assert rows["CMS_TRUSTED_HOSTS"].remedy == "Add bank.example.org."


@pytest.mark.parametrize(
    ("content", "mode", "state", "words"),
    [
        (None, 0, "ok", "made at the first start"),
        (SECRET, 0o600, "ok", "mode 600"),
        (SECRET, 0o644, "warning", "(mode 644)"),
        ("", 0o600, "fault", "holds no key"),
    ],
)
def test_the_secret_key_is_for_its_owner_alone(
    tmp_path: Path, content: str | None, mode: int, state: str, words: str
) -> None:
    path = tmp_path / "secret_key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    row = found(tmp_path)["secret key"]
    assert row.state == state
    assert words in row.found
    if state == "warning":
        assert row.remedy == f"chmod 600 {path}"


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("3.6.23", "ok"),
        ("3.7.0", "warning"),
        ("3.40.1", "warning"),
        ("3.51.2", "warning"),
        ("3.51.3", "ok"),
        ("3.53.4", "ok"),
    ],
)
def test_a_sqlite_that_can_corrupt_a_bank_is_a_warning(version: str, state: str) -> None:
    row = look_at_version(version)
    assert row.state == state
    assert ("pysqlite3" in row.remedy) == (state == "warning")


def test_a_warning_alone_is_no_failure(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old SQLite, and nobody with an account yet."""
    monkeypatch.setattr(checkup, "SQLITE_VERSION", "3.40.1")
    monkeypatch.setenv("CMS_DATABASE_URL", database_url)
    monkeypatch.setenv("CMS_SECRET_KEY", SECRET)
    done = CliRunner().invoke(doctor_command)
    assert done.exit_code == 0
    assert "accounts\twarning\tnone yet\tMake the first: python manage.py init" in done.output
    assert ("3.40.1 can corrupt a bank" in done.output) == database_url.startswith("sqlite")


# --- databases ----------------------------------------------------------------------------


def test_an_sqlite_bank_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file, missing = tmp_path / "bank.db", tmp_path / "no" / "bank.db"
    row = found(tmp_path, DATABASE_URL=f"sqlite:///{file}")["database"]
    assert (row.state, row.remedy) == ("fault", "Make a bank: python manage.py init")
    assert not file.exists()
    assert (
        "there is no folder"
        in found(tmp_path, DATABASE_URL=f"sqlite:///{missing}")["database"].found
    )


def test_a_relative_address_is_below_the_instance_as_it_is_to_the_application(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "mine.db")
    rows = found(tmp_path, DATABASE_URL="sqlite:///mine.db", READ_DATABASE_URL="sqlite:///mine.db")
    assert rows["migrations"].state == "ok"
    assert rows["read database"].state == "ok"


def test_a_damaged_bank_and_what_is_none_are_told_apart(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "bank.db"
    file.write_text("no database at all, but long enough to look like a header of one")
    rows = found(tmp_path, DATABASE_URL=f"sqlite:///{file}")
    assert "file is not a database" in rows["database"].found
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE something (id)")
    rows = found(tmp_path, DATABASE_URL=f"sqlite:///{file}")
    assert rows["migrations"].remedy == "Make one: python manage.py init"
    assert rows["journal"].state == "warning"


def test_rows_that_cannot_be_read_are_a_fault(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file = tmp_path / "bank.db"
    shutil.copy(request.getfixturevalue("sqlite_template"), file)
    with closing(sqlite3.connect(file)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'question'"
        ).fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xff" * 64)
    row = found(tmp_path, DATABASE_URL=f"sqlite:///{file}")["integrity"]
    assert row.state == "fault"
    assert row.found.startswith("damaged: ")
    assert "python manage.py restore FILE" in row.remedy


def test_a_large_bank_is_looked_through_for_a_bounded_time(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = request.getfixturevalue("sqlite_template")
    monkeypatch.setattr(checkup, "CHECK_SECONDS", -1.0)
    monkeypatch.setattr(checkup, "_STEPS", 1)
    rows = found(tmp_path, DATABASE_URL=f"sqlite:///{template}")
    assert "not all looked at" in rows["integrity"].found
    assert rows["migrations"].state == "ok"


def test_a_server_that_does_not_answer_is_a_fault_with_its_words(tmp_path: Path) -> None:
    row = found(tmp_path, DATABASE_URL="postgresql://ada:geheim@127.0.0.1:1/bank")["database"]
    assert row.state == "fault"
    assert "postgresql://ada:***@127.0.0.1:1/bank cannot be used: connection failed" in row.found
    assert "Is it running" in row.remedy
    replica = found(tmp_path, READ_DATABASE_URL="postgresql://127.0.0.1:1/bank")["read database"]
    assert (replica.state, replica.remedy) == ("fault", "Look at CMS_READ_DATABASE_URL.")


@pytest.mark.each_database
def test_migrations_of_another_version_are_a_fault(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="0005")
        older = found(tmp_path, DATABASE_URL=database_url)["migrations"]
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = found(tmp_path, DATABASE_URL=database_url)["migrations"]
    assert (older.state, older.remedy) == ("fault", "Run python manage.py db upgrade")
    assert newer.found == "9999, of a newer version of this program"
    assert newer.remedy == "Update the program to that version."


def test_a_replica_that_is_behind_is_a_warning(
    session: Session, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    make_published(session)
    replica = request.getfixturevalue("sqlite_template")
    rows = found(tmp_path, DATABASE_URL=database_url, READ_DATABASE_URL=f"sqlite:///{replica}")
    assert rows["read database"].state == "warning"
    assert rows["read database"].found == "at release 0, the bank at 1"


# --- the bank -----------------------------------------------------------------------------


def test_somebody_has_to_be_able_to_administer(
    session: Session, database_url: str, tmp_path: Path
) -> None:
    def row() -> Finding:
        session.commit()
        return found(tmp_path, DATABASE_URL=database_url)["accounts"]

    accounts.add_user(session, "Edith", Role.editor, by=None, at=AT)
    assert row().remedy == "Make one: python manage.py user add NAME --role admin"
    accounts.add_user(session, "Grace", Role.admin, by=None, at=AT)
    assert row().remedy == "Make a link that sets one: python manage.py user reset NAME"
    add_person(session, "Ada", Role.admin)
    assert row().state == "ok"


def test_jobs_that_nobody_does_are_told(
    session: Session, database_url: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)

    def rows() -> tuple[Finding, Finding]:
        session.commit()
        rows = found(tmp_path, DATABASE_URL=database_url)
        return rows["jobs"], rows["worker"]

    enqueue(session, "late", {}, by=None, at=now, run_at=now + timedelta(days=1))
    assert rows()[1].found == "nothing waits for one"
    job = enqueue(session, "due", {}, by=None, at=now - timedelta(hours=3, minutes=5))
    jobs, worker = rows()
    assert jobs.found == "1 waiting, 0 running, 1 for later"
    assert worker.state == "warning"
    assert worker.found == "the oldest job has waited for 3 hours, and nobody is at work"
    job.state, job.lease_until = JobState.running, now + timedelta(minutes=1)
    assert rows()[1].found == "at work"
    # A worker that died holds its job until its lease is over.
    job.lease_until = now - timedelta(seconds=1)
    jobs, worker = rows()
    assert (jobs.found, worker.state) == ("1 waiting, 0 running, 1 for later", "warning")


# --- room ---------------------------------------------------------------------------------


def test_room_is_looked_at_where_something_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "made" / "later"
    assert look_at_folder("room", later).found.endswith(f"free in {tmp_path}")
    assert look_at_folder("room", tmp_path, needed=10**18).state == "warning"
    monkeypatch.setattr(checkup, "LITTLE_SPACE", 10**18)
    row = look_at_folder("room", tmp_path)
    assert (row.state, row.remedy) == ("fault", "Make room: saving fails soon.")
    file = tmp_path / "file"
    file.touch()
    assert look_at_folder("room", file).remedy == "Give this account the right to write."
