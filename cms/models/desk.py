"""What the desk keeps for itself: the views that people saved, the figures of the bank."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cms.models.base import Base, Line, LongText


class SavedView(Base):
    """A list of the desk as somebody filtered and sorted it, under a name of theirs.

    `page` is the list's endpoint ('desk_questions'), `query` the rest of its
    address after the question mark.
    """

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    name: Mapped[Line]
    page: Mapped[str] = mapped_column(String(64))
    query: Mapped[LongText]
    created_at: Mapped[datetime]


class Figures(Base):
    """The bank in figures, counted when the audit's newest event was `event`: one row."""

    __tablename__ = "figures"

    id: Mapped[int] = mapped_column(primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    event: Mapped[int]
    counted_at: Mapped[datetime]
