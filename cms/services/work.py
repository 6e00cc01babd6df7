"""What workers do: each kind of job, and the service that does it; and what they do when idle."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cms.models.engine import reading
from cms.services import duplicates
from cms.services.imports.import_jobs import plan_batch, undo_batch, write_batch
from cms.services.imports.uploads import PLAN, UNDO, WRITE
from cms.services.jobs import Handler
from cms.services.operations.bulk import BULK
from cms.services.operations.undoing import bulk_job
from cms.services.scheduling import PUBLISH, publish_scheduled

HANDLERS: Mapping[str, Handler] = {
    PLAN: plan_batch,
    WRITE: write_batch,
    UNDO: undo_batch,
    BULK: bulk_job,
    PUBLISH: publish_scheduled,
}


def tidy(engine: Engine, *, at: datetime) -> bool:
    """Do a little of what nobody asked for and somebody may need: find likely duplicates.

    Returns whether there was something to do. It is no job: whatever a worker
    that died has left undone, the next one finds just as well.
    """
    with reading(), Session(engine) as session:
        if not duplicates.unsketched(session):
            return False
    with Session(engine) as session, session.begin():
        return duplicates.find_some(session, at=at) > 0
