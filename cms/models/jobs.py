"""Jobs: background work that survives a restart."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from cms.models.base import Base, LongText
from cms.vocabulary import JobState


class Job(Base):
    """A piece of work for a worker process, from `run_at` on.

    A worker holds a running job until `lease_until`, and longer as long as it
    renews that; a job whose lease ran out is anybody's again. `attempts` counts
    how often it was taken: an attempt writes its effects only while it is still
    the newest one. `progress` counts up to `total`, None while that is not known.
    """

    __tablename__ = "job"
    __table_args__ = (Index(None, "state", "run_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[JobState] = mapped_column(default=JobState.queued)
    progress: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    error: Mapped[LongText] = mapped_column(default="")
    by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime]
    run_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
