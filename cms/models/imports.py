"""Imports: batches, their rows, where a question came from, and what looked damaged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, and_
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import IDS_ARE_NEVER_REUSED, Base, Line, LongText
from cms.models.batches import Batch, BatchRow
from cms.models.questions import Question, Revision


class ImportBatch(Batch, Base):
    """One import of one file: uploaded `at`, compared with the bank, applied, perhaps undone.

    `data` is the file until it is compared; from then on the rows hold what it
    says, and `head` (a FileHead as JSON) what is not of one row. `format` is
    empty until it is detected. `made` lists what the import made besides
    questions: uids of tags, slugs of decks.
    """

    __tablename__ = "import_batch"
    __table_args__ = IDS_ARE_NEVER_REUSED

    file_name: Mapped[Line]
    sha256: Mapped[str] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(32))
    data: Mapped[bytes | None] = mapped_column(deferred=True)
    head: Mapped[LongText] = mapped_column(default="")
    made: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    planned_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]

    rows: Mapped[list[ImportRow]] = relationship(
        back_populates="batch", order_by="ImportRow.id", cascade="all, delete-orphan"
    )


class ImportRow(BatchRow, Base):
    """What an import did, or would do, with one row. `place` is a line or a path in the file.

    `stated` is the row as JSON (a Row of cms.formats.item), kept while it may
    still be imported; `chosen` says whether it is, or was, to be written.
    `seen_version` is the question's newest revision when the two were compared,
    `warnings` the number of places that look damaged.
    """

    __tablename__ = "import_row"
    __table_args__ = (Index(None, "batch_id", "action", "chosen", "warnings"), IDS_ARE_NEVER_REUSED)

    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id", ondelete="CASCADE"))
    place: Mapped[Line]
    stated: Mapped[str | None] = mapped_column(Text, deferred=True)
    chosen: Mapped[bool] = mapped_column(default=False)
    seen_version: Mapped[int | None]
    warnings: Mapped[int] = mapped_column(default=0)

    batch: Mapped[ImportBatch] = relationship(back_populates="rows")


class Provenance(Base):
    """Where a question came from; what a later import of the same source matches.

    `stem_key` is the imported stem's match key, `imported_number` the revision
    that holds what the source said last; None where only banks named the source.
    """

    __tablename__ = "provenance"
    __table_args__ = (
        Index(None, "source", "stem_key"),
        Index(None, "source", "external_id"),
        Index(None, "source", "ordinal"),
    )

    question_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), primary_key=True
    )
    source: Mapped[Line]
    url: Mapped[LongText] = mapped_column(default="")
    date: Mapped[str] = mapped_column(String(32), default="")
    license: Mapped[Line] = mapped_column(default="")
    attribution: Mapped[Line] = mapped_column(default="")
    external_id: Mapped[str | None] = mapped_column(String(200))
    ordinal: Mapped[int | None]
    stem_key: Mapped[Line] = mapped_column(default="")
    imported_number: Mapped[int | None]

    question: Mapped[Question] = relationship()

    def as_dict(self) -> dict[str, Any]:
        """Return the row's columns by name."""
        return {column.key: getattr(self, column.key) for column in self.__table__.columns}


class ImportWarning(Base):
    """A passage that looked damaged on import; somebody mends or acknowledges it.

    `mended_in` is the number of the revision whose text no longer has the passage.
    """

    __tablename__ = "import_warning"
    __table_args__ = IDS_ARE_NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), index=True
    )
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    message: Mapped[LongText]
    passage: Mapped[LongText] = mapped_column(default="")
    acknowledged_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    acknowledged_at: Mapped[datetime | None] = mapped_column(index=True)
    mended_in: Mapped[int | None]

    question: Mapped[Question] = relationship()
    acknowledged_by: Mapped[User | None] = relationship()
    mended: Mapped[Revision | None] = relationship(
        primaryjoin=lambda: and_(
            foreign(ImportWarning.question_id) == Revision.question_id,
            foreign(ImportWarning.mended_in) == Revision.number,
        ),
        viewonly=True,
    )
