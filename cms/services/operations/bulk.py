"""Bulk operations: one verb on many questions, on record row by row, in one release at most.

`begin` writes down what is to be done, `perform` does it: at once, or in a job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, insert, select, update
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound, WrongState
from cms.models import BulkOperation, BulkRow, Job, Question, User
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.jobs import enqueue
from cms.services.operations import verbs
from cms.services.operations.arguments import checked, given
from cms.services.operations.verbs import Work
from cms.services.permissions import require
from cms.vocabulary import JobState, Role, RowAction

BULK = "bulk"
"""The kind of job that performs an operation, or undoes it."""
LARGE = 200
"""Questions of an operation that is still done at once; a larger one is a worker's."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A bulk verb. `told` says what it did, with its arguments; `untold` where the last is none.

    `asks` names its arguments. `warning` says before it what is not easily seen.
    """

    words: str
    told: str
    role: Role
    perform: Callable[[Work], None]
    asks: tuple[str, ...] = ()
    warning: str = ""
    untold: str = ""
    rewrites: bool = False

    def tell(self, arguments: dict[str, Any]) -> str:
        """Return what the verb does with these arguments, in the past tense."""
        none = bool(self.asks) and not arguments[self.asks[-1]]
        return self.untold if none else self.told.format(**arguments)


def allowed(by: User | None, verb: Verb) -> None:
    """Let the actor pass, or say who may.

    :raises NotAllowed: when the actor's role does not include the verb
    """
    require(by, verb.role, f"do this: {verb.words.lower()}")


VERBS: dict[str, Verb] = {
    "publish": Verb(
        "Publish",
        "Published",
        Role.editor,
        verbs.publish,
        warning="Readers will see their newest text at once.",
    ),
    "publish_at": Verb(
        "Publish at a time",
        "Scheduled for {when} UTC",
        Role.editor,
        verbs.publish_at,
        ("when",),
        warning="What is their newest text now goes public then; what is saved later does not. "
        "It takes the place of any schedule that they have.",
    ),
    "unschedule": Verb(
        "Take back the schedule",
        "Took back the schedules",
        Role.editor,
        verbs.unschedule,
        warning="They stay as they are until somebody publishes them.",
    ),
    "submit": Verb("Submit for review", "Submitted for review", Role.contributor, verbs.submit),
    "return": Verb("Return to draft", "Returned to draft", Role.contributor, verbs.return_to_draft),
    "retire": Verb(
        "Retire",
        "Retired",
        Role.editor,
        verbs.retire,
        warning="Their addresses will say that they are gone. "
        "Un-retiring makes them drafts again; undoing brings them back as they were.",
    ),
    "unretire": Verb("Un-retire", "Made drafts again", Role.editor, verbs.unretire),
    "add_tag": Verb(
        "Add a tag", "Added the tag {tag}", Role.contributor, verbs.add_tag, ("tag",), rewrites=True
    ),
    "remove_tag": Verb(
        "Remove a tag",
        "Removed the tag {tag}",
        Role.contributor,
        verbs.remove_tag,
        ("tag",),
        warning="Tags below it stay.",
        rewrites=True,
    ),
    "replace_tag": Verb(
        "Replace a tag",
        "Replaced the tag {tag} by {other}",
        Role.contributor,
        verbs.replace_tag,
        ("tag", "other"),
        warning="Only questions that have the first tag are changed.",
        rewrites=True,
    ),
    "difficulty": Verb(
        "Set the difficulty",
        "Set the difficulty to {difficulty}",
        Role.contributor,
        verbs.set_difficulty,
        ("difficulty",),
        untold="Took the difficulty away",
        rewrites=True,
    ),
    "review_by": Verb(
        "Set the review date",
        "Set the review date to {review_by}",
        Role.editor,
        verbs.set_review_date,
        ("review_by",),
        untold="Took the review date away",
    ),
    "assign": Verb(
        "Assign",
        "Assigned to {assignee}",
        Role.editor,
        verbs.assign,
        ("assignee",),
        untold="Assigned to nobody",
    ),
    "acknowledge": Verb(
        "Acknowledge warnings",
        "Acknowledged the warnings",
        Role.editor,
        verbs.acknowledge_warnings,
        warning="Every open import warning of these questions will count as looked at.",
    ),
    "delete": Verb(
        "Delete drafts",
        "Deleted",
        Role.contributor,
        verbs.delete_drafts,
        warning="Drafts that were never public disappear with their history; undoing brings both "
        "back. What was public is refused: retire it instead.",
    ),
}


@dataclass(frozen=True, slots=True)
class Foresight:
    """What is known of a selection before anything is done.

    `live` counts the published ones without unpublished changes, `waiting` those
    with some.
    """

    count: int
    live: int
    waiting: int


def foresee(session: Session, chosen: Select[Any]) -> Foresight:
    """Count the questions whose ids `chosen` selects."""
    live = case((Question.published_number == Question.latest_number, 1), else_=0)
    waiting = case((Question.published_number != Question.latest_number, 1), else_=0)
    row = session.execute(
        select(func.count(), func.sum(live), func.sum(waiting)).where(Question.id.in_(chosen))
    ).one()
    return Foresight(row[0], row[1] or 0, row[2] or 0)


def begin(
    session: Session,
    name: str,
    question_ids: Sequence[int],
    arguments: Mapping[str, str],
    *,
    by: User | None,
    at: datetime,
) -> BulkOperation:
    """Write down what is to be done with which questions; nothing of them changes yet.

    :raises NotFound: when there is no such verb, or no tag that is to be taken off
    :raises NotAllowed: when the actor's role does not include the verb
    :raises InvalidInput: when no question is chosen, or an argument breaks a rule
    """
    verb = find_verb(name)
    allowed(by, verb)
    stated = checked(session, name, verb.asks, arguments, at=at)
    operation = BulkOperation(verb=name, arguments=stated, by_id=by.id if by else None, at=at)
    session.add(operation)
    session.flush()
    chosen = 0
    wanted = list(dict.fromkeys(question_ids))
    stems: dict[int, str] = {}
    for ids in chunks(sorted(wanted)):
        # A row holds its question by a weaker lock: two who begin would wait for each other.
        held = select(Question.id, Question.stem).where(Question.id.in_(ids)).order_by(Question.id)
        stems |= dict(session.execute(held.with_for_update()).all())
    for ids in chunks(wanted):
        rows = [
            {
                "operation_id": operation.id,
                "question_id": key,
                "stem": stems[key],
                "action": RowAction.update,
            }
            for key in ids
            if key in stems
        ]
        if rows:
            session.execute(insert(BulkRow), rows)
        chosen += len(rows)
    if not chosen:
        raise InvalidInput("Choose at least one question.")
    return operation


def hand_over(
    session: Session,
    operation: BulkOperation,
    *,
    by: User | None,
    at: datetime,
    undo: bool = False,
) -> Job:
    """Let a worker perform an operation that was begun, or undo it.

    :raises WrongState: when one is at it already
    """
    session.refresh(operation, with_for_update=True)
    if operation.job is not None and operation.job.state in {JobState.queued, JobState.running}:
        raise WrongState("A worker is at it already. Wait for it.")
    job = enqueue(session, BULK, {"operation": operation.id, "undo": undo}, by=by, at=at)
    operation.job_id = job.id
    session.flush()
    session.refresh(operation)
    return job


def perform(session: Session, operation: BulkOperation, *, at: datetime) -> None:
    """Do an operation that was begun, once.

    What can be done is done, the rest is left alone with its reason on record.

    :raises WrongState: when it was done already, or its tag was deleted meanwhile
    :raises NotAllowed: when its actor may not do so any more
    """
    session.refresh(operation, with_for_update=True)
    if operation.done_at is not None:
        raise WrongState("This was done already.")
    verb = VERBS[operation.verb]
    by = operation.by
    allowed(by, verb)
    arguments = given(session, operation, by=by, at=at)
    # The questions are locked before a release is opened: its lock comes last everywhere.
    held = (
        select(Question.id)
        .join(BulkRow, BulkRow.question_id == Question.id)
        .where(BulkRow.operation_id == operation.id)
        .order_by(Question.id)
    )
    session.execute(held.with_for_update(of=Question)).all()
    session.execute(
        update(BulkRow)
        .where(BulkRow.operation_id == operation.id, BulkRow.question_id.is_(None))
        .values(action=RowAction.error, message="It was deleted meanwhile.")
    )
    rows = session.execute(
        select(BulkRow.question_id, BulkRow.id).where(
            BulkRow.operation_id == operation.id, BulkRow.question_id.is_not(None)
        )
    )
    told = verb.tell(operation.arguments)
    work = Work(session, operation.id, dict(rows.all()), arguments, told, by, at)  # type: ignore[arg-type]
    verb.perform(work)
    operation.done_at = at
    operation.release = work.release.number if work.release else None
    session.flush()
    record(
        session,
        by=by,
        at=at,
        action="bulk",
        about=f"operation:{operation.id}",
        verb=operation.verb,
        arguments=operation.arguments,
        release=operation.release,
        totals={
            action.value: count
            for action, count in totals(session, [operation.id])[operation.id].items()
        },
    )
    session.flush()
    # Tags were written past the session's objects.
    session.expire_all()


def totals(session: Session, operations: Sequence[int]) -> dict[int, dict[RowAction, int]]:
    """Return how many rows of each operation came to what, in one query."""
    found: dict[int, dict[RowAction, int]] = {key: {} for key in operations}
    statement = (
        select(BulkRow.operation_id, BulkRow.action, func.count())
        .where(BulkRow.operation_id.in_(operations))
        .group_by(BulkRow.operation_id, BulkRow.action)
    )
    for key, action, count in session.execute(statement):
        found[key][action] = count
    return found


def find_verb(name: str) -> Verb:
    """Return the verb of this name.

    :raises NotFound: when there is none
    """
    if name not in VERBS:
        raise NotFound("There is no such action.")
    return VERBS[name]
