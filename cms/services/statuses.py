"""The statuses of questions as conditions: what their list filters by, and what figures count.

They overlap where a question is two things at once: what is published may have
unpublished changes, or be in review again.
"""

from collections.abc import Callable

from sqlalchemy import ColumnElement, and_

from cms.models import Question
from cms.services import queues
from cms.vocabulary import Stage


def is_draft() -> ColumnElement[bool]:
    """Whether a living question was never public and nobody submitted it for review."""
    return and_(Question.published_number.is_(None), Question.stage == Stage.draft, queues.alive())


def is_published() -> ColumnElement[bool]:
    return and_(Question.published_number.is_not(None), queues.alive())


def is_retired() -> ColumnElement[bool]:
    return Question.retired_at.is_not(None)


STATUSES: dict[str, tuple[str, Callable[[], ColumnElement[bool]]]] = {
    "draft": ("draft", is_draft),
    "in_review": ("in review", queues.in_review),
    "published": ("published", is_published),
    "changed": ("with unpublished changes", queues.has_unpublished_changes),
    "scheduled": ("scheduled", queues.is_scheduled),
    "retired": ("retired", is_retired),
}
"""By the value of the list's filter: the words, and the condition."""
