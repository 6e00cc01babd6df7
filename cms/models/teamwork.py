"""How people work on a question together: comments, notes to them, text that is not saved yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import IDS_ARE_NEVER_REUSED, Base, LongText
from cms.models.corrections import Correction
from cms.models.questions import Question
from cms.vocabulary import NotificationKind


class Comment(Base):
    """A word among editors about a question, never public.

    The first of a thread has no `thread_id`; the others name the first.
    A thread is resolved by its first comment's `resolved_at`.
    """

    __tablename__ = "comment"
    __table_args__ = (
        Index(None, "question_id", "id"),
        # The threads that wait for an answer, of the whole bank.
        Index(None, "resolved_at", "thread_id", "question_id"),
        IDS_ARE_NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    thread_id: Mapped[int | None] = mapped_column(
        ForeignKey("comment.id", ondelete="CASCADE"), index=True
    )
    author_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    body: Mapped[LongText]
    created_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)

    question: Mapped[Question] = relationship()
    author: Mapped[User | None] = relationship(foreign_keys=[author_id])
    resolved_by: Mapped[User | None] = relationship(foreign_keys=[resolved_by_id])


class Notification(Base):
    """A note in somebody's inbox. `actor` is None for the command line and for jobs.

    `words` says what the kind and the links leave open, such as a reason.
    """

    __tablename__ = "notification"
    __table_args__ = (Index(None, "user_id", "read_at", "id"), IDS_ARE_NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    kind: Mapped[NotificationKind]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    question_id: Mapped[int | None] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), index=True
    )
    correction_id: Mapped[int | None] = mapped_column(
        ForeignKey("correction.id", ondelete="CASCADE"), index=True
    )
    comment_id: Mapped[int | None] = mapped_column(
        ForeignKey("comment.id", ondelete="CASCADE"), index=True
    )
    words: Mapped[LongText] = mapped_column(default="")
    at: Mapped[datetime]
    read_at: Mapped[datetime | None]

    actor: Mapped[User | None] = relationship(foreign_keys=[actor_id])
    question: Mapped[Question | None] = relationship()
    correction: Mapped[Correction | None] = relationship()
    comment: Mapped[Comment | None] = relationship()


class Autosave(Base):
    """What somebody typed into a question's form and has not saved, kept as they type.

    `form_id` tells the forms that somebody opened apart: none writes over another's text.
    `version` is the revision on which the text was begun; a new question has none, and
    no `question_id`. `fields` are the form's (name, value) pairs, in order.
    """

    __tablename__ = "autosave"
    __table_args__ = (UniqueConstraint("user_id", "question_id", "version", "form_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    question_id: Mapped[int | None] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), index=True
    )
    version: Mapped[int]
    form_id: Mapped[str] = mapped_column(String(36), default="")
    fields: Mapped[list[list[str]]] = mapped_column(JSON)
    saved_at: Mapped[datetime] = mapped_column(index=True)

    user: Mapped[User] = relationship()


class Presence(Base):
    """Somebody has a question's form open, or had until `seen_at`; `typed` says if they typed."""

    __tablename__ = "presence"

    question_id: Mapped[int] = mapped_column(
        ForeignKey("question.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True, index=True)
    seen_at: Mapped[datetime]
    typed: Mapped[bool] = mapped_column(default=False)

    user: Mapped[User] = relationship()
