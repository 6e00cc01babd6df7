"""Images of the bank, kept in the database beside the texts that show them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import IDS_ARE_NEVER_REUSED, Base, Line
from cms.models.questions import Question

NAME_LENGTH = 70


class Asset(Base):
    """An image. `name` is the SHA-256 (hex) of `data` and the ending of its type: '4f…9c.png'.

    `size` counts bytes, `width` and `height` pixels. `alt` describes it where a
    text does not. `unused_since` is when it was first seen that no question
    refers to it, None while one does.
    """

    __tablename__ = "asset"
    __table_args__ = IDS_ARE_NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    media_type: Mapped[str] = mapped_column(String(32))
    size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    data: Mapped[bytes] = mapped_column(deferred=True)
    alt: Mapped[Line] = mapped_column(default="")
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    uploaded_at: Mapped[datetime]
    unused_since: Mapped[datetime | None]

    uploaded_by: Mapped[User | None] = relationship()

    def __str__(self) -> str:
        return self.alt or self.name


class QuestionAsset(Base):
    """That some revision of a question, or a correction of it, names an image, in the bank or not.

    Rows only come: history keeps its images for as long as the question is there.
    """

    __tablename__ = "question_asset"
    __table_args__ = (Index(None, "name"),)

    question_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)

    question: Mapped[Question] = relationship()


class PublicationAsset(Base):
    """That a live question shows an image of the bank, which is public for that."""

    __tablename__ = "publication_asset"
    __table_args__ = (Index(None, "name"),)

    publication_id: Mapped[int] = mapped_column(
        ForeignKey("publication.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
