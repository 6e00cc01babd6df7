"""Logging in as a browser does, at a time and from an address that a test chooses."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from cms.models import User
from cms.services import logins
from tests.conftest import PASSWORD

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ANOTHER = "seven teapots in the attic"
HOME = "203.0.113.7"


def log_in(
    session: Session,
    name: str = "Ada",
    password: str = PASSWORD,
    address: str = HOME,
    at: datetime = NOW,
) -> User:
    attempt = logins.open_attempt(session, name, address, at=at)
    session.commit()
    return logins.authenticate(session, attempt, password, at=at)


def fail(session: Session, times: int, at: datetime = NOW, **who: str) -> None:
    """Fail to log in, without the price of hashing."""
    for _ in range(times):
        logins.open_attempt(session, who.get("name", "Ada"), who.get("address", HOME), at=at)
        session.commit()
