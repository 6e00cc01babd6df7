"""The editors' queues: what waits for somebody, as conditions on questions and capped counts."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, not_, select
from sqlalchemy.orm import Session

from cms.models import Correction, ImportWarning, Question
from cms.services.warnings import is_open
from cms.vocabulary import CorrectionStatus, Stage

# A count stops here and reads '99+': a queue's length costs the same in every bank.
COUNTED = 100


def alive() -> ColumnElement[bool]:
    """Whether a question is neither retired nor merged into another."""
    return and_(Question.retired_at.is_(None), Question.merged_into_id.is_(None))


def in_review() -> ColumnElement[bool]:
    return and_(Question.stage == Stage.in_review, alive())


def has_open_correction() -> ColumnElement[bool]:
    waiting = select(Correction.question_id).where(Correction.status == CorrectionStatus.open)
    return Question.id.in_(waiting)


def has_warning() -> ColumnElement[bool]:
    """Whether a passage that looked damaged on import is neither mended nor acknowledged."""
    waiting = select(ImportWarning.question_id).where(is_open())
    return Question.id.in_(waiting)


def has_unpublished_changes() -> ColumnElement[bool]:
    return and_(Question.published_number != Question.latest_number, alive())


def is_scheduled() -> ColumnElement[bool]:
    return Question.scheduled_at.is_not(None)


def has_no_source() -> ColumnElement[bool]:
    """Whether none of a question's answers cites anything."""
    return and_(not_(Question.cited), alive())


def has_no_answer() -> ColumnElement[bool]:
    return and_(not_(Question.answered), alive())


@dataclass(frozen=True, slots=True)
class Queue:
    """`hint` says what to do with what waits in it."""

    title: str
    hint: str
    condition: Callable[[], ColumnElement[bool]]


QUEUES: dict[str, Queue] = {
    "review": Queue("In review", "Read them, then publish or return them.", in_review),
    "corrections": Queue(
        "Open corrections", "Decide whether the bank was wrong.", has_open_correction
    ),
    "warnings": Queue(
        "Import warnings", "Mend what was damaged on its way in, or acknowledge it.", has_warning
    ),
    "unpublished": Queue(
        "Unpublished changes",
        "Readers still see the text before these changes.",
        has_unpublished_changes,
    ),
    "scheduled": Queue("Scheduled", "They go public by themselves, at their time.", is_scheduled),
    "unanswered": Queue("No answer", "Write one, or merge them.", has_no_answer),
    "unsourced": Queue("No source", "Cite where each answer can be checked.", has_no_source),
}


def counts(session: Session) -> dict[str, int]:
    """Return how many questions wait in each queue, at most `COUNTED`, in one query."""
    capped = {
        name: select(func.count())
        .select_from(select(Question.id).where(queue.condition()).limit(COUNTED).subquery())
        .scalar_subquery()
        .label(name)
        for name, queue in QUEUES.items()
    }
    row = session.execute(select(*capped.values())).one()
    return dict(zip(capped, row, strict=True))
