"""Undoing what was done to many questions, as long as nothing was built on it.

An undo appends: texts come back as new revisions, and what is public changes
in one release. Numbers never go back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.models import BulkOperation, BulkRow, ImportWarning, Question, Release, User
from cms.services import shelf
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.jobs import Attempt
from cms.services.operations.bulk import VERBS, allowed, perform
from cms.services.operations.keeping import put_rows
from cms.services.operations.states import Kept, put_state, state_of, unpacked
from cms.services.permissions import needs_another, require_writer
from cms.services.questions import lock_all
from cms.services.releases import open_release
from cms.services.rewriting import restore_texts
from cms.vocabulary import ChangeKind, RowAction

# Questions that a refusal names; the others are counted.
NAMED = 3


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to one question: what was kept of it, and the revision made, if any."""

    stem: str
    question_id: int | None
    number: int | None
    kept: Kept

    @property
    def restored_id(self) -> int | None:
        """The question's id once it is put back."""
        rows = self.kept.rows.get("question")
        return rows[0]["id"] if rows else self.question_id


def bulk_job(attempt: Attempt) -> None:
    """Do the bulk operation that a job names, or undo it."""
    with attempt.finishing() as session:
        operation = session.get_one(BulkOperation, attempt.payload["operation"])
        if attempt.payload.get("undo"):
            undo_bulk(session, operation, by=attempt.actor(session), at=attempt.now())
        else:
            perform(session, operation, at=attempt.now())


def undo_bulk(
    session: Session, operation: BulkOperation, *, by: User | None, at: datetime
) -> int | None:
    """Take a bulk operation back, all of it; return the release, None if readers see no change.

    :raises WrongState: when it is not done, was undone, changed nothing, or one of its
        questions was changed since; nothing is undone then
    :raises NotAllowed: when the actor may not use the operation's verb
    """
    session.refresh(operation, with_for_update=True)
    verb = VERBS[operation.verb]
    allowed(by, verb)
    if operation.done_at is None:
        raise WrongState("This is not done yet, so there is nothing to undo.")
    if operation.undone_at is not None:
        raise WrongState("This was undone already.")
    rows = session.execute(
        select(BulkRow.stem, BulkRow.question_id, BulkRow.number, BulkRow.before)
        .where(BulkRow.operation_id == operation.id, BulkRow.action == RowAction.update)
        .order_by(BulkRow.id)
    )
    done = [Done(stem, key, number, unpacked(before)) for stem, key, number, before in rows]
    if not done:
        raise WrongState("This changed nothing, so there is nothing to undo.")
    told = verb.tell(operation.arguments)
    release = put_back(
        session, done, by=by, at=at, summary=f"Undone: {told}", operation=operation.id
    )
    operation.undone_at = at
    operation.undone_by_id = by.id if by else None
    record(
        session,
        by=by,
        at=at,
        action="bulk.undo",
        about=f"operation:{operation.id}",
        verb=operation.verb,
        questions=len(done),
        release=release,
    )
    session.flush()
    session.expire_all()
    return release


@dataclass(slots=True)
class _Undo:
    """An undo at work. `shown` are to be on the shelf anew, `gone` to leave it, by reason."""

    session: Session
    by: User | None
    at: datetime
    summary: str
    operation: int
    release: Release | None = None
    shown: list[int] = field(default_factory=list)
    gone: dict[str, list[Question]] = field(default_factory=lambda: defaultdict(list))

    def open_release(self) -> Release:
        if self.release is None:
            self.release = open_release(self.session, by=self.by, at=self.at, summary=self.summary)
        return self.release


def put_back(
    session: Session,
    done: Sequence[Done],
    *,
    by: User | None,
    at: datetime,
    summary: str,
    operation: int,
) -> int | None:
    """Give questions back the texts and states that they had before they were `done` to.

    :raises WrongState: when one of them was changed since; nothing is put back then
    """
    undo = _Undo(session, by, at, summary, operation)
    deleted = [each for each in done if each.kept.rows]
    changed = {each.question_id: each for each in done if not each.kept.rows}
    _refuse_built_upon(session, [each for each in done if not each.kept.rows])
    put_rows(session, [each.kept.rows for each in deleted])
    for each in deleted:
        _tell(undo, each.kept.rows["question"][0]["uid"])
    for ids in chunks(sorted(key for key in changed if key is not None)):
        _put_back_some(undo, [(each, changed[each.id]) for each in lock_all(session, ids)])
    session.flush()
    for reason, questions in undo.gone.items():
        shelf.withdraw(session, questions, undo.open_release(), reason=reason)
    if undo.shown:
        shelf.refresh(session, undo.shown, undo.open_release(), ChangeKind.published)
    _drop_missed_schedules(session, [id for each in done if (id := each.restored_id)], at)
    if undo.release is None:
        return None
    return undo.release.number


def _refuse_built_upon(session: Session, done: Sequence[Done]) -> None:
    """Lock the questions; let pass only if each is as it was left."""
    left = {each.question_id: each.kept.left for each in done if each.question_id is not None}
    same: set[int] = set()
    for ids in chunks(sorted(left)):
        same |= {each.id for each in lock_all(session, ids) if state_of(each) == left[each.id]}
    stems = [each.stem for each in done if each.question_id not in same]
    if stems:
        named = ", ".join(f"‘{stem[:80]}’" for stem in stems[:NAMED])
        more = f" and {len(stems) - NAMED:,} more" if len(stems) > NAMED else ""
        verb = "was" if len(stems) == 1 else "were"
        raise WrongState(
            f"{named}{more} {verb} changed since, and undoing would lose that. Nothing was undone."
        )


def _put_back_some(undo: _Undo, pairs: Sequence[tuple[Question, Done]]) -> None:
    _put_texts(undo, [(question, done) for question, done in pairs if done.number is not None])
    warnings: list[int] = []
    for question, done in pairs:
        put_state(question, done.kept.was)
        warnings += done.kept.warnings
        if done.number is None:
            question.published_number = done.kept.was.published_number
            _tell(undo, question.uid)
        if question.published_number == done.kept.left.published_number:
            continue
        if question.published_number is None:
            undo.gone[done.kept.withdrawn].append(question)
        else:
            undo.shown.append(question.id)
    undo.session.flush()
    for some in chunks(warnings):
        undo.session.execute(
            update(ImportWarning)
            .where(ImportWarning.id.in_(some))
            .values(acknowledged_at=None, acknowledged_by_id=None)
        )


def _drop_missed_schedules(session: Session, ids: Sequence[int], at: datetime) -> None:
    """Let no schedule come back whose time is over: its job came and found none."""
    for some in chunks(ids):
        session.execute(
            update(Question)
            .where(Question.id.in_(some), Question.scheduled_at <= at)
            .values(scheduled_number=None, scheduled_at=None)
        )


def _put_texts(undo: _Undo, pairs: Sequence[tuple[Question, Done]]) -> None:
    """Append a revision with the text that each question had; live where the undone one was."""
    live: dict[int, Release] = {}
    waits = needs_another(undo.session, undo.by)
    for question, done in pairs:
        require_writer(undo.by, question)
        if done.kept.left.published_number == done.number and not waits:
            live[question.id] = undo.open_release()
    restore_texts(
        undo.session,
        {question: done.kept.was.latest_number for question, done in pairs},
        live=live,
        by=undo.by,
        at=undo.at,
        summary=undo.summary,
        operation=undo.operation,
    )


def _tell(undo: _Undo, uid: str) -> None:
    record(
        undo.session,
        by=undo.by,
        at=undo.at,
        action="question.undo",
        about=f"question:{uid}",
        operation=undo.operation,
    )
