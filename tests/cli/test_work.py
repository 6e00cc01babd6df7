"""Workers: what is due is done; a worker that is killed in the middle leaves no half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from benchmarks.generated import bank
from cms.formats.incoming import Upload
from cms.models import ImportBatch, ImportRow, Job, Question, Revision
from cms.services.imports import uploads
from cms.vocabulary import ImportState, JobState
from tests.conftest import ROOT, SECRET

pytestmark = pytest.mark.each_database

ROWS = 400


@pytest.fixture
def start(database_url: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a worker as a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        environment = os.environ | {"CMS_DATABASE_URL": database_url, "CMS_SECRET_KEY": SECRET}
        command = [sys.executable, str(ROOT / "manage.py"), "work"]
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def looked(session: Session, statement: object) -> object:
    """Read one value, and hold nothing."""
    found = session.scalar(statement)  # type: ignore[call-overload]
    session.rollback()
    return found


def wait_until(session: Session, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the worker did not get there"
        time.sleep(0.05)


def test_a_worker_does_what_is_due_and_ends(session: Session, run: Callable[..., Result]) -> None:
    batch = uploads.receive(session, Upload("a.json", bank(2)), by=None, at=datetime.now(UTC))
    session.commit()
    assert run("work", "--once").exit_code == 0
    session.refresh(batch)
    session.refresh(batch.job)
    assert uploads.state_of(batch) == ImportState.waiting


def test_a_worker_ends_by_itself_after_the_job_at_hand(
    session: Session, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    batch = uploads.receive(session, Upload("a.json", bank(50)), by=None, at=datetime.now(UTC))
    job_id = batch.job_id
    session.commit()
    state = select(Job.state).where(Job.id == job_id)
    worker = start()
    wait_until(session, lambda: looked(session, state) != JobState.queued)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert looked(session, state) == JobState.done


@pytest.mark.parametrize("job", ["reading", "writing"])
def test_a_worker_that_is_killed_in_the_middle_leaves_nothing_half_done(
    session: Session, start: Callable[[], subprocess.Popen[bytes]], job: str
) -> None:
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    batch = uploads.receive(session, Upload("a.json", bank(ROWS)), by=None, at=datetime.now(UTC))
    key = batch.id
    session.commit()
    if job == "writing":
        finish(session, start, key)
        uploads.confirm(session, batch, by=None, at=datetime.now(UTC))
        session.commit()
    worker = start()
    wait_until(session, lambda: is_taken(session, key))
    # Reading is over soon; writing is in the middle of what it does.
    time.sleep(0.2 if job == "writing" else 0)
    worker.kill()
    worker.wait()
    written = looked(session, select(func.count()).select_from(Question))
    assert written in {0, ROWS}
    # Its lease is over: as if a minute had gone by.
    session.execute(
        update(Job)
        .where(Job.state == JobState.running)
        .values(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    )
    session.commit()
    finish(session, start, key)
    assert looked(session, select(func.count()).where(ImportRow.batch_id == key)) == ROWS
    if job == "writing":
        assert looked(session, select(func.count()).select_from(Question)) == ROWS
        assert looked(session, select(func.count()).select_from(Revision)) == ROWS


def is_taken(session: Session, key: int) -> bool:
    """Whether a worker holds the job of an import, or is done with it already."""
    held = (Job.state == JobState.running) & (Job.lease_until > datetime.now(UTC))
    job = (
        select(Job.id).join(ImportBatch, ImportBatch.job_id == Job.id).where(ImportBatch.id == key)
    )
    return looked(session, job.where(held | (Job.state == JobState.done))) is not None


def finish(session: Session, start: Callable[[], subprocess.Popen[bytes]], key: int) -> None:
    worker = start()
    state = select(Job.state).join(ImportBatch, ImportBatch.job_id == Job.id)
    wait_until(session, lambda: looked(session, state) == JobState.done)
    worker.kill()
    worker.wait()
