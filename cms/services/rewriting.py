"""New tags and difficulties for many questions at once: a revision each, a statement a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from cms.formats.item import Content, content_hash
from cms.models import AuditEvent, Question, Release, Revision, Tag, User, question_tag
from cms.vocabulary import Origin


def current_contents(session: Session, questions: Sequence[Question]) -> dict[int, Content]:
    """Return the working copies' contents by the questions' ids, in two queries.

    The newest revision has the text; tags and difficulty are the working rows' own.
    """
    ids = [question.id for question in questions]
    tags: dict[int, list[str]] = defaultdict(list)
    for question_id, uid in session.execute(
        select(question_tag.c.question_id, Tag.uid)
        .join(Tag, Tag.id == question_tag.c.tag_id)
        .where(question_tag.c.question_id.in_(ids))
    ):
        tags[question_id].append(uid)
    newest = numbered_contents(session, {each.id: each.latest_number for each in questions})
    return {
        question.id: replace(
            newest[question.id], tags=sorted(tags[question.id]), difficulty=question.difficulty
        )
        for question in questions
    }


def numbered_contents(session: Session, numbers: Mapping[int, int]) -> dict[int, Content]:
    """Return the content of one revision of each question, by the questions' ids."""
    rows = session.execute(
        select(Revision.question_id, Revision.number, Revision.content).where(
            Revision.question_id.in_(numbers), Revision.number.in_(set(numbers.values()))
        )
    )
    return {
        question_id: msgspec.json.decode(content, type=Content)
        for question_id, number, content in rows
        if numbers[question_id] == number
    }


def rewrite(
    session: Session,
    contents: Sequence[tuple[Question, Content]],
    *,
    live: Mapping[int, Release],
    by: User | None,
    at: datetime,
    summary: str,
    origin: Origin,
    operation: int,
) -> None:
    """Give questions, which are locked, contents that differ in tags and difficulty alone.

    Each gets a revision and an audit event, as a save makes them. Those of
    whose ids `live` holds a release have their new revision as the published
    one: the caller refreshes the shelf.
    """
    _put_tags(session, contents)
    revisions, events = [], []
    for question, content in contents:
        release = live.get(question.id)
        question.latest_number += 1
        question.difficulty = content.difficulty
        question.updated_at = at
        if release is not None:
            question.published_number = question.latest_number
        revisions.append(
            {
                "question_id": question.id,
                "number": question.latest_number,
                "content": msgspec.json.encode(content).decode(),
                "content_hash": content_hash(content),
                "author_id": by.id if by else None,
                "created_at": at,
                "summary": summary,
                "origin": origin,
                "release": release.number if release else None,
            }
        )
        events.append(
            {
                "at": at,
                "actor_id": by.id if by else None,
                "action": "question.save",
                "object": f"question:{question.uid}",
                "data": {
                    "revision": question.latest_number,
                    "origin": origin.value,
                    "operation": operation,
                    **({"release": release.number} if release else {}),
                },
            }
        )
    if revisions:
        session.execute(insert(Revision), revisions)
        session.execute(insert(AuditEvent), events)
    session.flush()


def _put_tags(session: Session, contents: Sequence[tuple[Question, Content]]) -> None:
    """Write what changed of the questions' tags, a statement for each tag that goes."""
    wanted = {question.id: set(content.tags) for question, content in contents}
    uids = set().union(*wanted.values()) if wanted else set()
    ids = dict(session.execute(select(Tag.uid, Tag.id).where(Tag.uid.in_(uids))).all())
    after = {(key, ids[uid]) for key, tags in wanted.items() for uid in tags}
    before = {
        (row.question_id, row.tag_id)
        for row in session.execute(
            select(question_tag).where(question_tag.c.question_id.in_(wanted))
        )
    }
    gone: dict[int, list[int]] = defaultdict(list)
    for question_id, tag_id in sorted(before - after):
        gone[tag_id].append(question_id)
    for tag_id, question_ids in gone.items():
        session.execute(
            delete(question_tag).where(
                question_tag.c.tag_id == tag_id, question_tag.c.question_id.in_(question_ids)
            )
        )
    new = [{"question_id": key, "tag_id": tag_id} for key, tag_id in sorted(after - before)]
    if new:
        session.execute(insert(question_tag), new)
