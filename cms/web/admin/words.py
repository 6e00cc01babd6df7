"""Small words of the desk's pages: how long ago, what state."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup

from cms.models import Question
from cms.vocabulary import Status
from cms.web.pages import day, moment

_STEPS = (
    (60, 1, "second"),
    (3_600, 60, "minute"),
    (86_400, 3_600, "hour"),
    (7 * 86_400, 86_400, "day"),
    (30 * 86_400, 7 * 86_400, "week"),
)


def init_words(app: Flask) -> None:
    """Install the filters that the desk's templates use."""
    app.add_template_filter(ago)
    app.add_template_filter(exactly)
    app.add_template_filter(pills)
    app.add_template_global(utc_now)


def utc_now() -> datetime:
    return datetime.now(UTC)


def exactly(value: datetime) -> str:
    """Return a time in words, to the minute: '27 Nov 2026, 09:00 UTC'."""
    exact = value.astimezone(UTC)
    return f"{day(exact)}, {exact:%H:%M} UTC"


def ago(value: datetime, since: datetime | None = None) -> Markup:
    """Return a `time` element: '3 days ago', later the date; the exact time is its title."""
    element = moment(value)
    words = relative(value, since or datetime.now(UTC))
    if words is None:
        return element
    head, _, tail = str(element).partition(">")
    return Markup(f"{head}>{words}{tail[tail.index('<') :]}")  # noqa: S704 (both are ours)


def relative(value: datetime, since: datetime) -> str | None:
    """Return how long ago something was, in words; None after a month."""
    seconds = (since - value).total_seconds()
    if seconds < 45:
        return "just now"
    for limit, unit, word in _STEPS:
        if seconds < limit:
            count = max(1, round(seconds / unit))
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return None


def pills(question: Question, fully: bool = False) -> list[tuple[str, str]]:
    """Return a question's state as (class, words): one word, and what else to know.

    `fully` says of a schedule what goes public when, which is too long for a list.
    """
    if question.merged_into_id is not None:
        return [("gone", "merged")]
    if question.status == Status.retired:
        return [("gone", "retired")]
    found = []
    if question.status == Status.published:
        found.append(("live", "published"))
        if question.has_unpublished_changes:
            found.append(("warm", "unpublished changes"))
        if question.stage == "in_review":
            found.append(("review", "in review"))
    elif question.status == Status.in_review:
        found.append(("review", "in review"))
    else:
        found.append(("draft", "draft"))
    if question.scheduled_at is not None:
        found.append(_scheduled(question, question.scheduled_at, fully=fully))
    return found


def _scheduled(question: Question, when: datetime, *, fully: bool) -> tuple[str, str]:
    """Return the pill of a schedule; one that is overdue waits for a worker, or for ever."""
    kind, words = ("warm", "overdue") if when < utc_now() else ("review", "scheduled")
    if not fully:
        return kind, words
    goes = "was to go public" if kind == "warm" else "goes public"
    words = exactly(when).replace(f" {utc_now().year}", "")
    return kind, f"{goes} {words} (revision {question.scheduled_number})"
