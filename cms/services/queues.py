"""The editors' queues: what waits for somebody, as conditions on questions and capped counts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, select
from sqlalchemy.orm import Session

from cms.models import Answer, Comment, Correction, ImportWarning, Question, SampleRun, Source
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


def open_corrections() -> Select[int]:
    return select(Correction.id).where(Correction.status == CorrectionStatus.open)


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


def has_failing_code() -> ColumnElement[bool]:
    """Whether a code sample of a question's public text failed when it was run last."""
    failed = select(SampleRun.question_id).where(not_(SampleRun.passed))
    return and_(Question.id.in_(failed), alive())


def has_dead_link() -> ColumnElement[bool]:
    """Whether an answer cites an address at which nobody could read when it was checked last."""
    citing = (
        select(Answer.question_id)
        .join(Source, Source.answer_id == Answer.id)
        .where(Source.problem.is_not(None))
    )
    return and_(Question.id.in_(citing), alive())


def is_overdue() -> ColumnElement[bool]:
    """Whether the day has passed until which a question was to be worked on."""
    return and_(Question.due_on < today(), alive())


def is_past_review() -> ColumnElement[bool]:
    """Whether the day has passed until which somebody was to look at a question again."""
    return and_(Question.review_by < today(), alive())


def has_open_thread() -> ColumnElement[bool]:
    """Whether people still talk about a question."""
    waiting = select(Comment.question_id).where(
        Comment.resolved_at.is_(None), Comment.thread_id.is_(None)
    )
    return and_(Question.id.in_(waiting), alive())


def today() -> date:
    """Return the day (UTC) by which queues tell what is late."""
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class Queue:
    """`hint` says what to do with what waits in it.

    `condition` is of questions. Where something else of theirs waits, `rows`
    selects that, to be counted.
    """

    title: str
    hint: str
    condition: Callable[[], ColumnElement[bool]]
    rows: Callable[[], Select[int]] | None = None

    def counted(self) -> Select[int]:
        """Return a select of the ids of what waits."""
        return self.rows() if self.rows else select(Question.id).where(self.condition())


QUEUES: dict[str, Queue] = {
    "review": Queue("In review", "Read them, then publish or return them.", in_review),
    "corrections": Queue(
        "Open corrections",
        "Decide whether the bank was wrong.",
        has_open_correction,
        open_corrections,
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
    "overdue": Queue("Overdue", "Finish them, or give them a new date.", is_overdue),
    "past_review": Queue(
        "Past the review date",
        "Check whether they still hold, then set a new date.",
        is_past_review,
    ),
    "comments": Queue(
        "Unresolved comments", "Answer them, or say that they are settled.", has_open_thread
    ),
    "failing": Queue(
        "Failing code", "Mend the code or its output, then publish.", has_failing_code
    ),
    "dead_links": Queue(
        "Dead link", "Open them: mend the address, or cite another page.", has_dead_link
    ),
    "unanswered": Queue("No answer", "Write one, or merge them.", has_no_answer),
    "unsourced": Queue("No source", "Cite where each answer can be checked.", has_no_source),
}


# Runs and checks change no text and write no event: what waits here changes by itself.
CHECKED = frozenset({"failing", "dead_links"})


def counts(session: Session, names: frozenset[str] = frozenset(QUEUES)) -> dict[str, int]:
    """Return how many wait in each of these queues, at most `COUNTED`, in one query."""
    row = session.execute(_counting(names, today())).one()
    return dict(row._mapping)


@lru_cache(maxsize=4)
def _counting(names: frozenset[str], _day: date) -> Select[Any]:
    """Return what counts queues on a day: every page of the desk asks for the same."""
    return select(
        *(
            select(func.count())
            .select_from(queue.counted().limit(COUNTED).subquery())
            .scalar_subquery()
            .label(name)
            for name, queue in QUEUES.items()
            if name in names
        )
    )


def capped(session: Session, wanted: Select[Any]) -> int:
    """Return how many rows a statement finds, at most `COUNTED`."""
    found = wanted.limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0
