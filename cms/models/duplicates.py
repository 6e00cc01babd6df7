"""Which questions may ask the same: sketches of stems, and the pairs found by them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import Base
from cms.models.questions import Question


class StemBand(Base):
    """A band of a stem's MinHash: stems that read alike are likely to share one."""

    __tablename__ = "stem_band"

    band: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    question_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class LikelyDuplicate(Base):
    """A pair of questions whose stems read alike, the older one first.

    `similarity` is 0 to 100. A pair that somebody marked as different is kept,
    so that it is never offered again.
    """

    __tablename__ = "likely_duplicate"
    __table_args__ = (Index(None, "different_at", "similarity", "first_id", "second_id"),)

    first_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), primary_key=True
    )
    second_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    similarity: Mapped[int]
    found_at: Mapped[datetime]
    different_at: Mapped[datetime | None]
    different_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)

    first: Mapped[Question] = relationship(foreign_keys=[first_id])
    second: Mapped[Question] = relationship(foreign_keys=[second_id])
    different_by: Mapped[User | None] = relationship()
