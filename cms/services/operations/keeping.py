"""A deleted question with all that belonged to it: kept as JSON, and put back row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Date, Select, Table, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.formats.item import Content
from cms.models import (
    Answer,
    Base,
    Comment,
    Correction,
    ImportWarning,
    Option,
    Provenance,
    Question,
    Revision,
    Source,
    Tag,
)
from cms.models.base import UtcDateTime
from cms.services.addresses import slug_owners
from cms.services.aliases import living_uids
from cms.services.chunks import chunks

Rows = dict[str, list[dict[str, Any]]]

# In the order in which rows are put back.
_OWNED = ("question", "question_tag", "answer", "question_option", "correction", "source")
_TABLES = (*_OWNED, "revision", "provenance", "import_warning", "comment")
# Rows that outlive a question and forget which it was.
_LINKS = ("bulk_row", "import_row")


def keep_rows(session: Session, ids: Sequence[int]) -> dict[int, Rows]:
    """Return everything that would go with these questions, by their ids."""
    kept: dict[int, Rows] = {key: {} for key in ids}
    for name, statement in _statements(ids):
        for owner, *values in session.execute(statement):
            row = dict(zip(_table(name).c.keys(), values, strict=True))
            kept[owner].setdefault(name, []).append(msgspec.to_builtins(row))
    for name in _LINKS:
        table = _table(name)
        links = select(table.c.question_id, table.c.id).where(table.c.question_id.in_(ids))
        for owner, key in session.execute(links):
            kept[owner].setdefault(name, []).append({"id": key})
    return kept


def _statements(ids: Sequence[int]) -> Iterator[tuple[str, Select[Any]]]:
    """Yield a select of owner and whole row for each table that belongs to a question."""
    yield "question", select(Question.id, _table("question")).where(Question.id.in_(ids))
    for owned in (Answer, Option, Correction, Revision, Provenance, ImportWarning, Comment):
        table = _table(owned.__tablename__)
        yield (
            table.name,
            select(table.c.question_id, table)
            .where(table.c.question_id.in_(ids))
            .order_by(*table.primary_key),
        )
    tagged = _table("question_tag")
    yield "question_tag", select(tagged.c.question_id, tagged).where(tagged.c.question_id.in_(ids))
    for owner, key in (
        (Answer, Source.answer_id),
        (Correction, Source.correction_id),
    ):
        yield (
            "source",
            select(owner.question_id, _table("source"))
            .join_from(owner, _table("source"), owner.id == key)
            .where(owner.question_id.in_(ids))
            .order_by(Source.id),
        )


def put_rows(session: Session, kept: Iterable[Rows]) -> None:
    """Put deleted questions back as they were, under the ids that they had.

    :raises WrongState: when something in the bank has taken the place of one
    """
    for some in chunks(list(kept)):
        gathered: Rows = defaultdict(list)
        for rows in some:
            for name, values in rows.items():
                gathered[name] += values
        _refuse_taken(session, gathered)
        gathered["question_tag"] = _living_tags(session, gathered)
        try:
            with session.begin_nested():
                for name in _TABLES:
                    if gathered[name]:
                        table = _table(name)
                        values = [_read(table, row) for row in gathered[name]]
                        session.execute(insert(table), values)
                # Their likes are not kept: a worker looks for them again.
                ids = [row["id"] for row in gathered["question"]]
                session.execute(update(Question).where(Question.id.in_(ids)).values(sketched=False))
        except IntegrityError as error:
            raise WrongState(
                "Something that belonged to these questions is in the bank again, under the same "
                "identifier. Nothing was put back."
            ) from error
        for rows in some:
            _link(session, rows)


def _refuse_taken(session: Session, rows: Rows) -> None:
    """Refuse what can be named: an address or a uid that is used again."""
    questions = rows["question"]
    taken = slug_owners(session, [row["slug"] for row in questions])
    uids = [row["uid"] for row in questions]
    again = set(session.scalars(select(Question.uid).where(Question.uid.in_(uids))))
    for row in questions:
        if taken.get(row["slug"]) or row["uid"] in again:
            raise WrongState(
                f"‘{row['stem']}’ cannot be put back: another question has its address now. "
                "Nothing was put back."
            )
    into = {row["merged_into_id"] for row in questions} - {None, *(row["id"] for row in questions)}
    if into - set(session.scalars(select(Question.id).where(Question.id.in_(into)))):
        raise WrongState(
            "The question into which one of these was merged was deleted since, so they cannot be "
            "put back as they were. Undo that first."
        )


def _living_tags(session: Session, rows: Rows) -> list[dict[str, Any]]:
    """Return the rows of tags with those that merged ones became, as the newest texts name them.

    :raises WrongState: when a tag was deleted
    """
    tags = {row["tag_id"] for row in rows["question_tag"]}
    gone = tags - set(session.scalars(select(Tag.id).where(Tag.id.in_(tags))))
    if not gone:
        return rows["question_tag"]
    changed = {row["question_id"] for row in rows["question_tag"] if row["tag_id"] in gone}
    newest = {row["id"]: row["latest_number"] for row in rows["question"] if row["id"] in changed}
    texts = {
        row["question_id"]: msgspec.json.decode(row["content"], type=Content).tags
        for row in rows["revision"]
        if newest.get(row["question_id"]) == row["number"]
    }
    uids = {uid for named in texts.values() for uid in named}
    living = living_uids(session, uids)
    if uids - living.keys():
        raise WrongState(
            "A tag of these questions was deleted since, so they cannot be put back as they were."
        )
    ids = dict(session.execute(select(Tag.uid, Tag.id).where(Tag.uid.in_(living.values()))).all())
    kept = [row for row in rows["question_tag"] if row["question_id"] not in changed]
    return kept + [
        {"question_id": key, "tag_id": tag_id}
        for key, named in texts.items()
        for tag_id in sorted({ids[living[uid]] for uid in named})
    ]


def _link(session: Session, rows: Rows) -> None:
    question_id = rows["question"][0]["id"]
    for name in _LINKS:
        table = _table(name)
        for some in chunks([row["id"] for row in rows.get(name, [])]):
            session.execute(
                update(table).where(table.c.id.in_(some)).values(question_id=question_id)
            )


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


def _read(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return a kept row with its times and days as the database takes them."""
    return {name: _value(table.c[name], value) for name, value in row.items()}


def _value(column: Column[Any], value: Any) -> Any:
    if value is not None and isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    if value is not None and isinstance(column.type, Date):
        return date.fromisoformat(value)
    return value
