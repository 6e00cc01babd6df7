"""The working copy: questions, answers, sources, tags, and their revisions."""

from __future__ import annotations

import re
from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from cms.models.accounts import User
from cms.models.base import IDS_ARE_NEVER_REUSED, Base, Line, LongText, Slug, Uid, new_uid
from cms.text import stem_key
from cms.vocabulary import Difficulty, Origin, Stage, Status

question_tag = Table(
    "question_tag",
    Base.metadata,
    Column("question_id", ForeignKey("question.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True, index=True),
)


_ALIVE = "retired_at IS NULL AND merged_into_id IS NULL"


def waiting(name: str, condition: str, *columns: str) -> Index:
    """An index of the rows that a condition finds alone, in the order of the list of questions.

    SQLite uses it where a query has the condition's terms in the same words.
    """
    on_sqlite = re.sub(r"NOT (\w+)", r"\1 = 0", condition)
    return Index(
        name,
        *(columns or ("updated_at", "id")),
        sqlite_where=text(on_sqlite),
        postgresql_where=text(condition),
    )


class Tag(Base):
    """A label. `slug` is the whole path ('flask/basics'); `parent` is the tag of its head."""

    __tablename__ = "tag"
    __table_args__ = IDS_ARE_NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[Uid] = mapped_column(unique=True, default=new_uid)
    slug: Mapped[Slug] = mapped_column(unique=True)
    name: Mapped[Line]
    description: Mapped[LongText] = mapped_column(default="")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"), index=True)

    parent: Mapped[Tag | None] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list[Tag]] = relationship(back_populates="parent", order_by="Tag.slug")
    questions: Mapped[list[Question]] = relationship(
        secondary=question_tag, back_populates="tags", viewonly=True
    )

    def __str__(self) -> str:
        return self.slug


class TagAlias(Base):
    """A tag that was merged into another. Revisions still name it, by its uid."""

    __tablename__ = "tag_alias"

    uid: Mapped[Uid] = mapped_column(primary_key=True)
    slug: Mapped[Slug] = mapped_column(index=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), index=True)

    tag: Mapped[Tag] = relationship()


class Question(Base):
    """A stable identity and its working copy.

    Revision numbers are plain numbers per question: `latest_number` is the
    newest, `published_number` the one on the shelf, `scheduled_number` the one
    that goes public at `scheduled_at`. The newest is the lock version, too:
    every save makes a revision, and names the one that its editor saw.
    `stem_key` is the stem's match key: what reads the same has the same. `sketched`
    says that likely duplicates of this stem were looked for; `answered`, that the
    canonical answer has a text; `cited`, that some answer has a source.
    """

    __tablename__ = "question"
    __table_args__ = (
        Index(None, "updated_at", "id"),
        Index(None, "stage", "updated_at"),
        # What waits for somebody is a small part of the bank, and found without the rest.
        waiting("ix_question_unsketched", "NOT sketched", "id"),
        waiting("ix_question_unanswered", f"NOT answered AND {_ALIVE}"),
        waiting("ix_question_uncited", f"NOT cited AND {_ALIVE}"),
        # Of the merged ones alone: SQLite would look through all others for those that are not.
        waiting("ix_question_merged_into_id", "merged_into_id IS NOT NULL", "merged_into_id"),
        waiting("ix_question_unpublished", f"published_number <> latest_number AND {_ALIVE}"),
        waiting("ix_question_scheduled", "scheduled_at IS NOT NULL"),
        waiting("ix_question_due", "due_on IS NOT NULL"),
        waiting("ix_question_to_review", "review_by IS NOT NULL"),
        IDS_ARE_NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[Uid] = mapped_column(unique=True, default=new_uid)
    slug: Mapped[Slug] = mapped_column(unique=True)
    stem: Mapped[LongText]
    stem_key: Mapped[Line] = mapped_column(default="", index=True)
    sketched: Mapped[bool] = mapped_column(default=False)
    answered: Mapped[bool] = mapped_column(default=False)
    cited: Mapped[bool] = mapped_column(default=False)
    context: Mapped[LongText] = mapped_column(default="")
    difficulty: Mapped[Difficulty | None] = mapped_column(index=True)
    stage: Mapped[Stage] = mapped_column(default=Stage.draft)
    search_text: Mapped[LongText] = mapped_column(default="")
    latest_number: Mapped[int] = mapped_column(default=0)
    published_number: Mapped[int | None]
    scheduled_number: Mapped[int | None]
    scheduled_at: Mapped[datetime | None] = mapped_column(index=True)
    retired_at: Mapped[datetime | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("question.id"))
    review_by: Mapped[date | None] = mapped_column(index=True)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    due_on: Mapped[date | None] = mapped_column(index=True)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    answers: Mapped[list[Answer]] = relationship(
        back_populates="question", order_by="Answer.position", cascade="all, delete-orphan"
    )
    options: Mapped[list[Option]] = relationship(
        back_populates="question", order_by="Option.position", cascade="all, delete-orphan"
    )
    tags: Mapped[list[Tag]] = relationship(
        secondary=question_tag, back_populates="questions", order_by="Tag.slug"
    )
    merged_into: Mapped[Question | None] = relationship(remote_side=[id])
    assignee: Mapped[User | None] = relationship(foreign_keys=[assignee_id])
    reviewer: Mapped[User | None] = relationship(foreign_keys=[reviewer_id])
    created_by: Mapped[User | None] = relationship(foreign_keys=[created_by_id])

    @validates("stem")
    def _key_stem(self, _attribute: str, stem: str) -> str:
        key = stem_key(stem)
        if key != self.stem_key:
            self.stem_key, self.sketched = key, False
        return stem

    @property
    def status(self) -> Status:
        """The status in one word; 'published' may have unpublished changes besides."""
        if self.retired_at is not None:
            return Status.retired
        if self.published_number is not None:
            return Status.published
        return Status(self.stage)

    @property
    def has_unpublished_changes(self) -> bool:
        return self.published_number is not None and self.published_number != self.latest_number

    def __str__(self) -> str:
        return self.stem


class Answer(Base):
    """A model answer. The one at position 0 is the canonical one."""

    __tablename__ = "answer"
    __table_args__ = (Index(None, "question_id", "position"), IDS_ARE_NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[Uid] = mapped_column(unique=True, default=new_uid)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    position: Mapped[int]
    label: Mapped[Line] = mapped_column(default="")
    body: Mapped[LongText] = mapped_column(default="")
    applies_to: Mapped[Line] = mapped_column(default="")

    question: Mapped[Question] = relationship(back_populates="answers")
    sources: Mapped[list[Source]] = relationship(
        back_populates="answer", order_by="Source.position", cascade="all, delete-orphan"
    )


class Option(Base):
    """A choice of a multiple-choice question; those that are not `correct` are distractors."""

    # The bare word is reserved by SQL.
    __tablename__ = "question_option"
    __table_args__ = (Index(None, "question_id", "position"), IDS_ARE_NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    position: Mapped[int]
    text: Mapped[LongText]
    correct: Mapped[bool] = mapped_column(default=False)
    feedback: Mapped[LongText] = mapped_column(default="")

    question: Mapped[Question] = relationship(back_populates="options")


class Source(Base):
    """A citation of an answer or of a correction: of exactly one of them.

    `last_status` is the HTTP status of the last check, None where there was none;
    `problem` says why nobody could read it there then, None if somebody could or
    nothing was checked.
    """

    __tablename__ = "source"
    __table_args__ = (
        CheckConstraint("(answer_id IS NULL) <> (correction_id IS NULL)", name="one_owner"),
        waiting("ix_source_problem", "problem IS NOT NULL", "answer_id"),
        IDS_ARE_NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[int | None] = mapped_column(
        ForeignKey("answer.id", ondelete="CASCADE"), index=True
    )
    correction_id: Mapped[int | None] = mapped_column(
        ForeignKey("correction.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int] = mapped_column(default=0)
    url: Mapped[LongText]
    title: Mapped[Line] = mapped_column(default="")
    accessed_on: Mapped[date | None]
    last_status: Mapped[int | None]
    problem: Mapped[Line | None]
    checked_at: Mapped[datetime | None]

    answer: Mapped[Answer | None] = relationship(back_populates="sources")


class Revision(Base):
    """An immutable snapshot of a question: its Content as JSON, numbered per question.

    `release` is the first release that published it, None if none did.
    """

    __tablename__ = "revision"
    __table_args__ = (
        UniqueConstraint("question_id", "number"),
        Index(None, "question_id", "content_hash"),
        IDS_ARE_NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    number: Mapped[int]
    content: Mapped[LongText]
    content_hash: Mapped[str] = mapped_column(String(64))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime]
    summary: Mapped[Line] = mapped_column(default="")
    origin: Mapped[Origin]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)
    release: Mapped[int | None]

    question: Mapped[Question] = relationship()
    author: Mapped[User | None] = relationship()
