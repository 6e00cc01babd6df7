"""`serve` and `demo`: running the site."""

import contextlib
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import flask_migrate
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from sqlalchemy import exists, select

from cms.cli.exchange import import_command
from cms.cli.migrations import require_head
from cms.cli.work import worker_beside
from cms.config import share_counts
from cms.errors import InvalidInput
from cms.extensions import db
from cms.models import Question, User
from cms.services.accounts import add_user, issue_link, redeem
from cms.vocabulary import Role

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "fixtures" / "flask"
DEMO_EDITOR = "editor"

# A client that stalls, while it sends or while it downloads, holds a thread of granian's; threads
# are started as they are needed. A connection that has asked for nothing yet holds none.
THREADS = 1_024
CONNECTIONS = 16_384
OTHER_FILES = 1_024  # of the database, of exports on their way, of a worker


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Processes.")
def serve_command(host: str, port: int, workers: int) -> None:
    """Serve the site with a production server, and a worker for its jobs beside it."""
    _require_free(host, port)
    require_head()
    click.echo(f"Serving http://{host}:{port}")
    sys.stdout.flush()
    _serve(host, port, workers)


@click.command("demo")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.pass_context
def demo_command(context: click.Context, host: str, port: int) -> None:
    """Make a bank with the Flask questions and an account, and serve it; keeps what is there."""
    _require_free(host, port)
    flask_migrate.upgrade()
    if not db.session.scalar(select(exists(select(Question.id)))):
        db.session.rollback()
        _run(context, import_command, paths=[FIXTURES], publishing=True)
    if not db.session.scalar(select(exists(select(User.id)))):
        _make_editor()
    db.session.remove()
    click.echo(f"The bank is at http://{host}:{port}, the desk at http://{host}:{port}/admin/")
    sys.stdout.flush()
    _serve(host, port, workers=1)


def _make_editor() -> None:
    """Make the demo's administrator and print the random password, this once."""
    at = datetime.now(UTC)
    password = secrets.token_urlsafe(15)
    user = add_user(db.session(), DEMO_EDITOR, Role.admin, by=None, at=at)
    token = issue_link(db.session(), user, by=None, at=at, lifetime=timedelta(minutes=1))
    redeem(db.session(), token, password, at=at)
    db.session.commit()
    click.echo(f"Log in as '{DEMO_EDITOR}' with the password {password} (shown this once).")


def _run(context: click.Context, command: click.Command, **values: object) -> None:
    callback: Callable[..., None] | None = command.callback
    assert callback is not None
    context.invoke(command, **values)


def _require_free(host: str, port: int) -> None:
    """Refuse an address that cannot be served.

    :raises InvalidInput: with what to do instead
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise InvalidInput(
            f"Nothing can be served on {host}:{port} ({error.strerror}). "
            "Another program may use that port: choose one with --port.",
            field="port",
        ) from error


def _serve(host: str, port: int, workers: int) -> None:
    for engine in db.engines.values():
        engine.dispose()
    _allow_open_files()
    server = Granian(
        "cms:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        address=host,
        port=port,
        workers=workers,
        blocking_threads=THREADS,
        backpressure=CONNECTIONS,
        websockets=False,
        # Its warning about the number of threads is what we want: see THREADS.
        log_level=LogLevels.error,
        log_access=False,
    )
    with worker_beside(), _shared_counts(workers):
        server.serve()


@contextlib.contextmanager
def _shared_counts(workers: int) -> Iterator[None]:
    """Give several processes a folder in which they count together for /metrics."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="qbank-metrics-") as folder:
        share_counts(folder)
        yield


def _allow_open_files() -> None:
    """Let the server have all its connections: a system's usual limit is 1,024 open files."""
    if sys.platform == "win32":
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
