"""The questions: their list with search, filters and bulk actions, and their editor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from cms.extensions import db
from cms.models import Correction, ImportRow, ImportWarning, Question, Tag, question_tag
from cms.services import figures, mywork, queues
from cms.services.aliases import current_paths
from cms.services.content import LISTED
from cms.services.statuses import STATUSES
from cms.services.warnings import is_open
from cms.vocabulary import CorrectionStatus, Difficulty
from cms.web.admin.base import ListFilter, Row, actor, hits
from cms.web.admin.bulk import BulkPages
from cms.web.admin.candidate import CandidatePages
from cms.web.admin.care import CarePages
from cms.web.admin.comments import CommentPages
from cms.web.admin.filters import PersonFilter
from cms.web.admin.history import HistoryPages
from cms.web.admin.merging import MergePages
from cms.web.admin.neighbours import NeighbourPages
from cms.web.admin.presence import PresencePages
from cms.web.admin.unsaved import UnsavedPages
from cms.web.admin.workflow import WorkflowPages


def _has_difficulty(value: str) -> ColumnElement[bool]:
    if value == "none":
        return Question.difficulty.is_(None)
    return Question.difficulty == Difficulty(value)


def _has_tag(path: str) -> ColumnElement[bool]:
    """Whether a question has the tag or one below it; that of a merged one is the survivor's."""
    path = path.casefold()
    path = current_paths(db.session(), [path])[path]
    below = Tag.slug.startswith(f"{path}/", autoescape=True)
    tagged = (
        select(question_tag.c.question_id)
        .join(Tag, Tag.id == question_tag.c.tag_id)
        .where(or_(Tag.slug == path, below))
    )
    return Question.id.in_(tagged)


def _has_tag_itself(path: str) -> ColumnElement[bool]:
    """Whether a question has just this tag, and not only one below it."""
    path = path.casefold()
    path = current_paths(db.session(), [path])[path]
    return Question.id.in_(
        select(question_tag.c.question_id)
        .join(Tag, Tag.id == question_tag.c.tag_id)
        .where(Tag.slug == path)
    )


def _came_by(value: str) -> ColumnElement[bool]:
    """Whether an import of this number wrote the question."""
    number = int(value) if value.isdecimal() and len(value) < 10 else 0
    written = select(ImportRow.question_id).where(
        ImportRow.batch_id == number, ImportRow.number.is_not(None)
    )
    return Question.id.in_(written)


def _in_days(column: InstrumentedAttribute[date | None], days: int) -> ColumnElement[bool]:
    """Whether a living question's day is one of the next ones, today among them."""
    first = queues.today()
    return and_(column.between(first, first + timedelta(days=days - 1)), queues.alive())


DUE: dict[str, tuple[str, Callable[[], ColumnElement[bool]]]] = {
    "overdue": ("overdue", queues.is_overdue),
    "week": ("in the next 7 days", lambda: _in_days(Question.due_on, 7)),
    "none": ("no date", lambda: Question.due_on.is_(None)),
}
REVIEW: dict[str, tuple[str, Callable[[], ColumnElement[bool]]]] = {
    "past": ("past", queues.is_past_review),
    "month": ("in the next 30 days", lambda: _in_days(Question.review_by, 30)),
}


class QuestionsView(
    UnsavedPages,
    PresencePages,
    WorkflowPages,
    MergePages,
    CarePages,
    CommentPages,
    HistoryPages,
    CandidatePages,
    NeighbourPages,
    BulkPages,
):
    """Every question of the bank, in whatever state."""

    title = "Questions"
    noun = "question"
    search_hint = "Search stems and answers"
    list_template = "admin/questions/list.html"
    can_create = True
    column_list = ("stem", "status", "difficulty", "tags", "waiting", "updated_at")
    column_labels = {"stem": "Question", "waiting": "Waiting", "updated_at": "Updated"}
    column_sortable_list = (
        ("difficulty", Question.difficulty),
        ("updated_at", Question.updated_at),
    )
    column_filters = (
        ListFilter(
            "status",
            "Status",
            lambda value: STATUSES[value][1](),
            [(name, words) for name, (words, _) in STATUSES.items()],
        ),
        ListFilter(
            "difficulty",
            "Difficulty",
            _has_difficulty,
            [*((each.value, each.value) for each in Difficulty), ("none", "none given")],
        ),
        ListFilter("tag", "Tag", _has_tag),
        ListFilter(
            "queue",
            "Queue",
            lambda value: queues.QUEUES[value].condition(),
            [(name, queue.title) for name, queue in queues.QUEUES.items()],
        ),
        PersonFilter("assignee", "Assignee", Question.assignee_id, folded=True),
        PersonFilter("reviewer", "Reviewer", Question.reviewer_id, folded=True),
        ListFilter(
            "due",
            "Due",
            lambda value: DUE[value][1](),
            [(name, words) for name, (words, _) in DUE.items()],
            folded=True,
        ),
        ListFilter(
            "review",
            "Review date",
            lambda value: REVIEW[value][1](),
            [(name, words) for name, (words, _) in REVIEW.items()],
            folded=True,
        ),
        ListFilter(
            "mine",
            "Mine",
            lambda _: mywork.is_draft_of(actor()),
            [("drafts", "my drafts")],
            quiet=True,
        ),
        ListFilter(
            "untagged",
            "Tags",
            lambda _: figures.is_untagged(),
            [("yes", "without a tag")],
            quiet=True,
        ),
        ListFilter("import", "Import number", _came_by, quiet=True),
        ListFilter("itself", "The tag itself", _has_tag_itself, quiet=True),
    )
    loading = (LISTED, selectinload(Question.tags))

    def question_ids(self, matching: Select[Any]) -> Select[Any]:
        return matching.with_only_columns(Question.id)

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        return query.where(Question.id.in_(hits(words)))

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        ids = [row.id for row in rows]
        self._template_args["open_corrections"] = _counted(
            Correction.question_id, ids, Correction.status == CorrectionStatus.open
        )
        self._template_args["open_warnings"] = _counted(ImportWarning.question_id, ids, is_open())
        return count, rows


def _counted(
    question_id: Any, ids: Iterable[int], condition: ColumnElement[bool]
) -> dict[int, int]:
    """Return how many rows of another table each of the listed questions has."""
    statement = (
        select(question_id, func.count())
        .where(question_id.in_(ids), condition)
        .group_by(question_id)
    )
    return dict(db.session.execute(statement).all())
