"""Throttles: how often something was tried.

Attempts are counted in the bank's own database, where all servers see them, as part of the
transaction; or in the memory of the one server process that there is, at once and whatever
becomes of the transaction. So callers count last of all that can still be refused.
"""

import ipaddress
import itertools
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cms.errors import TooManyAttempts
from cms.models import LoginAttempt
from cms.models.engine import ATTEMPTS

# Any constant: it names the advisory lock of the throttles.
_LOCK = 0x71_62_61_6E

# Subjects of one kind that a process keeps at most. Whoever pushes out the count of a name by
# trying others from as many addresses spends thousands of addresses on each guess.
MOST_SUBJECTS = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `times` in `window` for one subject. `kind` is the subject's first word."""

    kind: str
    times: int
    window: timedelta

    def subject(self, key: str) -> str:
        """Return what is counted for a name or an address."""
        return f"{self.kind}:{key}"


@dataclass(frozen=True, slots=True)
class Counted:
    """One attempt that was counted, and can be taken back."""

    subject: str
    key: int


def count(
    session: Session, limits: Sequence[tuple[Limit, str]], *, refusal: str, at: datetime
) -> list[Counted]:
    """Count one more for each limit and its subject.

    :raises TooManyAttempts: when one of them is reached; `refusal` says what was too often
    """
    attempts = _attempts(session)
    with attempts.turn():
        for limit, _ in limits:
            attempts.forget_older(limit, at - limit.window)
        waits = [_seconds_to_wait(attempts, limit, subject, at) for limit, subject in limits]
        if any(waits):
            raise TooManyAttempts(refusal, wait=max(waits))
        return [attempts.add(subject, at) for _, subject in limits]


def take_back(session: Session, counted: Sequence[Counted]) -> None:
    """Let attempts count no more, such as those of a log-in that succeeded."""
    _attempts(session).take_back(counted)


def lift(session: Session, subject: str) -> None:
    """Let nothing count any more that was counted for a subject."""
    _attempts(session).lift(subject)


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


def _seconds_to_wait(attempts: "Attempts", limit: Limit, subject: str, at: datetime) -> int:
    last_allowed = attempts.newest(subject, limit.times)
    if last_allowed is None or last_allowed <= at - limit.window:
        return 0
    return max(1, round((last_allowed + limit.window - at).total_seconds()))


# --- where attempts are counted ----------------------------------------------------------


class Attempts(Protocol):
    """A place where attempts are counted."""

    def turn(self) -> AbstractContextManager[None]:
        """Let one at a time look and count."""
        ...

    def forget_older(self, limit: Limit, moment: datetime) -> None:
        """Delete what was counted for a limit at `moment` or before."""
        ...

    def newest(self, subject: str, number: int) -> datetime | None:
        """Return when the `number`th newest attempt of a subject was, if it has so many."""
        ...

    def add(self, subject: str, at: datetime) -> Counted: ...

    def take_back(self, counted: Sequence[Counted]) -> None: ...

    def lift(self, subject: str) -> None: ...


class DatabaseAttempts:
    """Attempts as rows of the bank, which go with the session's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep others waiting until the transaction ends; BEGIN IMMEDIATE does so by itself."""
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        yield

    def forget_older(self, limit: Limit, moment: datetime) -> None:
        self._session.execute(
            delete(LoginAttempt).where(
                LoginAttempt.at <= moment,
                LoginAttempt.subject.startswith(f"{limit.kind}:", autoescape=True),
            )
        )

    def newest(self, subject: str, number: int) -> datetime | None:
        return self._session.scalar(
            select(LoginAttempt.at)
            .where(LoginAttempt.subject == subject)
            .order_by(LoginAttempt.at.desc())
            .offset(number - 1)
            .limit(1)
        )

    def add(self, subject: str, at: datetime) -> Counted:
        row = LoginAttempt(subject=subject, at=at)
        self._session.add(row)
        self._session.flush()
        return Counted(subject, row.id)

    def take_back(self, counted: Sequence[Counted]) -> None:
        keys = [each.key for each in counted]
        self._session.execute(delete(LoginAttempt).where(LoginAttempt.id.in_(keys)))

    def lift(self, subject: str) -> None:
        self._session.execute(delete(LoginAttempt).where(LoginAttempt.subject == subject))


class MemoryAttempts:
    """Attempts of this process alone; they go when it ends. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._keys = itertools.count(1)
        # By kind; its subjects in the order in which they were last counted; their attempts by key.
        self._kinds: dict[str, OrderedDict[str, dict[int, datetime]]] = defaultdict(OrderedDict)

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._lock:
            yield

    def forget_older(self, limit: Limit, moment: datetime) -> None:
        with self._lock:
            subjects = self._kinds[limit.kind]
            while subjects and max(next(iter(subjects.values())).values()) <= moment:
                subjects.popitem(last=False)

    def newest(self, subject: str, number: int) -> datetime | None:
        with self._lock:
            times = sorted(self._of(subject).get(subject, {}).values(), reverse=True)
        return times[number - 1] if len(times) >= number else None

    def add(self, subject: str, at: datetime) -> Counted:
        with self._lock:
            subjects, key = self._of(subject), next(self._keys)
            subjects.setdefault(subject, {})[key] = at
            subjects.move_to_end(subject)
            if len(subjects) > MOST_SUBJECTS:
                subjects.popitem(last=False)
        return Counted(subject, key)

    def take_back(self, counted: Sequence[Counted]) -> None:
        with self._lock:
            for each in counted:
                subjects = self._of(each.subject)
                left = subjects.get(each.subject, {})
                left.pop(each.key, None)
                if not left:
                    subjects.pop(each.subject, None)

    def lift(self, subject: str) -> None:
        with self._lock:
            self._of(subject).pop(subject, None)

    def _of(self, subject: str) -> OrderedDict[str, dict[int, datetime]]:
        return self._kinds[subject.partition(":")[0]]


def _attempts(session: Session) -> Attempts:
    kept = session.get_bind().get_execution_options().get(ATTEMPTS)
    return kept if isinstance(kept, MemoryAttempts) else DatabaseAttempts(session)
