"""The jobs of an import: to read and compare a file, to write what was chosen, to undo it."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session, undefer

from cms.formats import by_name, detect
from cms.formats.columns import columns_of
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.table import TABLE, mapped
from cms.models import ImportBatch, ImportRow
from cms.services.chunks import chunks
from cms.services.imports.import_undo import undo_import
from cms.services.imports.importing import (
    CHANGED,
    keep_images,
    reading_of,
    row_values,
    source_of,
    write,
)
from cms.services.imports.planning import Plan, PlannedRow, plan_rows
from cms.services.imports.uploads import FileHead, head_of
from cms.services.jobs import Attempt
from cms.vocabulary import RowAction


def plan_batch(attempt: Attempt) -> None:
    """Read a batch's file, or the rows of a former batch, and leave what each row would do.

    A table of which nobody said yet what its columns mean is only recognized.

    :raises UnreadableFile: when the file is not what it is taken for
    """
    id, former = attempt.payload["batch"], attempt.payload["rows_of"]
    with attempt.writing() as session:
        # What an attempt that died has left.
        session.execute(delete(ImportRow).where(ImportRow.batch_id == id))
    with attempt.reading() as session:
        batch = session.get_one(ImportBatch, id, options=[undefer(ImportBatch.data)])
        name, format, source = batch.file_name, batch.format, ""
        head = head_of(batch)
        columns = head.columns
        asks = False
        if former is None:
            upload = Upload(name, batch.data or b"")
            found = by_name(format) if format else detect(upload)
            asks = found is TABLE and columns is None and bool(columns_of(upload))
            if columns is not None:
                found = mapped(columns.mapping, header=columns.header)
            reading = Reading(()) if asks else reading_of(upload, found)
            format, source = found.name, source_of(upload, found)
        else:
            reading = Reading(list(_stated_rows(session, former)), head.tags, head.decks)
        rows = list(reading.rows)
        session.expunge_all()
        done = 0
        for planned in plan_rows(session, rows, reading.tags, source=source):
            with attempt.writing() as writing:
                writing.execute(insert(ImportRow), [_shown(row, id) for row in planned])
            session.expunge_all()
            done += len(planned)
            attempt.tick(done, len(rows))
    with attempt.finishing() as session:
        batch = session.get_one(ImportBatch, id)
        # Kept from now on: what is not written after all goes with everything that nobody shows.
        who, at = attempt.actor(session), attempt.now()
        refused = keep_images(session, reading.assets, rows, by=who, at=at)
        head = FileHead(columns, reading.tags, reading.decks, reading.notes + refused)
        batch.format = format
        if asks:
            return
        batch.data = None
        batch.head = msgspec.json.encode(head).decode()
        batch.planned_at = attempt.now()


def _shown(row: PlannedRow, batch: int) -> dict[str, object]:
    return {
        "batch_id": batch,
        "stated": msgspec.json.encode(row.stated).decode(),
        **row_values(row),
    }


def _stated_rows(session: Session, batch: int) -> Iterator[Row]:
    statement = (
        select(ImportRow.stated)
        .where(ImportRow.batch_id == batch, ImportRow.stated.is_not(None))
        .order_by(ImportRow.id)
    )
    for stated in session.scalars(statement):
        yield msgspec.json.decode(stated or "", type=Row)


def write_batch(attempt: Attempt) -> None:
    """Compare a batch's rows once more, and write what was chosen in one transaction."""
    id = attempt.payload["batch"]
    with attempt.reading() as session:
        head = head_of(session.get_one(ImportBatch, id))
        shown = _shown_rows(session, id)
        rows = [said for said, _ in shown]
        session.expunge_all()
        planned: list[PlannedRow] = []
        for compared in plan_rows(session, rows, head.tags, source=""):
            planned += compared
            session.expunge_all()
            attempt.tick(len(planned), len(rows))
    for row, (_, seen) in zip(planned, shown, strict=True):
        _keep_to(row, seen)
    with attempt.finishing() as session:
        batch = session.get_one(ImportBatch, id)
        plan = Plan(planned, head.tags, head.decks, head.notes)
        write(session, plan, batch, by=attempt.actor(session), at=attempt.now())
        became = [
            {"id": seen.id, **row_values(row)}
            for row, (_, seen) in zip(planned, shown, strict=True)
        ]
        for some in chunks(became):
            session.execute(update(ImportRow), some)


def undo_batch(attempt: Attempt) -> None:
    """Undo a batch that was written.

    :raises WrongState: when something was built on it; nothing is undone then
    """
    with attempt.finishing() as session:
        batch = session.get_one(ImportBatch, attempt.payload["batch"])
        undo_import(session, batch, by=attempt.actor(session), at=attempt.now())


class _Shown(msgspec.Struct, frozen=True):
    """What somebody saw of a row and decided about it."""

    id: int
    action: RowAction
    question_id: int | None
    seen_version: int | None
    chosen: bool


def _shown_rows(session: Session, batch: int) -> list[tuple[Row, _Shown]]:
    columns = (
        ImportRow.id,
        ImportRow.action,
        ImportRow.question_id,
        ImportRow.seen_version,
        ImportRow.chosen,
        ImportRow.stated,
    )
    rows = session.execute(
        select(*columns)
        .where(ImportRow.batch_id == batch, ImportRow.stated.is_not(None))
        .order_by(ImportRow.id)
    )
    return [(msgspec.json.decode(row[5] or "", type=Row), _Shown(*row[:5])) for row in rows]


def _keep_to(row: PlannedRow, shown: _Shown) -> None:
    """Choose a row as somebody did who saw it; leave it if it would do something else now."""
    row.chosen = shown.chosen and row.content is not None
    now = (row.action, row.question_id, row.seen_version or None)
    if shown.chosen and now != (shown.action, shown.question_id, shown.seen_version):
        row.chosen = False
        # An error, or that there is nothing left to do, says so itself.
        if row.action not in {RowAction.error, RowAction.unchanged}:
            row.action, row.message = RowAction.conflict, CHANGED
