"""Imports: batches, their rows, where a question came from, and what looked damaged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import IDS_ARE_NEVER_REUSED, Base, Line, LongText
from cms.models.questions import Question
from cms.vocabulary import RowAction


class ImportBatch(Base):
    """One import of one file."""

    __tablename__ = "import_batch"

    id: Mapped[int] = mapped_column(primary_key=True)
    file_name: Mapped[Line]
    sha256: Mapped[str] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(32))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    undone_at: Mapped[datetime | None]

    by: Mapped[User | None] = relationship()
    rows: Mapped[list[ImportRow]] = relationship(
        back_populates="batch", order_by="ImportRow.id", cascade="all, delete-orphan"
    )


class ImportRow(Base):
    """What an import did with one row. `place` is a line or a path in the file."""

    __tablename__ = "import_row"
    __table_args__ = (Index(None, "batch_id", "action"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id", ondelete="CASCADE"))
    place: Mapped[Line]
    action: Mapped[RowAction]
    message: Mapped[LongText] = mapped_column(default="")
    stem: Mapped[LongText] = mapped_column(default="")
    question_id: Mapped[int | None] = mapped_column(
        ForeignKey("question.id", ondelete="SET NULL"), index=True
    )

    batch: Mapped[ImportBatch] = relationship(back_populates="rows")
    question: Mapped[Question | None] = relationship()


class Provenance(Base):
    """Where a question came from; what a later import of the same source matches.

    `stem_key` is the imported stem's match key, `imported_number` the revision
    that holds what the source said last.
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


class ImportWarning(Base):
    """A passage that looked damaged on import; somebody mends or acknowledges it."""

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

    question: Mapped[Question] = relationship()
    acknowledged_by: Mapped[User | None] = relationship()
