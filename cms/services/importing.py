"""Applying an import: one transaction, new questions in bulk, each row on record."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from slugify import slugify
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cms.errors import CmsError, InvalidInput, StaleEdit
from cms.formats import Format
from cms.formats.item import (
    SLUG_LIMIT,
    Content,
    CorrectionItem,
    DeckItem,
    SourceItem,
    Upload,
    content_hash,
)
from cms.models import (
    Answer,
    Correction,
    Deck,
    DeckMember,
    ImportBatch,
    ImportRow,
    ImportWarning,
    Provenance,
    Question,
    Revision,
    Source,
    User,
    new_uid,
    question_tag,
)
from cms.services.audit import record
from cms.services.content import searchable, source_rows
from cms.services.permissions import require
from cms.services.planning import Plan, PlannedRow, plan
from cms.services.provenance import source_key
from cms.services.questions import save, slug_owners
from cms.services.shelf import chunks
from cms.services.tags import resolve
from cms.text import unique_name
from cms.vocabulary import CorrectionStatus, Origin, Role, RowAction, Stage

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
    source = upload.name.removesuffix(f".{format.extension}")
    return plan(session, format.read(upload), source=source)


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
        _create(session, some, tag_ids, batch, by=by, at=at)
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


# --- new questions, in bulk ------------------------------------------------------


def _create(
    session: Session,
    rows: Sequence[PlannedRow],
    tag_ids: dict[str, int],
    batch: ImportBatch,
    *,
    by: User | None,
    at: datetime,
) -> None:
    """Insert new questions with all that belongs to them, a statement for each table."""
    contents = _identified(session, rows)
    ids = session.scalars(
        insert(Question).returning(Question.id, sort_by_parameter_order=True),
        [
            {
                "uid": content.uid,
                "slug": content.slug,
                "stem": content.stem,
                "context": content.context,
                "difficulty": content.difficulty,
                "stage": Stage.draft,
                "search_text": searchable(content),
                "latest_number": 1,
                "created_by_id": by.id if by else None,
                "created_at": at,
                "updated_at": at,
            }
            for content in contents
        ],
    ).all()
    for row, question_id in zip(rows, ids, strict=True):
        row.question_id = question_id
    _insert(
        session,
        question_tag,
        [
            {"question_id": question_id, "tag_id": tag_ids[uid]}
            for question_id, content in zip(ids, contents, strict=True)
            for uid in content.tags
        ],
    )
    _insert_answers(session, ids, contents)
    _insert(
        session,
        Revision,
        [
            {
                "question_id": question_id,
                "number": 1,
                "content": msgspec.json.encode(content).decode(),
                "content_hash": content_hash(content),
                "author_id": by.id if by else None,
                "created_at": at,
                "summary": f"Imported from {batch.file_name}"[:500],
                "origin": Origin.imported,
                "batch_id": batch.id,
            }
            for question_id, content in zip(ids, contents, strict=True)
        ],
    )
    _insert(session, Provenance, [p for row in rows if (p := _provenance_values(row, 1))])
    _insert(session, ImportWarning, [w for row in rows for w in _warning_values(row, batch)])
    for row in rows:
        _add_corrections(session, row, 1, at)


def _identified(session: Session, rows: Sequence[PlannedRow]) -> list[Content]:
    """Return the rows' contents with uids and slugs, made where the file has none."""
    contents = [row.content for row in rows if row.content is not None]
    assert len(contents) == len(rows)
    wanted = {
        id(content): content.slug
        or slugify(content.stem, max_length=SLUG_LIMIT - 8, word_boundary=True)
        or f"question-{(content.uid or '')[-12:]}"
        for content in contents
    }
    own = {content.slug for content in contents if content.slug}
    taken = {slug for slug, uids in slug_owners(session, wanted.values()).items() if uids}
    # The file's own addresses were checked when it was planned; made ones give way to them.
    used = own | taken
    result: list[Content] = []
    for content in contents:
        slug = content.slug
        if slug is None:
            slug = unique_name(
                wanted[id(content)],
                lambda s: s in used or bool(slug_owners(session, [s])),
                SLUG_LIMIT,
            )
            used.add(slug)
        answers = [replace(answer, uid=answer.uid or new_uid()) for answer in content.answers]
        result.append(replace(content, slug=slug, answers=answers))
    return result


def _insert_answers(session: Session, ids: Sequence[int], contents: Sequence[Content]) -> None:
    pairs = [
        (answer, {"question_id": question_id, "position": position})
        for question_id, content in zip(ids, contents, strict=True)
        for position, answer in enumerate(content.answers)
    ]
    rows = [
        {
            **place,
            "uid": answer.uid,
            "label": answer.label,
            "body": answer.body,
            "applies_to": answer.applies_to,
        }
        for answer, place in pairs
    ]
    if not any(answer.sources for answer, _ in pairs):
        _insert(session, Answer, rows)
        return
    answer_ids = session.scalars(
        insert(Answer).returning(Answer.id, sort_by_parameter_order=True), rows
    ).all()
    _insert(
        session,
        Source,
        [
            {"answer_id": answer_id, **values}
            for answer_id, (answer, _) in zip(answer_ids, pairs, strict=True)
            for values in _source_values(answer.sources)
        ],
    )


def _source_values(sources: Iterable[SourceItem]) -> Iterator[dict[str, Any]]:
    for position, source in enumerate(sources):
        yield {
            "position": position,
            "url": source.url,
            "title": source.title,
            "accessed_on": source.accessed_on,
        }


def _provenance_values(row: PlannedRow, number: int) -> dict[str, Any] | None:
    assert row.item is not None
    origin = row.item.provenance
    if origin is None:
        return None
    return {
        "question_id": row.question_id,
        "source": origin.source,
        "url": origin.url,
        "date": origin.date,
        "license": origin.license,
        "attribution": origin.attribution,
        "external_id": origin.external_id,
        "ordinal": origin.ordinal,
        "stem_key": source_key(row.item.stem),
        "imported_number": number,
    }


def _warning_values(row: PlannedRow, batch: ImportBatch) -> Iterator[dict[str, Any]]:
    for damage in row.damages:
        yield {
            "question_id": row.question_id,
            "batch_id": batch.id,
            "kind": damage.kind,
            "message": damage.message,
            "passage": damage.passage,
        }


def _insert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(table), rows)


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
    _add_corrections(session, row, question.latest_number, at)
    values = _provenance_values(row, question.latest_number)
    if values is not None:
        session.merge(Provenance(**values))
    _insert(session, ImportWarning, list(_warning_values(row, batch)))
    session.flush()


def _add_corrections(session: Session, row: PlannedRow, number: int, at: datetime) -> None:
    """Add the file's corrections; the fixing revision is the one that the row made."""
    if not row.corrections:
        return
    numbers = [c.number for c in row.corrections if c.number is not None]
    taken = set(session.scalars(select(Correction.number).where(Correction.number.in_(numbers))))
    for item in row.corrections:
        session.add(_correction_row(item, row, number, at, free=item.number not in taken))
    session.flush()


def _correction_row(
    item: CorrectionItem, row: PlannedRow, number: int, at: datetime, *, free: bool
) -> Correction:
    decided = item.status not in {CorrectionStatus.open, CorrectionStatus.held}
    return Correction(
        uid=item.uid or new_uid(),
        number=item.number if free else None,
        question_id=row.question_id,
        answer_uid=item.answer,
        kind=item.kind,
        claim=item.claim,
        explanation=item.explanation,
        fix=item.fix,
        status=item.status,
        credit=item.credit,
        created_at=at,
        decided_at=(item.decided_at or at) if decided else None,
        fixed_in=number if item.status == CorrectionStatus.accepted else None,
        sources=source_rows(item.sources),
    )


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
