"""Applying an import: one transaction, new questions in bulk, each row on record."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, InvalidInput, UnreadableFile
from cms.formats import Format
from cms.formats.assets import names_in
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import AssetItem, Content, DeckItem, TagItem
from cms.models import (
    Deck,
    DeckMember,
    ImportBatch,
    ImportRow,
    Provenance,
    Question,
    Tag,
    User,
)
from cms.services.admission import checked, taken_faults
from cms.services.aliases import tag_slugs
from cms.services.assets import take_in
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.deckfilters import with_current_tags, with_paths
from cms.services.imports.inserting import (
    add_corrections,
    add_warnings,
    insert_questions,
    provenance_values,
)
from cms.services.imports.planning import Plan, PlannedRow, plan
from cms.services.permissions import require
from cms.services.questions import MERGED, lock_all, same
from cms.services.rewriting import Rewriting, current_contents, rewrite
from cms.services.tags import resolve
from cms.text import normalize_line
from cms.vocabulary import Origin, Role, RowAction

CHANGED = (
    "The question changed after it was compared with this row, so it was left as it is. "
    "Import again to compare anew."
)
UNNAMED = "Unnamed file"
ROWS_LIMIT = 200_000
"""Questions of one import: planning holds them all, about 3 kB each besides their texts."""
# Rows that become new questions.
NEW = frozenset({RowAction.create, RowAction.duplicate})


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
    return plan(session, reading_of(upload, format), source=source_of(upload, format))


def reading_of(upload: Upload, format: Format) -> Reading:
    """Read a file as one of a format.

    :raises UnreadableFile: when the file is not what it is taken for
    :raises InvalidInput: when the format can only be written
    """
    if format.read is None:
        raise InvalidInput(f"'{format.name}' can be exported, not imported.", field="format")
    reading = format.read(upload)
    reading.rows = _bounded(upload, reading.rows)
    return reading


def _bounded(upload: Upload, rows: Iterable[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number >= ROWS_LIMIT:
            raise UnreadableFile(
                upload.name,
                f"It has more than {ROWS_LIMIT:,} questions, which is the limit of one import. "
                "Split the file.",
                place=row.place,
            )
        yield row


def source_of(upload: Upload, format: Format) -> str:
    """Return what a file's rows come from where they do not say so: its name without ending."""
    ending = next((each for each in format.endings if upload.name.endswith(each)), "")
    return upload.name.removesuffix(ending)


def apply(
    session: Session,
    planned: Plan,
    upload: Upload,
    format: Format,
    *,
    by: User | None,
    at: datetime,
) -> Imported:
    """Write the chosen rows of a plan; the others are only put on record.

    A question that somebody saved since the plan was made becomes a conflict.
    An import that would write nothing leaves no trace.

    :raises NotAllowed: when the actor is no editor
    """
    require(by, Role.editor, "import files")
    if not new_decks(session, planned.decks) and not any(row.chosen for row in planned.rows):
        return Imported(planned)
    batch = batch_of(upload, format.name, by=by, at=at)
    batch.planned_at = at
    session.add(batch)
    session.flush()
    chosen = [row.stated for row in planned.rows if row.chosen]
    planned.notes += keep_images(session, planned.assets, chosen, by=by, at=at)
    write(session, planned, batch, by=by, at=at)
    for some in chunks(planned.rows):
        session.execute(
            insert(ImportRow), [{"batch_id": batch.id, **row_values(row)} for row in some]
        )
    session.flush()
    session.expire_all()
    written = [row.question_id for row in planned.rows if row.number is not None]
    return Imported(planned, batch, [each for each in written if each is not None])


def keep_images(
    session: Session,
    images: Sequence[AssetItem],
    rows: Iterable[Row],
    *,
    by: User | None,
    at: datetime,
) -> list[str]:
    """Keep those of a file's images that its rows show; return a sentence for each refused one."""
    if not images:
        return []
    shown = {name for row in rows if row.item for name in names_in(row.item)}
    return take_in(session, [each for each in images if each.name in shown], by=by, at=at)


def batch_of(upload: Upload, format: str, *, by: User | None, at: datetime) -> ImportBatch:
    """Return the batch of a file, named as a line that every database takes."""
    return ImportBatch(
        file_name=normalize_line(upload.name)[:500] or UNNAMED,
        sha256=hashlib.sha256(upload.data).hexdigest(),
        format=format,
        by_id=by.id if by else None,
        at=at,
    )


def write(
    session: Session, planned: Plan, batch: ImportBatch, *, by: User | None, at: datetime
) -> None:
    """Write the chosen rows of a plan as those of `batch`; each row then says what it became.

    :raises NotAllowed: when the actor is no editor, or none any more
    """
    require(by, Role.editor, "import files")
    _mark_late_conflicts(session, planned.rows)
    decks = new_decks(session, planned.decks)
    held = set(session.scalars(select(Tag.uid)))
    tags = resolve(session, _wanted_tags(planned), by=by, at=at, described=planned.tags)
    tag_uids = {slug: tag.uid for slug, tag in tags.items()}
    tag_ids = {tag.uid: tag.id for tag in tags.values()}
    for row in planned.rows:
        if row.content is not None and row.chosen:
            row.content = replace(
                row.content, tags=sorted({tag_uids[slug] for slug in row.content.tags})
            )
    contents = [row.content for row in planned.rows if row.content is not None and row.chosen]
    reserved = {content.slug for content in contents if content.slug}
    for some in chunks([row for row in planned.rows if row.chosen and row.action in NEW]):
        insert_questions(session, some, tag_ids, batch, reserved=reserved, by=by, at=at)
    met = [row for row in planned.rows if row.chosen and row.action not in NEW]
    # In the order in which everybody locks questions.
    for some in chunks(sorted(met, key=lambda row: row.question_id or 0)):
        _update(session, some, batch, by=by, at=at)
    _add_decks(session, decks, planned.tags, at)
    batch.applied_at = at
    batch.made = {
        "tags": sorted(set(session.scalars(select(Tag.uid))) - held),
        "decks": [deck.slug for deck in decks],
    }
    record(
        session,
        by=by,
        at=at,
        action="import",
        about=f"import:{batch.id}",
        file=batch.file_name,
        format=batch.format,
        totals={action.value: count for action, count in planned.totals().items()},
    )
    session.flush()


def _mark_late_conflicts(session: Session, rows: Sequence[PlannedRow]) -> None:
    """Turn new rows into conflicts whose question was made since they were planned."""
    for some in chunks([row for row in rows if row.chosen and row.action in NEW]):
        by_uid = {row.item.uid: row for row in some}
        for uid in session.scalars(select(Question.uid).where(Question.uid.in_(list(by_uid)))):
            by_uid[uid].chosen = False
            by_uid[uid].action = RowAction.conflict
            by_uid[uid].message = "Somebody made this question meanwhile. Import the file again."


def _wanted_tags(planned: Plan) -> Iterator[str]:
    for row in planned.rows:
        if row.content is not None and row.chosen:
            yield from row.content.tags


# --- updates -------------------------------------------------------------------------


def _update(
    session: Session,
    rows: Sequence[PlannedRow],
    batch: ImportBatch,
    *,
    by: User | None,
    at: datetime,
) -> None:
    """Save rows over their questions, or turn them into conflicts or errors that say why."""
    by_question = {row.question_id: row for row in rows}
    questions = lock_all(session, [key for key in by_question if key is not None])
    pairs = [(question, by_question[question.id]) for question in questions]
    current = current_contents(session, questions)
    admitted = list(_admitted(pairs, current))
    refused = taken_faults(session, [text for _, _, text in admitted])
    changes: list[Rewriting] = []
    for question, row, text in admitted:
        if faults := refused.get(question.uid):
            _refuse(row, RowAction.error, str(InvalidContent(faults)))
            continue
        before = current[question.id]
        row.before = {"text": not same(text, before)}
        if row.before["text"]:
            changes.append(Rewriting.of(question, before, text))
    rewrite(
        session,
        changes,
        live={},
        by=by,
        at=at,
        summary=f"Imported from {batch.file_name}",
        origin=Origin.imported,
        batch_id=batch.id,
    )
    for question, row in pairs:
        if row.before is not None:
            row.number = question.latest_number
            _put_beside(session, row, batch, at)
    session.flush()


def _admitted(
    pairs: Iterable[tuple[Question, PlannedRow]], current: Mapping[int, Content]
) -> Iterator[tuple[Question, PlannedRow, Content]]:
    """Yield the rows that keep the rules and meet the question as it was compared."""
    for question, row in pairs:
        assert row.content is not None
        if question.merged_into_id is not None:
            _refuse(row, RowAction.error, MERGED)
            continue
        slug = row.content.slug or question.slug
        try:
            text = checked(replace(row.content, uid=question.uid, slug=slug))
        except InvalidContent as error:
            _refuse(row, RowAction.error, str(error))
            continue
        text.tags = sorted(text.tags)
        if question.latest_number != row.seen_version and not same(text, current[question.id]):
            _refuse(row, RowAction.conflict, CHANGED)
            continue
        yield question, row, text


def _refuse(row: PlannedRow, action: RowAction, message: str) -> None:
    row.action, row.message, row.chosen = action, message, False


def _put_beside(session: Session, row: PlannedRow, batch: ImportBatch, at: datetime) -> None:
    """Write what a row says besides the text; `before` then holds what an undo puts back."""
    assert row.before is not None
    assert row.number is not None
    if row.corrections:
        row.before["corrections"] = add_corrections(session, row, row.number, at)
    values = provenance_values(row, row.number)
    if values is not None:
        held = session.get(Provenance, row.question_id)
        row.before["provenance"] = held.as_dict() if held else None
        if held is not None and not row.stated.by_source:
            values["imported_number"] = held.imported_number
        session.merge(Provenance(**values))
    add_warnings(session, row, batch)


def row_values(row: PlannedRow) -> dict[str, Any]:
    """Return a row as the columns of ImportRow have it, but for the batch."""
    return {
        "place": row.place[:500],
        "action": row.action,
        "message": row.message,
        "stem": row.stem,
        "question_id": row.question_id,
        "seen_version": row.seen_version or None,
        "chosen": row.chosen,
        "number": row.number,
        "before": row.before,
        "warnings": len(row.damages),
    }


# --- decks ---------------------------------------------------------------------------


def new_decks(session: Session, decks: Sequence[DeckItem]) -> list[DeckItem]:
    """Return the file's decks that the bank lacks; the bank's own stay as they are."""
    if not decks:
        return []
    held = set(session.scalars(select(Deck.slug)))
    return [deck for deck in decks if deck.slug not in held]


def _add_decks(
    session: Session, decks: Sequence[DeckItem], tags: Sequence[TagItem], at: datetime
) -> None:
    """Add decks. Their filters name the file's `tags`, which may have other paths here."""
    slugs = tag_slugs(session, [tag.uid for tag in tags if tag.uid]) if decks else {}
    paths = {tag.slug: slugs[tag.uid] for tag in tags if tag.uid in slugs}
    for deck in decks:
        filter = with_current_tags(session, with_paths(deck.filter, paths))
        session.add(
            Deck(
                slug=deck.slug,
                title=deck.title,
                description=deck.description,
                filter=msgspec.to_builtins(filter),
                created_at=at,
                updated_at=at,
                members=[
                    DeckMember(question_uid=uid, position=position)
                    for position, uid in enumerate(deck.questions)
                ],
            )
        )
    session.flush()
