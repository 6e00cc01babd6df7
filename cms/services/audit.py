"""The audit trail: written in the same transaction as the change that it tells of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from cms.models import AuditEvent, User


def record(
    session: Session, *, by: User | None, at: datetime, action: str, about: str, **data: Any
) -> AuditEvent:
    """Append an event. `action` reads 'question.publish', `about` 'question:<uid>'."""
    event = AuditEvent(
        at=at, actor_id=by.id if by else None, action=action, object=about, data=data
    )
    session.add(event)
    return event


def record_all(
    session: Session,
    *,
    by: User | None,
    at: datetime,
    action: str,
    told: Mapping[str, Mapping[str, Any]],
) -> None:
    """Append an event for each object that `told` names, with its data, in one statement."""
    session.execute(
        insert(AuditEvent),
        [
            {
                "at": at,
                "actor_id": by.id if by else None,
                "action": action,
                "object": about,
                "data": dict(data),
            }
            for about, data in told.items()
        ],
    )
