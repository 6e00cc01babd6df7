"""Bulk operations: one verb on many questions, undone as one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.accounts import User
from cms.models.base import IDS_ARE_NEVER_REUSED, Base
from cms.models.batches import BatchRow
from cms.models.jobs import Job


class BulkOperation(Base):
    """One verb on many questions. `release` is the one that it made, None if it made none.

    `done_at` is None while its job waits or runs.
    """

    __tablename__ = "bulk_operation"
    __table_args__ = IDS_ARE_NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    verb: Mapped[str] = mapped_column(String(32))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    done_at: Mapped[datetime | None]
    release: Mapped[int | None]
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), index=True)

    by: Mapped[User | None] = relationship(foreign_keys=[by_id])
    undone_by: Mapped[User | None] = relationship(foreign_keys=[undone_by_id])
    job: Mapped[Job | None] = relationship()
    rows: Mapped[list[BulkRow]] = relationship(
        back_populates="operation", order_by="BulkRow.id", cascade="all, delete-orphan"
    )


class BulkRow(BatchRow, Base):
    """What a bulk operation did with one question, or why it left it alone."""

    __tablename__ = "bulk_row"
    __table_args__ = (Index(None, "operation_id", "action"),)

    operation_id: Mapped[int] = mapped_column(ForeignKey("bulk_operation.id", ondelete="CASCADE"))

    operation: Mapped[BulkOperation] = relationship(back_populates="rows")
