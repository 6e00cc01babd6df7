"""What workers do: each kind of job, and the service that does it."""

from collections.abc import Mapping

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
