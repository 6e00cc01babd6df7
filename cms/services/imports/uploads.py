"""An import as a conversation: take a file in, show what would happen, let people decide, write.

The file is read and compared by a job, which leaves each row with what it
would do. People choose rows and mend them. A second job writes what was
chosen, in one transaction: a row whose question changed since it was shown is
left as a conflict, so that nothing happens that nobody saw.
"""

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, undefer

from cms.errors import InvalidInput, NotFound, WrongState
from cms.formats import by_name
from cms.formats.checks import refuse_faults
from cms.formats.incoming import Damage, Row, Upload
from cms.formats.item import Content, DeckItem, Item, TagItem
from cms.formats.normalizing import normalized
from cms.models import ImportBatch, ImportRow, Job, User
from cms.services.audit import record
from cms.services.imports.importing import batch_of, new_decks, row_values
from cms.services.imports.planning import Comparison, compare
from cms.services.jobs import enqueue
from cms.services.permissions import require
from cms.vocabulary import ImportState, JobState, Role, RowAction

PLAN = "import.plan"
WRITE = "import.write"
UNDO = "import.undo"

TEXTS_KEPT = timedelta(days=90)
"""How long an import that was written can be done again with its mended rows."""

# What of a row a mended text does not state.
_NOT_CONTENT = frozenset({"corrections", "provenance"})


class TableColumns(msgspec.Struct):
    """What somebody said of a table: the meanings of its columns, and whether it has a header."""

    mapping: dict[str, str]
    header: bool


class FileHead(msgspec.Struct, omit_defaults=True):
    """What a file says besides its rows; of a table, what its columns were said to mean."""

    columns: TableColumns | None = None
    tags: list[TagItem] = []
    decks: list[DeckItem] = []
    notes: list[str] = []


# --- taking in --------------------------------------------------------------------


def receive(
    session: Session, upload: Upload, *, format: str = "", by: User | None, at: datetime
) -> ImportBatch:
    """Take a file in, to be read and compared by a job. `format` is empty to have it detected.

    :raises InvalidInput: when the file is empty or there is no such format
    """
    require(by, Role.editor, "import files")
    if not upload.data.strip():
        raise InvalidInput("The file is empty. Choose another, or paste some text.", field="file")
    if format:
        by_name(format)
    _forget_old_texts(session, at)
    batch = batch_of(upload, format, by=by, at=at)
    batch.data = upload.data
    return plan_later(session, batch, by=by, at=at)


def read_as(
    session: Session, batch: ImportBatch, format: str, *, by: User | None, at: datetime
) -> None:
    """Read a file again that could not be read, as another format.

    :raises WrongState: when it was read, or is being read
    """
    require(by, Role.editor, "import files")
    by_name(format)
    hold(session, batch)
    if state_of(batch) != ImportState.failed:
        raise WrongState("This file was read already.")
    batch.format, batch.head = format, ""
    plan_later(session, batch, by=by, at=at)


def again(session: Session, former: ImportBatch, *, by: User | None, at: datetime) -> ImportBatch:
    """Begin a new import with the rows of a former one, mended as they are.

    :raises WrongState: while the former one waits for a decision, or when its text is gone
    """
    require(by, Role.editor, "import files")
    if state_of(former) not in {ImportState.imported, ImportState.undone}:
        raise WrongState("This import is not finished yet. Finish or discard it.")
    kept = select(ImportRow.id).where(
        ImportRow.batch_id == former.id, ImportRow.stated.is_not(None)
    )
    if not session.scalar(kept.limit(1)):
        raise WrongState("The text of this import is not kept any more. Upload the file once more.")
    batch = ImportBatch(
        file_name=former.file_name,
        sha256=former.sha256,
        format=former.format,
        head=former.head,
        by_id=by.id if by else None,
        at=at,
    )
    return plan_later(session, batch, by=by, at=at, rows_of=former.id)


def plan_later(
    session: Session,
    batch: ImportBatch,
    *,
    by: User | None,
    at: datetime,
    rows_of: int | None = None,
) -> ImportBatch:
    """Have a file read and compared by a job, or the rows of a former import compared anew."""
    session.add(batch)
    session.flush()
    batch.job = enqueue(session, PLAN, {"batch": batch.id, "rows_of": rows_of}, by=by, at=at)
    session.flush()
    return batch


def _forget_old_texts(session: Session, at: datetime) -> None:
    """Drop the texts of imports that were written long ago; what became of their rows stays."""
    old = select(ImportBatch.id).where(ImportBatch.applied_at < at - TEXTS_KEPT)
    session.execute(
        update(ImportRow)
        .where(ImportRow.batch_id.in_(old), ImportRow.stated.is_not(None))
        .values(stated=None)
        .execution_options(synchronize_session=False)
    )


def state_of(batch: ImportBatch) -> ImportState:
    """Return how far an import has come; derived from its times and its job."""
    busy = batch.job is not None and batch.job.state in {JobState.queued, JobState.running}
    if batch.undone_at is not None:
        return ImportState.undone
    if batch.applied_at is not None:
        return ImportState.undoing if busy else ImportState.imported
    if batch.planned_at is None:
        if not busy and batch.job is not None and batch.job.state == JobState.done:
            # Reading stopped to ask what the columns of a table mean.
            return ImportState.asking
        return ImportState.reading if busy else ImportState.failed
    return ImportState.writing if busy else ImportState.waiting


def waits() -> ColumnElement[bool]:
    """Whether an import waits for somebody: `state_of` calls it waiting, or failed."""
    busy = select(Job.id).where(Job.state.in_([JobState.queued, JobState.running]))
    at_rest = or_(ImportBatch.job_id.is_(None), ImportBatch.job_id.not_in(busy))
    return and_(ImportBatch.applied_at.is_(None), at_rest)


def count_waiting(session: Session, limit: int) -> int:
    """Return how many imports wait for somebody, at most `limit`."""
    some = select(ImportBatch.id).where(waits()).limit(limit).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def head_of(batch: ImportBatch) -> FileHead:
    """Return what the file of a batch says besides its rows."""
    return msgspec.json.decode(batch.head or "{}", type=FileHead)


# --- deciding ---------------------------------------------------------------------------


def tally(session: Session, batch: ImportBatch) -> dict[RowAction, tuple[int, int]]:
    """Return how many rows have each action, and how many of those are chosen."""
    rows = session.execute(
        select(
            ImportRow.action,
            func.count(),
            func.count().filter(ImportRow.chosen),
        )
        .where(ImportRow.batch_id == batch.id)
        .group_by(ImportRow.action)
    )
    found = {action: (count, chosen) for action, count, chosen in rows}
    return {action: found[action] for action in RowAction if action in found}


def choose(
    session: Session,
    batch: ImportBatch,
    chosen: bool,
    *,
    rows: Iterable[int] = (),
    action: RowAction | None = None,
    by: User | None,
) -> int:
    """Have rows written, or left out: those with these ids, or all with this action.

    Returns how many can be chosen at all, which is what the choice now holds for.

    :raises WrongState: when nothing is to be decided any more
    """
    require(by, Role.editor, "import files")
    _require_waiting(session, batch)
    which = ImportRow.action == action if action else ImportRow.id.in_(list(rows))
    done = session.execute(
        update(ImportRow)
        .where(ImportRow.batch_id == batch.id, choosable(), which)
        .values(chosen=chosen)
        .execution_options(synchronize_session=False)
    )
    session.expire_all()
    return int(done.rowcount)  # type: ignore[attr-defined]


def choosable() -> ColumnElement[bool]:
    """Whether a row can be written: one that cannot be read, or meets no live question, cannot."""
    new = ImportRow.action.in_([RowAction.create, RowAction.duplicate])
    meets = ImportRow.action.in_([RowAction.update, RowAction.conflict])
    return or_(new, and_(meets, ImportRow.seen_version.is_not(None)))


def can_be_chosen(row: ImportRow) -> bool:
    """Whether a row can be written: `choosable` for a row that was read."""
    return row.action in {RowAction.create, RowAction.duplicate} or (
        row.action in {RowAction.update, RowAction.conflict} and row.seen_version is not None
    )


def find_row(session: Session, batch: ImportBatch, id: int) -> ImportRow:
    """Return a row of a batch, with its text.

    :raises NotFound: when the batch has no such row
    """
    row = session.scalar(
        select(ImportRow)
        .where(ImportRow.batch_id == batch.id, ImportRow.id == id)
        .options(undefer(ImportRow.stated))
    )
    if row is None:
        raise NotFound("This import has no such row.")
    return row


def stated(row: ImportRow) -> Row | None:
    """Return what a row says; None where its text is not kept."""
    return msgspec.json.decode(row.stated, type=Row) if row.stated else None


def version_of(row: ImportRow) -> int:
    """Return a number of at most nine digits that stands for what a row says now."""
    return zlib.crc32((row.stated or "").encode()) % 10**9


def compared(session: Session, batch: ImportBatch, row: ImportRow) -> Comparison | None:
    """Return a row beside the bank as it is now; None where there is nothing to compare."""
    said = stated(row)
    if said is None or said.item is None:
        return None
    return compare(session, said, head_of(batch).tags)


def mend(
    session: Session,
    batch: ImportBatch,
    row: ImportRow,
    content: Content,
    *,
    seen: int,
    by: User | None,
) -> None:
    """Put a mended text in the place of a row's; what was damaged and is gone no longer warns.

    `content` carries tags as slugs, and is what the question will be: nothing of
    it is left to the bank any more. The row is compared anew, and chosen where it can be.
    `seen` is the `version_of` the row that the editor saw.

    :raises InvalidContent: when the text breaks a rule
    :raises WrongState: when nothing is to be decided any more, or somebody else mended the row
    """
    require(by, Role.editor, "import files")
    _require_waiting(session, batch)
    session.refresh(row, ["stated"])
    if version_of(row) != seen:
        raise WrongState(
            "Somebody mended this row while you were at it. Nothing was overwritten: open the "
            "row in another window to compare. Save again if yours is the text to import."
        )
    said = stated(row)
    if said is None or said.item is None:
        raise WrongState("This row cannot be read. Mend it in the file, and upload that again.")
    fields = {name: getattr(content, name) for name in Content.__struct_fields__}
    item = normalized(replace(said.item, **fields | {"uid": said.item.uid}))
    refuse_faults(item)
    said.item = item
    said.drops &= _NOT_CONTENT
    said.through_html = False  # From here on every letter is a person's.
    said.damages = [damage for damage in said.damages if _is_in(damage, item)]
    planned = compare(session, said, head_of(batch).tags).planned
    row.stated = msgspec.json.encode(said).decode()
    for name, value in row_values(planned).items():
        setattr(row, name, value)
    row.chosen = can_be_chosen(row)
    session.flush()


def _is_in(damage: Damage, item: Item) -> bool:
    """Whether a damaged passage still stands in the text."""
    texts = [item.stem, item.context, *(answer.body for answer in item.answers)]
    texts += [text for option in item.options for text in (option.text, option.feedback)]
    wanted = " ".join(damage.passage.split())
    return any(wanted in " ".join(text.split()) for text in texts)


def discard(session: Session, batch: ImportBatch, *, by: User | None, at: datetime) -> None:
    """Drop an import of which nothing was written, with all its rows.

    :raises WrongState: when it was written, or is being written
    """
    require(by, Role.editor, "import files")
    hold(session, batch)
    if state_of(batch) not in {ImportState.failed, ImportState.asking, ImportState.waiting}:
        raise WrongState("This import is at work or was written, so it cannot be discarded.")
    record(
        session,
        by=by,
        at=at,
        action="import.discard",
        about=f"import:{batch.id}",
        file=batch.file_name,
    )
    session.execute(delete(ImportRow).where(ImportRow.batch_id == batch.id))
    session.execute(delete(ImportBatch).where(ImportBatch.id == batch.id))
    session.expunge(batch)


def confirm(session: Session, batch: ImportBatch, *, by: User | None, at: datetime) -> None:
    """Have what was chosen written by a job.

    :raises WrongState: when nothing is chosen, or the import does not wait for a decision
    """
    require(by, Role.editor, "import files")
    _require_waiting(session, batch)
    chosen = sum(chosen for _, chosen in tally(session, batch).values())
    if not chosen and not new_decks(session, head_of(batch).decks):
        raise WrongState("No row is chosen. Choose the rows that are to be imported.")
    batch.job = enqueue(session, WRITE, {"batch": batch.id}, by=by, at=at)
    session.flush()


# --- guards -----------------------------------------------------------------------------


def _require_waiting(session: Session, batch: ImportBatch) -> None:
    hold(session, batch)
    state = state_of(batch)
    if state == ImportState.imported:
        raise WrongState("This import was written already.")
    if state != ImportState.waiting:
        raise WrongState("This import does not wait for a decision now. Reload the page.")


def hold(session: Session, batch: ImportBatch) -> None:
    """Lock an import until the transaction ends, and see its state anew."""
    session.flush()
    session.refresh(batch, with_for_update=True)
    if batch.job is not None:
        session.refresh(batch.job)
