"""Decks: saved selections of published questions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.base import Base, Line, LongText, Slug, Uid


class Deck(Base):
    """A selection: `filter` holds tags (all, any, none), difficulty and text."""

    __tablename__ = "deck"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[Slug] = mapped_column(unique=True)
    title: Mapped[Line]
    description: Mapped[LongText] = mapped_column(default="")
    filter: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    members: Mapped[list[DeckMember]] = relationship(
        order_by="DeckMember.position", cascade="all, delete-orphan"
    )


class DeckMember(Base):
    """An explicit, ordered member, by the question's uid: a withdrawn one stays, skipped."""

    __tablename__ = "deck_member"

    deck_id: Mapped[int] = mapped_column(
        ForeignKey("deck.id", ondelete="CASCADE"), primary_key=True
    )
    question_uid: Mapped[Uid] = mapped_column(primary_key=True)
    position: Mapped[int]
