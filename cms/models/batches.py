"""What the many questions of one operation need to be taken back together."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import LongText
from cms.models.jobs import Job
from cms.models.questions import Question
from cms.vocabulary import RowAction


class Batch:
    """An operation on many questions that can be taken back as a whole; a mixin.

    `at` is when somebody asked for it; `job` does it, where a worker has to.
    """

    id: Mapped[int] = mapped_column(primary_key=True)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), index=True)

    @declared_attr
    @classmethod
    def by(cls) -> Mapped[User | None]:
        return relationship(foreign_keys=[cls.by_id])

    @declared_attr
    @classmethod
    def undone_by(cls) -> Mapped[User | None]:
        return relationship(foreign_keys=[cls.undone_by_id])

    @declared_attr
    @classmethod
    def job(cls) -> Mapped[Job | None]:
        return relationship()


class BatchRow:
    """What an operation on many questions did with one of them; a mixin.

    `number` is the revision that it made, None if it made none. `before` holds
    what it changed besides the text, as it was: all that an undo puts back.
    """

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[RowAction]
    message: Mapped[LongText] = mapped_column(default="")
    stem: Mapped[LongText] = mapped_column(default="")
    question_id: Mapped[int | None] = mapped_column(
        ForeignKey("question.id", ondelete="SET NULL"), index=True
    )
    number: Mapped[int | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    @declared_attr
    @classmethod
    def question(cls) -> Mapped[Question | None]:
        return relationship()
