"""Bulk operations: one verb on many questions, undone as one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cms.models.base import IDS_ARE_NEVER_REUSED, Base
from cms.models.batches import Batch, BatchRow


class BulkOperation(Batch, Base):
    """One verb on many questions. `release` is the one that it made, None if it made none.

    `done_at` is None while its job waits or runs.
    """

    __tablename__ = "bulk_operation"
    __table_args__ = IDS_ARE_NEVER_REUSED

    verb: Mapped[str] = mapped_column(String(32))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    done_at: Mapped[datetime | None]
    release: Mapped[int | None]

    rows: Mapped[list[BulkRow]] = relationship(
        back_populates="operation", order_by="BulkRow.id", cascade="all, delete-orphan"
    )


class BulkRow(BatchRow, Base):
    """What a bulk operation did with one question, or why it left it alone."""

    __tablename__ = "bulk_row"
    __table_args__ = (Index(None, "operation_id", "action"),)

    operation_id: Mapped[int] = mapped_column(ForeignKey("bulk_operation.id", ondelete="CASCADE"))

    operation: Mapped[BulkOperation] = relationship(back_populates="rows")
