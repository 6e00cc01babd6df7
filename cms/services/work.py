"""What workers do: each kind of job, and the service that does it."""

from collections.abc import Mapping

from cms.services.bulk import BULK
from cms.services.import_jobs import plan_batch, write_batch
from cms.services.jobs import Handler
from cms.services.undoing import bulk_job
from cms.services.uploads import PLAN, WRITE

HANDLERS: Mapping[str, Handler] = {PLAN: plan_batch, WRITE: write_batch, BULK: bulk_job}
