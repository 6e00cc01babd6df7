"""`work`, and the worker that `serve` keeps beside the server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from cms.extensions import db
from cms.models.engine import database_words
from cms.services.jobs import work_one
from cms.services.work import GIVEN_UP, HANDLERS, tidy

ROOT = Path(__file__).resolve().parent.parent.parent

IDLE = 0.5
"""Seconds between two looks for a job."""
RESTART_AFTER = 1.0
"""Seconds before a worker that ended is started anew."""
GRACE = 10.0
"""Seconds that a worker gets to finish a job when the server stops; then its lease runs out."""


@click.command("work")
@click.option("--once", is_flag=True, help="Do what is due, then end.")
@click.option("--beside", type=int, hidden=True, help="End when this process is gone.")
def work_command(once: bool, beside: int | None) -> None:
    """Do the jobs of the bank: long imports, bulk work. `serve` runs one such worker.

    SIGTERM and Ctrl+C end it after the job at hand; a worker that is killed
    leaves its job to the next one.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            busy = work_one(db.engine, HANDLERS, given_up=GIVEN_UP) or tidy(
                db.engine, at=datetime.now(UTC)
            )
        except SQLAlchemyError as error:
            if once:
                raise
            words = database_words(error)
            click.echo(f"The database cannot be used, trying again: {words}", err=True)
            busy = False
        if busy:
            continue
        if once or (beside is not None and os.getppid() != beside):
            return
        stop.wait(IDLE)


@contextlib.contextmanager
def worker_beside() -> Iterator[None]:
    """Keep one worker process running, and start it anew whenever it ends.

    The first is started before anything else happens: the server forks, and a
    fork in the middle of another thread's start of a process makes that wait
    for the forked process to end.
    """
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(_start(), stop), name="worker", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join(GRACE + RESTART_AFTER)


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "manage.py"), "work", "--beside", str(os.getpid())]
    # A group of its own: Ctrl+C reaches the server alone, which then ends the worker.
    return subprocess.Popen(command, start_new_session=True)


def _keep(worker: subprocess.Popen[bytes], stop: threading.Event) -> None:
    while not stop.wait(IDLE):
        if worker.poll() is not None and not stop.wait(RESTART_AFTER):
            worker = _start()
    worker.terminate()
    try:
        worker.wait(GRACE)
    except subprocess.TimeoutExpired:
        worker.kill()
