"""What the many questions of one operation need to be taken back together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from cms.models.base import LongText
from cms.models.questions import Question
from cms.vocabulary import RowAction


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
