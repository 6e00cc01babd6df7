"""Runs of the code samples in published answers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cms.models.base import Base, LongText, Uid
from cms.models.questions import waiting


class SampleRun(Base):
    """The last run of one sample: the block at `position` (from 0) among an answer's samples.

    `code_hash` is the SHA-256 (hex) of the code and its expected output that ran;
    `packages` maps the names of the packages that the sample imports to their
    versions. `message` says what failed, empty if nothing did.
    """

    __tablename__ = "sample_run"
    __table_args__ = (
        UniqueConstraint("question_id", "answer_uid", "position"),
        waiting("ix_sample_run_failed", "NOT passed", "question_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    answer_uid: Mapped[Uid]
    position: Mapped[int]
    code_hash: Mapped[str] = mapped_column(String(64))
    passed: Mapped[bool]
    message: Mapped[LongText] = mapped_column(default="")
    python: Mapped[str] = mapped_column(String(32))
    packages: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    ran_at: Mapped[datetime]
