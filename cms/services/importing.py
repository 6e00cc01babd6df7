"""Applying an import: one transaction, new questions in bulk, each row on record."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cms.errors import CmsError, InvalidInput, StaleEdit
from cms.formats import Format
from cms.formats.item import (
    DeckItem,
    Upload,
)
from cms.models import (
    Deck,
    DeckMember,
    ImportBatch,
    ImportRow,
    Provenance,
    Question,
    User,
)
from cms.services.audit import record
from cms.services.inserting import (
    add_corrections,
    add_warnings,
    insert_questions,
    provenance_values,
)
from cms.services.permissions import require
from cms.services.planning import Plan, PlannedRow, plan
from cms.services.questions import save
from cms.services.shelf import chunks
from cms.services.tags import resolve
from cms.vocabulary import Origin, Role, RowAction

WRITTEN = (RowAction.create, RowAction.update)


@dataclass(slots=True)
class Imported:
    """What an import did. `batch` is None where nothing was written."""

    plan: Plan
    batch: ImportBatch | None = None
    questions: list[int] = field(default_factory=list)


def plan_file(session: Session, upload: Upload, format: Format) -> Plan:
    """Read a file and compare it with the bank; nothing is written.

    :raises UnreadableFile: when the file is not what it is taken for
    :raises InvalidInput: when the format can only be written
    """
    if format.read is None:
        raise InvalidInput(f"'{format.name}' can be exported, not imported.", field="format")
    ending = next((each for each in format.endings if upload.name.endswith(each)), "")
    return plan(session, format.read(upload), source=upload.name.removesuffix(ending))


def apply(
    session: Session,
    planned: Plan,
    upload: Upload,
    format: Format,
    *,
    by: User | None,
    at: datetime,
) -> Imported:
    """Write the rows that are to be created or updated; the others are only put on record.

    A question that somebody saved since the plan was made becomes a conflict.
    An import that would write nothing leaves no trace.

    :raises NotAllowed: when the actor is no editor
    """
    require(by, Role.editor, "import files")
    result = Imported(planned)
    _mark_late_conflicts(session, planned.rows)
    decks = _new_decks(session, planned.decks)
    if not decks and not any(row.action in WRITTEN for row in planned.rows):
        return result
    batch = ImportBatch(
        file_name=upload.name[:500],
        sha256=hashlib.sha256(upload.data).hexdigest(),
        format=format.name,
        by_id=by.id if by else None,
        at=at,
        planned_at=at,
        applied_at=at,
    )
    session.add(batch)
    session.flush()
    tags = resolve(session, _wanted_tags(planned), by=by, at=at, described=planned.tags)
    tag_uids = {slug: tag.uid for slug, tag in tags.items()}
    tag_ids = {tag.uid: tag.id for tag in tags.values()}
    for row in planned.rows:
        if row.content is not None and row.action in WRITTEN:
            row.content = replace(
                row.content, tags=sorted(tag_uids[slug] for slug in row.content.tags)
            )
    for some in chunks([row for row in planned.rows if row.action == RowAction.create]):
        insert_questions(session, some, tag_ids, batch, by=by, at=at)
    for row in planned.rows:
        if row.action == RowAction.update:
            _update(session, row, batch, by=by, at=at)
    _add_decks(session, decks, at)
    result.questions = [
        row.question_id
        for row in planned.rows
        if row.question_id is not None and row.action in WRITTEN
    ]
    for some in chunks(planned.rows):
        session.execute(insert(ImportRow), [_import_row(row, batch) for row in some])
    record(
        session,
        by=by,
        at=at,
        action="import",
        about=f"import:{batch.id}",
        file=upload.name,
        format=format.name,
        totals={action.value: count for action, count in planned.totals().items()},
    )
    session.flush()
    session.expire_all()
    result.batch = batch
    return result


def _mark_late_conflicts(session: Session, rows: Sequence[PlannedRow]) -> None:
    """Turn rows into conflicts whose question was made or saved since they were planned."""
    for some in chunks([row for row in rows if row.action == RowAction.create]):
        by_uid = {row.item.uid: row for row in some if row.item}
        for uid in session.scalars(select(Question.uid).where(Question.uid.in_(list(by_uid)))):
            by_uid[uid].action = RowAction.conflict
            by_uid[uid].message = "Somebody made this question meanwhile. Import the file again."


def _wanted_tags(planned: Plan) -> Iterator[str]:
    for row in planned.rows:
        if row.content is not None and row.action in WRITTEN:
            yield from row.content.tags


# --- updates, one by one -----------------------------------------------------------


def _update(
    session: Session, row: PlannedRow, batch: ImportBatch, *, by: User | None, at: datetime
) -> None:
    """Save a row over its question, or turn it into a conflict or an error that says why."""
    assert row.content is not None
    question = session.get_one(Question, row.question_id)
    try:
        with session.begin_nested():
            save(
                session,
                question,
                row.content,
                seen_version=row.seen_version,
                by=by,
                at=at,
                summary=f"Imported from {batch.file_name}",
                origin=Origin.imported,
                batch_id=batch.id,
            )
    except StaleEdit as error:
        row.action, row.message = RowAction.conflict, str(error)
        return
    except CmsError as error:
        row.action, row.message = RowAction.error, str(error)
        return
    add_corrections(session, row, question.latest_number, at)
    values = provenance_values(row, question.latest_number)
    if values is not None:
        session.merge(Provenance(**values))
    add_warnings(session, row, batch)
    session.flush()


def _import_row(row: PlannedRow, batch: ImportBatch) -> dict[str, Any]:
    return {
        "batch_id": batch.id,
        "place": row.place[:500],
        "action": row.action,
        "message": row.message,
        "stem": row.stem,
        "question_id": row.question_id,
    }


# --- decks ---------------------------------------------------------------------------


def _new_decks(session: Session, decks: Sequence[DeckItem]) -> list[DeckItem]:
    """Return the file's decks that the bank lacks; the bank's own stay as they are."""
    if not decks:
        return []
    held = set(session.scalars(select(Deck.slug)))
    return [deck for deck in decks if deck.slug not in held]


def _add_decks(session: Session, decks: Sequence[DeckItem], at: datetime) -> None:
    for deck in decks:
        session.add(
            Deck(
                slug=deck.slug,
                title=deck.title,
                description=deck.description,
                filter=deck.filter,
                created_at=at,
                updated_at=at,
                members=[
                    DeckMember(question_uid=uid, position=position)
                    for position, uid in enumerate(deck.questions)
                ],
            )
        )
    session.flush()
