"""What workers do: each kind of job, and the service that does it; and what they do when idle."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cms.models.engine import reading
from cms.services import assets, duplicates, figures
from cms.services.imports.import_jobs import plan_batch, undo_batch, write_batch
from cms.services.imports.uploads import PLAN, UNDO, WRITE
from cms.services.jobs import GivenUp, Handler
from cms.services.operations.bulk import BULK
from cms.services.operations.undoing import bulk_job
from cms.services.scheduling import PUBLISH, give_up_schedule, publish_scheduled

HANDLERS: Mapping[str, Handler] = {
    PLAN: plan_batch,
    WRITE: write_batch,
    UNDO: undo_batch,
    BULK: bulk_job,
    PUBLISH: publish_scheduled,
}
# Whoever asked for the other kinds sees on a page of theirs that they failed.
GIVEN_UP: Mapping[str, GivenUp] = {PUBLISH: give_up_schedule}


def tidy(engine: Engine, *, at: datetime) -> bool:
    """Do a little of what nobody asked for and somebody may need.

    It counts a large bank whose figures are out of date, finds likely duplicates, and deletes
    images that no question has shown for days.
    Returns whether there was something to do. It is no job: whatever a worker
    that died has left undone, the next one finds just as well.
    """
    return _count(engine, at=at) or _find_duplicates(engine, at=at) or _sweep_assets(engine, at=at)


def _count(engine: Engine, *, at: datetime) -> bool:
    with reading(), Session(engine) as session:
        if not figures.is_due(session, at=at):
            return False
        # Seconds, in which on SQLite others write.
        counted = figures.count(session, at=at)
    with Session(engine) as session, session.begin():
        figures.keep(session, counted, at=at)
    return True


def _find_duplicates(engine: Engine, *, at: datetime) -> bool:
    with reading(), Session(engine) as session:
        if not duplicates.unsketched(session):
            return False
    with Session(engine) as session, session.begin():
        return duplicates.find_some(session, at=at) > 0


def _sweep_assets(engine: Engine, *, at: datetime) -> bool:
    with reading(), Session(engine) as session:
        if not assets.has_unused(session, at=at):
            return False
    with Session(engine) as session, session.begin():
        return assets.sweep(session, at=at) > 0
