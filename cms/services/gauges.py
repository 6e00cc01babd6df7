"""Figures of a running bank for whoever watches it: counts of what is public and what waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.models import Correction, Job
from cms.services import reading
from cms.services.reading import Bank, Counts
from cms.vocabulary import CorrectionStatus, JobState


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the bank is and what waits in it. `overdue_since` is the time of the oldest job due."""

    bank: Bank
    public: Counts
    open_corrections: int
    jobs: Mapping[JobState, int]
    overdue_since: datetime | None


def gauges(session: Session, *, at: datetime) -> Gauges:
    """Return the figures of one snapshot. Finished jobs are not counted: they are history."""
    jobs = dict.fromkeys((JobState.queued, JobState.running, JobState.failed), 0)
    counted = session.execute(
        select(Job.state, func.count()).where(Job.state.in_(jobs)).group_by(Job.state)
    )
    for state, count in counted:
        jobs[state] = count
    return Gauges(
        bank=reading.bank(session),
        public=reading.counts(session),
        open_corrections=session.scalar(
            select(func.count())
            .select_from(Correction)
            .where(Correction.status == CorrectionStatus.open)
        )
        or 0,
        jobs=jobs,
        overdue_since=session.scalar(
            select(func.min(Job.run_at)).where(Job.state == JobState.queued, Job.run_at <= at)
        ),
    )
