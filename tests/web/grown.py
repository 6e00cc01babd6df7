"""A bank that grows in bulk: everything that a page of the desk could read more of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cms.models import (
    Answer,
    AuditEvent,
    BulkOperation,
    BulkRow,
    Comment,
    Correction,
    Deck,
    ImportBatch,
    ImportRow,
    ImportWarning,
    LikelyDuplicate,
    Notification,
    Question,
    Source,
    Tag,
    User,
    new_uid,
    question_tag,
)
from cms.vocabulary import CorrectionKind, CorrectionStatus, Difficulty, NotificationKind, Stage

# Of each kind of row that comes in parts, this part of the questions has one.
PART = 4
STAGES = [
    {"stage": Stage.draft},
    {"stage": Stage.in_review},
    {"stage": Stage.draft, "published_number": 1},
    {"stage": Stage.draft, "published_number": 1, "latest_number": 2},
]


def grow(session: Session, user: User, numbers: range) -> None:
    """Add questions with these numbers, each with a share of everything, for `user` to do."""
    now = datetime.now(UTC)
    past, later = now - timedelta(days=9), now + timedelta(days=9)
    levels = [*Difficulty, None]
    area = session.scalar(select(Tag.id).filter_by(slug="area"))
    if area is None:
        session.add_all(Tag(slug=slug, name=slug) for slug in ("all", "area"))
        session.flush()
        area = session.scalars(select(Tag.id).filter_by(slug="area")).one()
    below = [{"slug": f"area/{each}", "name": f"{each}", "parent_id": area} for each in numbers]
    session.execute(insert(Tag), [{"uid": new_uid(), **each} for each in below])
    tags = dict(session.execute(select(Tag.slug, Tag.id)).all())
    rows = [
        {
            "uid": new_uid(),
            "slug": f"question-{number}",
            "stem": f"What is view {number}?",
            "stem_key": f"what is view {number}",
            "search_text": f"what is view {number}",
            "sketched": True,
            "answered": number % 2 == 0,
            "difficulty": levels[number % 4],
            "latest_number": 1,
            "published_number": None,
            "scheduled_number": 1,
            "scheduled_at": later,
            "review_by": past.date(),
            "due_on": past.date(),
            "assignee_id": user.id,
            "reviewer_id": user.id,
            "created_by_id": user.id,
            "created_at": past,
            "updated_at": past + timedelta(seconds=number),
        }
        | STAGES[number % len(STAGES)]
        for number in numbers
    ]
    session.execute(insert(Question), rows)
    slugs = [row["slug"] for row in rows]
    ids = session.scalars(
        select(Question.id).where(Question.slug.in_(slugs)).order_by(Question.id)
    ).all()
    pairs = list(zip(ids, numbers, strict=True))

    def add(model: Any, rows: Iterable[Mapping[str, Any]]) -> None:
        session.execute(insert(model), list(rows))

    for tag in ("all", "area"):
        session.execute(
            insert(question_tag), [{"question_id": id, "tag_id": tags[tag]} for id in ids]
        )
    session.execute(
        insert(question_tag),
        [{"question_id": id, "tag_id": tags[f"area/{number}"]} for id, number in pairs],
    )
    add(Answer, ({"uid": new_uid(), "question_id": id, "position": 0, "body": "So."} for id in ids))
    answers = session.scalars(select(Answer.id).where(Answer.question_id.in_(ids[::2]))).all()
    add(Source, ({"answer_id": id, "url": "https://example.org/"} for id in answers))
    add(
        Correction,
        (
            {
                "uid": new_uid(),
                "question_id": id,
                "kind": list(CorrectionKind)[number % 4],
                "claim": f"No view {number}.",
                "status": CorrectionStatus.open if number % 2 else CorrectionStatus.rejected,
                "decided_at": None if number % 2 else now,
                "reporter_id": user.id,
                "created_at": now if number % 4 < 2 else now - timedelta(days=20),
            }
            for id, number in pairs
        ),
    )
    add(
        ImportWarning,
        ({"question_id": id, "kind": "hole", "message": "A hole.", "passage": "x"} for id in ids),
    )
    add(
        Comment,
        ({"question_id": id, "author_id": user.id, "body": "?", "created_at": now} for id in ids),
    )
    notes = {"user_id": user.id, "kind": NotificationKind.mention, "at": now}
    add(Notification, ({"question_id": id, **notes} for id in ids))
    add(
        LikelyDuplicate,
        (
            {
                "first_id": ids[0],
                "second_id": id,
                "similarity": 90,
                "found_at": now,
                "different_at": now if number % 2 else None,
            }
            for id, number in pairs[1:]
        ),
    )
    add(
        AuditEvent,
        (
            {
                "at": now,
                "actor_id": user.id,
                "action": "question.save",
                "object": f"question:{row['uid']}",
                "data": {},
            }
            for row in rows
        ),
    )
    some = pairs[::PART]
    add(
        Deck,
        (
            {
                "slug": f"deck-{number}",
                "title": f"View {number}",
                "created_at": now,
                "updated_at": now,
            }
            for _, number in some
        ),
    )
    sha = {"sha256": "0" * 64, "format": "json", "at": now, "planned_at": now}
    add(ImportBatch, ({"file_name": f"{number}.json", **sha} for _, number in some))
    operation = {"verb": "submit", "at": now, "done_at": now}
    add(BulkOperation, ({"by_id": user.id, **operation} for _ in some))
    batches = session.scalars(select(ImportBatch.id).order_by(ImportBatch.id)).all()
    operations = session.scalars(select(BulkOperation.id).order_by(BulkOperation.id)).all()
    stated = {"place": "line 1", "action": "create", "message": "", "number": 1}
    done = {"action": "update", "stem": "What is a view?"}
    # The first of each has a row for every question, the others have one.
    for keys, model, owner, values in (
        (batches, ImportRow, "batch_id", stated),
        (operations, BulkRow, "operation_id", done),
    ):
        add(model, ({owner: keys[0], "question_id": id, **values} for id in ids))
        add(model, ({owner: key, "question_id": ids[0], **values} for key in keys[-len(some) :]))
    session.commit()
