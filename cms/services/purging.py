"""Purging: a question's text goes from every table, for good. A tombstone and the reason stay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, text, update
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.models import (
    AuditEvent,
    BulkRow,
    Change,
    Comment,
    Correction,
    ImportRow,
    Job,
    PublishedCorrection,
    Question,
    Release,
    Revision,
    User,
    Withdrawal,
)
from cms.services import shelf
from cms.services.assets import drop_orphans, names_of
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.content import decode
from cms.services.decks import keep_decks
from cms.services.membership import decks_naming, replace_member
from cms.services.permissions import require
from cms.services.questions import lock, lock_all, was_public
from cms.services.releases import open_release
from cms.text import normalize_line
from cms.vocabulary import ChangeKind, Role, RowAction

PURGED = "It was purged."
MARK = {"purged": True}
"""All that stays of an event's data; the database lets nothing else be changed of one."""
SUMMARY = "About a question that was purged"
# So much of a stem tells which one it is, also where it was cut off.
TELLING = 40

_APART = {"synchronize_session": False}
_WRITE_INDEXES_ANEW = (
    text("INSERT INTO question_search (question_search) VALUES ('optimize')"),
    text("INSERT INTO publication_search (publication_search) VALUES ('optimize')"),
)


def purge(
    session: Session, question: Question, *, reason: str, by: User | None, at: datetime
) -> int | None:
    """Take a question out of the bank with all its text; return the release, if it was public.

    Its public address says that it is gone, and the reason. Nothing brings it back.

    :raises NotAllowed: when the actor is no administrator
    :raises InvalidInput: when no reason is given
    """
    require(by, Role.admin, "purge questions")
    reason = normalize_line(reason)
    if not reason:
        raise InvalidInput("Say why: it is all that stays.", field="reason")
    # Those that were merged into it change, too: a release is opened after all the locks.
    merged = select(Question.id).where(Question.merged_into_id == question.id)
    lock_all(session, [question.id, *session.scalars(merged)])
    lock(session, question)
    uid, public = question.uid, was_public(session, question)
    stems = _stems(session, question)
    decks = decks_naming(session, uid)
    numbers, errata = _correction_numbers(session, question), _public_errata(question)
    release: Release | None = None
    if public or decks or session.scalar(select(exists().where(errata))):
        release = open_release(session, by=by, at=at, summary="Purged a question")
        replace_member(session, release, decks, uid, None, by=by, at=at)
        session.execute(delete(PublishedCorrection).where(errata), execution_options=_APART)
    if public and release is not None:
        _leave_tombstone(session, question, release, reason=reason)
        _hush_releases(session, uid, stems)
    _hush_moves(session, question)
    _hush_audit(session, question)
    _hush_rows(session, question, stems)
    images = names_of(session, question)
    _delete(session, question)
    for some in chunks(drop_orphans(session, images, by=by, at=at)):
        _mark(session, AuditEvent.object.in_([f"asset:{name}" for name in some]))
    record(
        session,
        by=by,
        at=at,
        action="question.purge",
        about=f"question:{uid}",
        reason=reason,
        release=release.number if release else None,
        # What was named by a number is never taken for another one.
        **({"highest_correction": max(numbers)} if numbers else {}),
    )
    session.flush()
    _forget_words(session)
    session.expire_all()
    return release.number if release else None


def _forget_words(session: Session) -> None:
    """Write SQLite's full-text index anew: it keeps the words of what was deleted until it has to.

    See "The 'optimize' Command" in SQLite's documentation of FTS5. PostgreSQL's stands in the rows.
    """
    if session.get_bind().dialect.name == "sqlite":
        for statement in _WRITE_INDEXES_ANEW:
            session.execute(statement)


def _stems(session: Session, question: Question) -> list[str]:
    """Return every stem that the question has or had, by which others may speak of it."""
    revisions = session.scalars(select(Revision).filter_by(question_id=question.id))
    found = {question.stem, *(decode(revision).stem for revision in revisions)}
    return sorted(stem for stem in found if stem)


def _correction_numbers(session: Session, question: Question) -> list[int]:
    """Return the numbers that were given to the question's corrections."""
    numbers = select(Correction.number).where(Correction.question_id == question.id)
    return [number for number in session.scalars(numbers) if number is not None]


def _public_errata(question: Question) -> ColumnElement[bool]:
    """Return what selects the question's errata, also those that stand where a merge found them."""
    mine = select(Correction.uid).where(Correction.question_id == question.id)
    return or_(PublishedCorrection.question_uid == question.uid, PublishedCorrection.uid.in_(mine))


def _leave_tombstone(
    session: Session, question: Question, release: Release, *, reason: str
) -> None:
    if question.published_number is not None:
        question.published_number = None
        session.flush()
        shelf.withdraw(session, [question], release, reason=reason, purged=True)
        return
    session.execute(
        update(Withdrawal)
        .where(Withdrawal.uid == question.uid)
        .values(stem="", reason=reason, release=release.number, at=release.at)
    )
    change = {"release": release.number, "uid": question.uid, "what": ChangeKind.purged}
    session.execute(insert(Change), [change])
    keep_decks(session, release, [question.uid])


def _hush_releases(session: Session, uid: str, stems: Sequence[str]) -> None:
    """Take the stem out of what the question's releases are called."""
    numbers = select(Change.release).where(Change.uid == uid)
    for release in session.scalars(select(Release).where(Release.number.in_(numbers))):
        if any(stem[:TELLING] in release.summary for stem in stems):
            release.summary = SUMMARY


def _hush_audit(session: Session, question: Question) -> None:
    """Leave of the events of the question, and of what belonged to it, that they happened."""
    corrections = select(Correction.uid).where(Correction.question_id == question.id)
    comments = select(Comment.id).where(Comment.question_id == question.id)
    about = [
        f"question:{question.uid}",
        *(f"correction:{uid}" for uid in session.scalars(corrections)),
        *(f"comment:{id}" for id in session.scalars(comments)),
    ]
    for some in chunks(about):
        _mark(session, AuditEvent.object.in_(some))


def _hush_moves(session: Session, question: Question) -> None:
    """Leave nothing of what a merge wrote down of corrections that it took to another question."""
    merges = select(AuditEvent.data).where(
        AuditEvent.object == f"question:{question.uid}", AuditEvent.action == "question.merge"
    )
    for data in session.scalars(merges).all():
        for some in chunks([f"correction:{uid}" for uid in data["corrections"]]):
            _mark(session, AuditEvent.object.in_(some), AuditEvent.action == "correction.move")


def _mark(session: Session, *criteria: ColumnElement[bool]) -> None:
    session.execute(update(AuditEvent).where(*criteria).values(data=MARK), execution_options=_APART)


def _hush_rows(session: Session, question: Question, stems: Sequence[str]) -> None:
    """Empty the rows of imports and operations; nothing of them can be undone any more."""
    hushed: dict[str, Any] = {
        "stem": "",
        "message": PURGED,
        "before": None,
        "number": None,
        "action": RowAction.unchanged,
    }
    read: dict[str, Any] = {"stated": None, "chosen": False}
    for table, more in ((ImportRow, read), (BulkRow, {})):
        mine = table.question_id == question.id
        nobodys = and_(table.question_id.is_(None), table.stem.in_(stems))
        session.execute(
            update(table).where(or_(mine, nobodys)).values(**hushed, **more),
            execution_options=_APART,
        )
    for stem in stems:
        told = Job.error.contains(stem[:TELLING], autoescape=True)
        session.execute(update(Job).where(told).values(error=PURGED), execution_options=_APART)


def _delete(session: Session, question: Question) -> None:
    """Delete the row, and by its foreign keys all that belongs to it."""
    mine = select(Correction.id).where(Correction.question_id == question.id)
    for statement in (
        update(Question).where(Question.merged_into_id == question.id).values(merged_into_id=None),
        update(Correction).where(Correction.duplicate_of_id.in_(mine)).values(duplicate_of_id=None),
        delete(Question).where(Question.id == question.id),
    ):
        session.execute(statement, execution_options=_APART)
    session.expunge(question)
