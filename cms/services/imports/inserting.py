"""New questions in bulk: a statement for each table, not for each row."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from slugify import slugify
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cms.formats.item import SLUG_LIMIT, Content, CorrectionItem, content_hash
from cms.models import (
    Answer,
    Correction,
    ImportBatch,
    ImportWarning,
    Option,
    Provenance,
    Question,
    Revision,
    Source,
    User,
    new_uid,
    question_tag,
)
from cms.services.addresses import slug_owners
from cms.services.assets import note_uses
from cms.services.content import derived, option_values, source_rows, source_values
from cms.services.imports.planning import PlannedRow
from cms.text import stem_key, unique_name
from cms.vocabulary import CorrectionStatus, Origin, Stage


def insert_questions(
    session: Session,
    rows: Sequence[PlannedRow],
    tag_ids: dict[str, int],
    batch: ImportBatch,
    *,
    reserved: Set[str],
    by: User | None,
    at: datetime,
) -> None:
    """Insert new questions with all that belongs to them, a statement for each table.

    `reserved` are the addresses that the file itself gives to questions: those
    that are made give way to them.
    """
    contents = _identified(session, rows, reserved)
    placed = _insert_identified(
        session,
        Question,
        [
            {
                "uid": content.uid,
                "slug": content.slug,
                "stem": content.stem,
                "stem_key": stem_key(content.stem),
                "context": content.context,
                "difficulty": content.difficulty,
                "stage": Stage.draft,
                **derived(content),
                "latest_number": 1,
                "created_by_id": by.id if by else None,
                "created_at": at,
                "updated_at": at,
            }
            for content in contents
        ],
    )
    ids = [placed[content.uid or ""] for content in contents]
    for row, question_id in zip(rows, ids, strict=True):
        row.question_id = question_id
        row.number = 1
    insert_rows(
        session,
        question_tag,
        [
            {"question_id": question_id, "tag_id": tag_ids[uid]}
            for question_id, content in zip(ids, contents, strict=True)
            for uid in content.tags
        ],
    )
    _insert_answers(session, ids, contents)
    insert_rows(
        session,
        Option,
        [
            {"question_id": question_id, **values}
            for question_id, content in zip(ids, contents, strict=True)
            for values in option_values(content.options)
        ],
    )
    revisions: list[dict[str, Any]] = [
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
    ]
    insert_rows(session, Revision, revisions)
    note_uses(session, ((each["question_id"], each["content"]) for each in revisions))
    insert_rows(session, Provenance, [p for row in rows if (p := provenance_values(row, 1))])
    insert_rows(session, ImportWarning, [w for row in rows for w in warning_values(row, batch)])
    for row in rows:
        add_corrections(session, row, 1, at)


def _identified(session: Session, rows: Sequence[PlannedRow], reserved: Set[str]) -> list[Content]:
    """Return the rows' contents with uids and slugs, made where the file has none."""
    contents = [row.content for row in rows if row.content is not None]
    assert len(contents) == len(rows)
    wanted = {
        id(content): content.slug
        or slugify(content.stem, max_length=SLUG_LIMIT - 8, word_boundary=True)
        or f"question-{(content.uid or '')[-12:]}"
        for content in contents
    }
    used = reserved | slug_owners(session, wanted.values()).keys()
    free = set(wanted.values()) - used

    def is_taken(slug: str) -> bool:
        if slug not in used and slug not in free and slug_owners(session, [slug]):
            used.add(slug)
        return slug in used

    result: list[Content] = []
    for content in contents:
        slug = content.slug
        if slug is None:
            slug = unique_name(wanted[id(content)], is_taken, SLUG_LIMIT)
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
        insert_rows(session, Answer, rows)
        return
    placed = _insert_identified(session, Answer, rows)
    insert_rows(
        session,
        Source,
        [
            {"answer_id": placed[answer.uid or ""], **values}
            for answer, _ in pairs
            for values in source_values(answer.sources)
        ],
    )


def provenance_values(row: PlannedRow, number: int) -> dict[str, Any] | None:
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
        "stem_key": stem_key(row.item.stem),
        "imported_number": number if row.stated.by_source else None,
    }


def warning_values(row: PlannedRow, batch: ImportBatch) -> Iterator[dict[str, Any]]:
    for damage in row.damages:
        yield {
            "question_id": row.question_id,
            "batch_id": batch.id,
            "kind": damage.kind,
            "message": damage.message,
            "passage": damage.passage,
        }


def add_warnings(session: Session, row: PlannedRow, batch: ImportBatch) -> None:
    """Add the warnings of an updated question, but for those that it has, open or dealt with."""
    told = (ImportWarning.kind, ImportWarning.message, ImportWarning.passage)
    statement = select(*told).where(ImportWarning.question_id == row.question_id)
    held = {tuple(each) for each in session.execute(statement)}
    values = warning_values(row, batch)
    new = [w for w in values if (w["kind"], w["message"], w["passage"]) not in held]
    insert_rows(session, ImportWarning, new)


def _insert_identified(
    session: Session, table: type[Question] | type[Answer], rows: list[dict[str, Any]]
) -> dict[str, int]:
    """Insert rows and return their ids by uid.

    A statement that returns something has many rows. SQLite's full-text index writes what it
    holds in memory with each statement, so a statement for each row takes three times as long.
    """
    statement = insert(table).returning(table.uid, table.id)
    return dict(session.connection().execute(statement, rows).all())


def insert_rows(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        # Past the ORM, which has nothing to do for rows of columns.
        session.connection().execute(insert(table), rows)


def add_corrections(session: Session, row: PlannedRow, number: int, at: datetime) -> list[str]:
    """Add the file's corrections and return their uids; the row's revision is the fixing one."""
    if not row.corrections:
        return []
    numbers = [c.number for c in row.corrections if c.number is not None]
    taken = set(session.scalars(select(Correction.number).where(Correction.number.in_(numbers))))
    added = [
        _correction_row(item, row, number, at, free=item.number not in taken)
        for item in row.corrections
    ]
    session.add_all(added)
    session.flush()
    note_uses(
        session,
        ((each.question_id, f"{each.claim}\n{each.explanation}\n{each.fix}") for each in added),
    )
    return [correction.uid for correction in added]


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
