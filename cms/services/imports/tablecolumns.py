"""The step of an import in which somebody says what the columns of a table mean."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.formats.columns import Columns, columns_of
from cms.formats.incoming import Upload
from cms.formats.table import read_mapped
from cms.models import ImportBatch, User
from cms.services.imports.uploads import FileHead, TableColumns, hold, plan_later, state_of
from cms.services.permissions import require
from cms.vocabulary import ImportState, Role


def columns(session: Session, batch: ImportBatch) -> Columns:
    """Return the columns of a table that waits for what they mean.

    :raises WrongState: when it does not
    """
    if state_of(batch) != ImportState.asking:
        raise WrongState("This import does not ask for columns now. Reload the page.")
    return columns_of(_upload(session, batch))


def read_columns(
    session: Session, batch: ImportBatch, chosen: TableColumns, *, by: User | None, at: datetime
) -> None:
    """Read a table on, now that somebody said what its columns mean.

    :raises InvalidInput: when no column is said to hold the question, or two hold the same
    :raises WrongState: when the import does not ask for that
    """
    require(by, Role.editor, "import files")
    hold(session, batch)
    if state_of(batch) != ImportState.asking:
        raise WrongState("This import does not ask for columns now. Reload the page.")
    read_mapped(_upload(session, batch), chosen.mapping, header=chosen.header)
    batch.head = msgspec.json.encode(FileHead(columns=chosen)).decode()
    plan_later(session, batch, by=by, at=at)


def _upload(session: Session, batch: ImportBatch) -> Upload:
    data = session.scalar(select(ImportBatch.data).where(ImportBatch.id == batch.id))
    return Upload(batch.file_name, data or b"")
