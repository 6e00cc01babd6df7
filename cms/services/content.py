"""Content: what an edit changes, taken from the working copy and from revisions."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session, load_only, selectinload

from cms.errors import NotFound
from cms.formats.assets import without_names
from cms.formats.item import AnswerItem, Content, OptionItem, SourceItem
from cms.models import Answer, Option, Question, Revision, Source, new_uid
from cms.services.terms import index_text

WITH_CONTENT = (
    selectinload(Question.answers).selectinload(Answer.sources),
    selectinload(Question.options),
    selectinload(Question.tags),
)
"""Loader options that bring a question's whole content in a bounded number of queries."""

LISTED = load_only(
    Question.uid,
    Question.slug,
    Question.stem,
    Question.difficulty,
    Question.stage,
    Question.latest_number,
    Question.published_number,
    Question.scheduled_number,
    Question.scheduled_at,
    Question.retired_at,
    Question.merged_into_id,
    Question.due_on,
    Question.updated_at,
)
"""Loader option of lists: what tells a question and its state, and none of its long texts."""


def content_of(question: Question) -> Content:
    """Return the working copy's content, with tags as sorted uids."""
    return Content(
        uid=question.uid,
        slug=question.slug,
        stem=question.stem,
        context=question.context,
        difficulty=question.difficulty,
        tags=sorted(tag.uid for tag in question.tags),
        answers=[
            AnswerItem(
                uid=answer.uid,
                label=answer.label,
                body=answer.body,
                applies_to=answer.applies_to,
                sources=source_items(answer.sources),
            )
            for answer in question.answers
        ],
        options=option_items(question.options),
    )


def option_items(options: Iterable[Option]) -> list[OptionItem]:
    """Return the choices of a question as items, in order."""
    return [
        OptionItem(text=option.text, correct=option.correct, feedback=option.feedback)
        for option in options
    ]


def option_values(items: Iterable[OptionItem]) -> Iterator[dict[str, Any]]:
    """Yield choices as the values of rows, in order, but for the question's."""
    for position, item in enumerate(items):
        yield {
            "position": position,
            "text": item.text,
            "correct": item.correct,
            "feedback": item.feedback,
        }


def source_items(sources: Iterable[Source]) -> list[SourceItem]:
    """Return citations as items, in order."""
    return [
        SourceItem(url=source.url, title=source.title, accessed_on=source.accessed_on)
        for source in sources
    ]


class LinkCheck(NamedTuple):
    """What came of the last check of an address, as a Source keeps it; all None without one."""

    last_status: int | None = None
    problem: str | None = None
    checked_at: datetime | None = None


UNCHECKED = LinkCheck()

LinkChecks = Mapping[str, LinkCheck]
"""Checks by the address that was checked: they hold for it, in whatever row it stands."""


def link_checks(sources: Iterable[Source]) -> dict[str, LinkCheck]:
    """Return what is known of the addresses of citations that were checked."""
    return {
        source.url: LinkCheck(source.last_status, source.problem, source.checked_at)
        for source in sources
        if source.checked_at is not None
    }


def source_rows(
    items: Iterable[SourceItem], checks: LinkChecks = MappingProxyType({})
) -> list[Source]:
    """Return citations as rows, in order, with what is known of their addresses."""
    return [Source(**values) for values in source_values(items, checks)]


def source_values(
    items: Iterable[SourceItem], checks: LinkChecks = MappingProxyType({})
) -> Iterator[dict[str, Any]]:
    """Yield citations as the values of rows, in order, but for what they belong to."""
    for position, item in enumerate(items):
        yield {
            "position": position,
            "url": item.url,
            "title": item.title,
            "accessed_on": item.accessed_on,
            **checks.get(item.url, UNCHECKED)._asdict(),
        }


def answer_row(
    answer: Answer | None, item: AnswerItem, position: int, checks: LinkChecks
) -> Answer:
    """Return the row of an answer, a new one or its own, with what the item says."""
    answer = answer or Answer(uid=item.uid or new_uid())
    answer.position = position
    answer.label = item.label
    answer.body = item.body
    answer.applies_to = item.applies_to
    held = [(s.url, s.title, s.accessed_on) for s in answer.sources]
    if held != [(s.url, s.title, s.accessed_on) for s in item.sources]:
        answer.sources = source_rows(item.sources, checks)
    return answer


def find_revision(session: Session, question: Question, number: int) -> Revision:
    """Return a revision by its number.

    :raises NotFound: when the question has no such revision
    """
    revision = session.scalar(select(Revision).filter_by(question_id=question.id, number=number))
    if revision is None:
        raise NotFound(f"This question has no revision {number}.")
    return revision


def decode(revision: Revision) -> Content:
    """Return a revision's content, with tags as uids."""
    return msgspec.json.decode(revision.content, type=Content)


def revision_content(session: Session, question: Question, number: int) -> Content:
    """Return the content of a revision by its number.

    :raises NotFound: when the question has no such revision
    """
    return decode(find_revision(session, question, number))


def derived(content: Content) -> dict[str, Any]:
    """Return what a question's row keeps of its content for search and for queues, by column."""
    return {
        "search_text": searchable(content),
        "answered": bool(content.answers and content.answers[0].body),
        "cited": any(answer.sources for answer in content.answers),
    }


def searchable(content: Content) -> str:
    """Return the text by which a question is found."""
    parts = [content.stem, content.context]
    for answer in content.answers:
        parts += (answer.label, answer.body)
    for option in content.options:
        parts += (option.text, option.feedback)
    return index_text(map(without_names, parts))


def with_tag_slugs(content: Content, slugs: Mapping[str, str]) -> Content:
    """Return `content` with tags as sorted slugs, as formats carry them.

    `slugs` are those of `cms.services.aliases`: two tags that were merged since are one.
    """
    return replace(content, tags=sorted({slugs[uid] for uid in content.tags if uid in slugs}))
