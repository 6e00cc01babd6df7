"""Logging in: the throttle, the check of a password, and sessions on the server's side.

A log-in takes two transactions. `open_attempt` counts it and has to be
committed before `authenticate` looks at the password: a failure then stays
counted although the log-in fails, a hundred guesses sent at once cannot slip
past the limit, and no transaction is open while argon2 works.
"""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.models import LoginSession, User
from cms.models.accounts import name_key
from cms.models.engine import reading
from cms.services import passwords, throttles
from cms.services.audit import record
from cms.services.throttles import Counted, Limit
from cms.text import normalize_line

FAILURES = 10
WINDOW = timedelta(minutes=5)
LIFETIME = timedelta(hours=8)
BY_NAME = Limit("name", FAILURES, WINDOW)
BY_ADDRESS = Limit("address", FAILURES, WINDOW)

WRONG = "The name or the password is wrong."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in that was counted and waits for its password to be checked.

    `user_id` and `password_hash` are None where nobody has the name; what was
    `counted` is taken back when the log-in succeeds.
    """

    address: str
    user_id: int | None
    password_hash: str | None
    counted: Sequence[Counted]


def open_attempt(session: Session, name: str, address: str, *, at: datetime) -> Attempt:
    """Count an attempt to log in as `name` from an IP address. Commit before going on.

    :raises TooManyAttempts: after 10 failures in 5 minutes by this name or from this address
    """
    name = normalize_line(name)
    limits = [
        (BY_NAME, _name_subject(name)),
        (BY_ADDRESS, BY_ADDRESS.subject(throttles.address_key(address))),
    ]
    counted = throttles.count(session, limits, refusal="Too many log-ins failed.", at=at)
    # Where attempts are not counted in the bank, a wrong guess waits for nobody who writes.
    with reading():
        user = session.scalar(select(User).where(User.name_key == name_key(name)))
    return Attempt(
        address,
        user.id if user else None,
        user.password_hash if user else None,
        counted,
    )


def authenticate(session: Session, attempt: Attempt, password: str, *, at: datetime) -> User:
    """Return whose log-in this is, with the hash renewed if its parameters are old.

    :raises InvalidInput: the same for an unknown name, a disabled account and a wrong password
    """
    user = confirm(session, attempt, password)
    assert user.password_hash is not None
    if passwords.is_outdated(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    user.last_login_at = at
    record(session, by=user, at=at, action="account.login", about=f"account:{user.name}")
    return user


def confirm(session: Session, attempt: Attempt, password: str) -> User:
    """Return the account if the password fits, and take the attempt back.

    :raises InvalidInput: when the name or the password is wrong
    """
    # Nothing is asked of the database before argon2 is done: on SQLite a
    # transaction that waited for it would hold up every editor.
    fits = passwords.fits(password, attempt.password_hash)
    user = session.get(User, attempt.user_id, populate_existing=True) if fits else None
    # Disabled, or given another password, while the hash was being checked?
    if user is None or user.disabled_at is not None or user.password_hash != attempt.password_hash:
        log.warning("A log-in from %s failed (account %s).", attempt.address, attempt.user_id)
        raise InvalidInput(WRONG)
    throttles.take_back(session, attempt.counted)
    return user


def start_session(
    session: Session, user: User, *, at: datetime, lifetime: timedelta = LIFETIME
) -> str:
    """Return the secret token of a new session; the database keeps its hash alone."""
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= at))
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            token_hash=token_hash(token),
            user_id=user.id,
            started_at=at,
            expires_at=at + lifetime,
        )
    )
    session.flush()
    return token


def session_user(session: Session, token: str, *, at: datetime) -> User | None:
    """Return whose session this is, if it still lives. Writes nothing."""
    return session.scalar(
        select(User)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(
            LoginSession.token_hash == token_hash(token),
            LoginSession.ended_at.is_(None),
            LoginSession.expires_at > at,
            User.disabled_at.is_(None),
        )
    )


def end_session(session: Session, token: str, *, at: datetime) -> None:
    """Log out: every copy of this session's cookie is dead. Twice is as good as once."""
    user = session_user(session, token, at=at)
    if user is None:
        return
    session.execute(
        update(LoginSession).where(LoginSession.token_hash == token_hash(token)).values(ended_at=at)
    )
    record(session, by=user, at=at, action="account.logout", about=f"account:{user.name}")


def end_all_sessions(session: Session, user: User, *, at: datetime) -> None:
    """Log an account out everywhere."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.user_id == user.id, LoginSession.ended_at.is_(None))
        .values(ended_at=at)
    )


def forget_failures(session: Session, user: User) -> None:
    """Lift the throttle of an account's name."""
    throttles.lift(session, _name_subject(user.name))


def token_hash(token: str) -> str:
    """Return the SHA-256 of a token of 256 random bits; such a token needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _name_subject(name: str) -> str:
    # Hashed, because people type their password in the name's place.
    return BY_NAME.subject(hashlib.sha256(name_key(name).encode()).hexdigest())
