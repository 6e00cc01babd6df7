"""Throttles: how often something was tried, counted in the database, where all servers see it."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cms.errors import TooManyAttempts
from cms.models import LoginAttempt

# Any constant: it names the advisory lock of the throttles.
_LOCK = 0x71_62_61_6E


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `times` in `window` for one subject. `kind` is the subject's first word."""

    kind: str
    times: int
    window: timedelta

    def subject(self, key: str) -> str:
        """Return what is counted for a name or an address."""
        return f"{self.kind}:{key}"


def count(
    session: Session, limits: Sequence[tuple[Limit, str]], *, refusal: str, at: datetime
) -> list[int]:
    """Count one more for each limit and its subject; return the keys of what was counted.

    :raises TooManyAttempts: when one of them is reached; `refusal` says what was too often
    """
    _take_turns(session)
    forget(session, (limit for limit, _ in limits), at=at)
    waits = [_seconds_to_wait(session, limit, subject, at) for limit, subject in limits]
    if any(waits):
        raise TooManyAttempts(refusal, wait=max(waits))
    rows = [LoginAttempt(subject=subject, at=at) for _, subject in limits]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def forget(session: Session, limits: Iterable[Limit], *, at: datetime) -> None:
    """Delete what is older than its window."""
    for limit in limits:
        session.execute(
            delete(LoginAttempt).where(
                LoginAttempt.at <= at - limit.window,
                LoginAttempt.subject.startswith(f"{limit.kind}:", autoescape=True),
            )
        )


def address_key(address: str) -> str:
    """Return what is counted for an IP address: for IPv6 the /64 that one household owns."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            # As a server that listens on both writes an IPv4 address; all share one /64.
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)


def _take_turns(session: Session) -> None:
    """Let one at a time count; SQLite's BEGIN IMMEDIATE does so by itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _seconds_to_wait(session: Session, limit: Limit, subject: str, at: datetime) -> int:
    last_allowed = session.scalar(
        select(LoginAttempt.at)
        .where(LoginAttempt.subject == subject)
        .order_by(LoginAttempt.at.desc())
        .offset(limit.times - 1)
        .limit(1)
    )
    if last_allowed is None:
        return 0
    return max(1, round((last_allowed + limit.window - at).total_seconds()))
