"""Corrections: the errata of the bank."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import IDS_ARE_NEVER_REUSED, Base, Line, LongText, Uid, new_uid
from cms.models.questions import Question, Source
from cms.vocabulary import CorrectionKind, CorrectionStatus, TextPart


class Correction(Base):
    """An error in what is or was published or imported, and its fix.

    `claim` quotes what was wrong, `fix` says in words how it is mended. `proposed`
    is the whole of one text as the reporter would have it: of the answer
    `answer_uid` where `part` is 'body', else of the question's stem or context;
    it was written over the text that revision `seen_in` has there.

    `number` is given when it first goes public and never changes.
    `fixed_in` is the number of the revision that has it right; the correction
    is public once that revision, or a later one, is.
    """

    __tablename__ = "correction"
    __table_args__ = (Index(None, "status", "created_at"), IDS_ARE_NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[Uid] = mapped_column(unique=True, default=new_uid)
    number: Mapped[int | None] = mapped_column(unique=True)
    question_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), index=True
    )
    answer_uid: Mapped[Uid | None]
    part: Mapped[TextPart | None]
    proposed: Mapped[LongText | None]
    seen_in: Mapped[int | None]
    kind: Mapped[CorrectionKind]
    claim: Mapped[LongText]
    explanation: Mapped[LongText] = mapped_column(default="")
    fix: Mapped[LongText] = mapped_column(default="")
    status: Mapped[CorrectionStatus] = mapped_column(default=CorrectionStatus.open)
    reporter_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    reporter_name: Mapped[Line] = mapped_column(default="")
    credit: Mapped[Line] = mapped_column(default="")
    created_at: Mapped[datetime]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    decided_at: Mapped[datetime | None]
    reason: Mapped[LongText] = mapped_column(default="")
    fixed_in: Mapped[int | None]
    duplicate_of_id: Mapped[int | None] = mapped_column(ForeignKey("correction.id"), index=True)

    question: Mapped[Question] = relationship()
    duplicate_of: Mapped[Correction | None] = relationship(remote_side=[id])
    reporter: Mapped[User | None] = relationship(foreign_keys=[reporter_id])
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id])
    sources: Mapped[list[Source]] = relationship(
        order_by=Source.position, cascade="all, delete-orphan"
    )
