"""The revisions from which the rows of a file were made: the common ground of two texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from cms.formats.incoming import Row
from cms.formats.item import Content
from cms.models import ImportBatch, Provenance, Question, Revision
from cms.vocabulary import Origin


@dataclass(frozen=True, slots=True)
class _Kept:
    number: int
    content_hash: str
    content: str


class Bases:
    """The bases of some rows, each with the question that it means, in a few queries for all."""

    def __init__(self, session: Session, pairs: Sequence[tuple[Row, Question]]) -> None:
        ids = [question.id for _, question in pairs]
        self._by_source = _said_by_source(session, ids)
        self._imported = _imported_last(session, ids)
        numbers = {number for number in self._by_source.values() if number is not None}
        numbers |= set(self._imported.values())
        numbers |= {row.item.revision for row, _ in pairs if row.item and row.item.revision}
        hashes = {row.item.content_hash for row, _ in pairs if row.item and row.item.content_hash}
        self._revisions: dict[int, list[_Kept]] = {id: [] for id in ids}
        for row in session.execute(
            select(Revision.question_id, Revision.number, Revision.content_hash, Revision.content)
            .where(
                Revision.question_id.in_(ids),
                or_(Revision.number.in_(numbers), Revision.content_hash.in_(hashes)),
            )
            .order_by(Revision.number.desc())
        ):
            kept = _Kept(row.number, row.content_hash, row.content)
            self._revisions[row.question_id].append(kept)

    def of(self, row: Row, question: Question) -> Content | None:
        """Return the content that a row was made from, with tags as uids; None if it is not known.

        That is the revision with the row's hash, else the one that it names, else
        what was imported last. A row that is known by its source alone began with
        what that source said last: whatever else was imported since is not its text.
        """
        item = row.item
        assert item is not None
        wanted = [
            kept
            for kept in self._revisions[question.id]
            if (
                kept.content_hash == item.content_hash
                if item.content_hash is not None
                else kept.number == item.revision
            )
        ]
        if not wanted:
            number = self._last(row, question)
            wanted = [kept for kept in self._revisions[question.id] if kept.number == number]
        return msgspec.json.decode(wanted[0].content, type=Content) if wanted else None

    def _last(self, row: Row, question: Question) -> int | None:
        if row.by_source and question.id in self._by_source:
            return self._by_source[question.id]
        return self._imported.get(question.id)


def _said_by_source(session: Session, ids: Sequence[int]) -> dict[int, int | None]:
    """Return the revision that holds what its source said last, of each question with a source."""
    return dict(
        session.execute(
            select(Provenance.question_id, Provenance.imported_number).where(
                Provenance.question_id.in_(ids)
            )
        ).all()
    )


def _imported_last(session: Session, ids: Sequence[int]) -> dict[int, int]:
    return dict(
        session.execute(
            select(Revision.question_id, func.max(Revision.number))
            .where(Revision.question_id.in_(ids), Revision.origin == Origin.imported, stands())
            .group_by(Revision.question_id)
        ).all()
    )


def stands() -> ColumnElement[bool]:
    """Whether a revision is none of an import that was undone: such an import may come again."""
    undone = select(ImportBatch.id).where(ImportBatch.undone_at.is_not(None))
    return or_(Revision.batch_id.is_(None), Revision.batch_id.not_in(undone))
