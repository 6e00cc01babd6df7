"""Undoing an import, as long as nothing was built on it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, insert, or_, select
from sqlalchemy.orm import Session, aliased

from cms.errors import WrongState
from cms.models import (
    AuditEvent,
    Change,
    Comment,
    Correction,
    Deck,
    ImportBatch,
    ImportRow,
    ImportWarning,
    Provenance,
    PublishedCorrection,
    PublishedDeck,
    Question,
    User,
)
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.decks import keep_decks
from cms.services.errata import free_duplicates
from cms.services.imports.inserting import insert_rows
from cms.services.imports.uploads import UNDO, state_of
from cms.services.jobs import enqueue
from cms.services.operations.bulk import LARGE
from cms.services.permissions import require
from cms.services.questions import lock_all
from cms.services.releases import open_release
from cms.services.rewriting import restore_texts
from cms.services.tags import delete_unused
from cms.vocabulary import ImportState, Role

NAMED = 3  # questions that a refusal names


def undo_import(session: Session, batch: ImportBatch, *, by: User | None, at: datetime) -> None:
    """Take back what an import wrote: new questions go, changed ones get their former text.

    The former text comes back as a new revision. Tags and decks that the import
    made go, too, unless something else uses them by now.

    :raises WrongState: when the import was not written, was undone before, something
        was built on it, or the version before wrote it; nothing is undone then
    """
    _hold_written(session, batch, by=by)
    rows = _written(session, batch)
    if not rows and not any(batch.made.values()):
        raise WrongState(
            "There is no record of what this import wrote, so it cannot be undone as a whole. "
            "Change its questions one by one instead."
        )
    # Whoever changes one of them now waits, and finds it as the undo leaves it.
    for ids in chunks(sorted(row.question_id for row in rows if row.question_id is not None)):
        lock_all(session, ids)
    _refuse_built_on(blockers(session, rows))
    new = [row for row in rows if row.before is None]
    _delete_questions(session, new, batch, by=by, at=at)
    for some in chunks([row for row in rows if row.before is not None]):
        _restore(session, some, batch, by=by, at=at)
    public = _delete_decks(session, batch)
    delete_unused(session, batch.made.get("tags", []), by=by, at=at)
    if public:
        summary = f"Undid the import of {batch.file_name}"
        keep_decks(session, open_release(session, by=by, at=at, summary=summary))
    batch.undone_at = at
    batch.undone_by_id = by.id if by else None
    record(
        session,
        by=by,
        at=at,
        action="import.undo",
        about=f"import:{batch.id}",
        file=batch.file_name,
        questions=len(rows),
    )
    session.flush()
    session.expire_all()


def undo_later(session: Session, batch: ImportBatch, *, by: User | None, at: datetime) -> None:
    """Have a worker undo an import: a large one takes longer than a page may.

    :raises WrongState: when the import was not written, was undone, or is being undone
    """
    _hold_written(session, batch, by=by)
    if state_of(batch) == ImportState.undoing:
        raise WrongState("This import is being undone already.")
    batch.job = enqueue(session, UNDO, {"batch": batch.id}, by=by, at=at)
    session.flush()


def is_large(session: Session, batch: ImportBatch) -> bool:
    """Whether an import wrote so many questions that a worker has to undo it."""
    some = select(ImportRow.id).where(ImportRow.batch_id == batch.id, ImportRow.number.is_not(None))
    return session.scalar(some.order_by(ImportRow.id).offset(LARGE).limit(1)) is not None


def _hold_written(session: Session, batch: ImportBatch, *, by: User | None) -> None:
    require(by, Role.editor, "undo imports")
    session.flush()
    session.refresh(batch, with_for_update=True)
    if batch.job is not None:
        session.refresh(batch.job)
    if batch.undone_at is not None:
        raise WrongState("This import was undone already.")
    if batch.applied_at is None:
        raise WrongState("This import was not written, so there is nothing to undo.")


def blockers(session: Session, rows: Iterable[ImportRow]) -> Iterator[tuple[str, str]]:
    """Yield what was built on the rows of an import: a stem, and what happened to it since."""
    other = aliased(Question)
    for some in chunks([row for row in rows if row.question_id is not None]):
        numbers = {row.question_id: row for row in some}
        corrected = _corrected_since(session, numbers)
        published = exists().where(Change.uid == Question.uid)
        answers_for_others = exists().where(other.merged_into_id == Question.id)
        talked_about = exists().where(Comment.question_id == Question.id)
        for question, was_public, stands_in, has_comments in session.execute(
            select(Question, published, answers_for_others, talked_about)
            .where(Question.id.in_(numbers))
            .order_by(Question.id)
        ):
            row = numbers[question.id]
            if question.merged_into_id is not None or stands_in:
                yield question.stem, "was merged with another"
            elif question.latest_number != row.number:
                yield question.stem, "was edited"
            elif was_public if row.before is None else _brought(row, question.published_number):
                yield question.stem, "was published"
            elif _brought(row, question.scheduled_number):
                yield question.stem, "was scheduled"
            elif question.id in corrected:
                yield question.stem, "got a correction"
            elif row.before is None and has_comments:
                # What people said would go with the question.
                yield question.stem, "was commented on"


def _brought(row: ImportRow, number: int | None) -> bool:
    """Whether the revision of this number has the text that a row brought."""
    has_text = row.before is None or bool(row.before.get("text"))
    return has_text and number is not None and number == row.number


def _corrected_since(session: Session, rows: dict[int | None, ImportRow]) -> set[int]:
    """Return the questions of which somebody filed a correction that would go, or used one."""
    new = [id for id, row in rows.items() if row.before is None]
    brought = [uid for row in rows.values() for uid in (row.before or {}).get("corrections", [])]
    filed = Correction.seen_in.is_not(None)
    used = or_(
        Correction.decided_by_id.is_not(None),
        exists().where(PublishedCorrection.uid == Correction.uid),
    )
    return set(
        session.scalars(
            select(Correction.question_id).where(
                or_(
                    and_(Correction.question_id.in_(new), or_(filed, used)),
                    and_(Correction.uid.in_(brought), used),
                )
            )
        )
    )


def _refuse_built_on(found: Iterator[tuple[str, str]]) -> None:
    built = list(found)
    if built:
        shown = "; ".join(f"‘{stem[:80]}’ {what}" for stem, what in built[:NAMED])
        others = f"; and {len(built) - NAMED:,} more" if len(built) > NAMED else ""
        raise WrongState(
            f"This import cannot be undone, because something was built on it: {shown}{others}. "
            "Change those questions one by one instead."
        )


def _written(session: Session, batch: ImportBatch) -> list[ImportRow]:
    return list(
        session.scalars(
            select(ImportRow)
            .where(ImportRow.batch_id == batch.id, ImportRow.number.is_not(None))
            .order_by(ImportRow.id)
        )
    )


def _delete_questions(
    session: Session,
    rows: Sequence[ImportRow],
    batch: ImportBatch,
    *,
    by: User | None,
    at: datetime,
) -> None:
    """Delete drafts in bulk; what belongs to them goes by the database's cascades."""
    for some in chunks([row.question_id for row in rows if row.question_id is not None]):
        uids = session.scalars(select(Question.uid).where(Question.id.in_(some))).all()
        events: list[dict[str, Any]] = [
            {
                "at": at,
                "actor_id": by.id if by else None,
                "action": "question.delete",
                "object": f"question:{uid}",
                "data": {"import": batch.id},
            }
            for uid in uids
        ]
        if events:
            session.execute(insert(AuditEvent), events)
        free_duplicates(session, Correction.question_id.in_(some))
        session.execute(
            delete(Question)
            .where(Question.id.in_(some))
            .execution_options(synchronize_session=False)
        )


def _restore(
    session: Session,
    rows: Sequence[ImportRow],
    batch: ImportBatch,
    *,
    by: User | None,
    at: datetime,
) -> None:
    """Give questions the texts that they had before the rows, and their provenance."""
    held = {row.question_id: row for row in rows if row.question_id is not None}
    corrections = [uid for row in rows for uid in (row.before or {}).get("corrections", [])]
    free_duplicates(session, Correction.uid.in_(corrections))
    session.execute(delete(Correction).where(Correction.uid.in_(corrections)))
    session.execute(
        delete(ImportWarning).where(
            ImportWarning.question_id.in_(held), ImportWarning.batch_id == batch.id
        )
    )
    stated = {key: row.before for key, row in held.items() if "provenance" in (row.before or {})}
    session.execute(delete(Provenance).where(Provenance.question_id.in_(stated)))
    former = [before["provenance"] for before in stated.values() if before]
    insert_rows(session, Provenance, [each for each in former if each is not None])
    numbers: dict[Question, int] = {}
    for question in lock_all(session, list(held)):
        row = held[question.id]
        if (row.before or {}).get("text") and row.number is not None:
            numbers[question] = row.number - 1
    restore_texts(
        session,
        numbers,
        live={},
        by=by,
        at=at,
        summary=f"Undid the import of {batch.file_name}",
    )


def _delete_decks(session: Session, batch: ImportBatch) -> bool:
    """Delete the decks that the import made and nobody changed since; say if one was public.

    All decks are locked, as for a change of a tag: that locks them in one order,
    too, and before its release.
    """
    slugs = batch.made.get("decks", [])
    if not slugs:
        return False
    decks = session.scalars(select(Deck).order_by(Deck.id).with_for_update())
    # A deck of that address that is older or younger is somebody else's.
    made = [
        deck
        for deck in decks
        if deck.slug in slugs and deck.version == 1 and deck.created_at == batch.applied_at
    ]
    for deck in made:
        session.delete(deck)
    session.flush()
    gone = [deck.slug for deck in made]
    return bool(session.scalar(select(exists().where(PublishedDeck.slug.in_(gone)))))
