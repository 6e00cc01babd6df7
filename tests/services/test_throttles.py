"""The throttle of log-ins, wherever its attempts are counted."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, TooManyAttempts
from cms.extensions import db
from cms.models import LoginAttempt, User
from cms.models.engine import ATTEMPTS
from cms.services import accounts, logins, throttles
from cms.services.throttles import Limit, MemoryAttempts
from cms.vocabulary import Role
from tests.conftest import PASSWORD, ROOT, add_person
from tests.services.attempts import ANOTHER, NOW, fail, log_in


@pytest.fixture(params=["database", "memory"])
def session(app: Flask, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session of an app that counts in its bank, and of one that counts by itself."""
    memory = MemoryAttempts() if request.param == "memory" else None
    with app.app_context(), Session(db.engine.execution_options(**{ATTEMPTS: memory})) as session:
        yield session


@pytest.fixture
def ada(session: Session) -> User:
    return add_person(session, "Ada", Role.admin)


def subjects(session: Session) -> list[str]:
    """What is counted at the moment, once for each attempt."""
    memory = session.get_bind().get_execution_options()[ATTEMPTS]
    rows = list(session.scalars(select(LoginAttempt.subject)))
    if memory is None:
        return rows
    assert rows == [], "nothing of it is in the bank"
    kinds = memory._kinds.values()
    return [name for kind in kinds for name, attempts in kind.items() for _ in attempts]


@pytest.mark.parametrize("name", ["Ada", "Unknown"])
def test_ten_failures_in_five_minutes_close_a_name_known_or_not(
    session: Session, ada: User, name: str
) -> None:
    for number in range(10):
        at = NOW + timedelta(seconds=number)
        fail(session, 1, at=at, name=name, address=f"203.0.113.{number}")
    with pytest.raises(TooManyAttempts) as error:
        log_in(session, name.upper(), PASSWORD, "203.0.113.99", NOW + timedelta(seconds=60))
    assert str(error.value) == "Too many log-ins failed. Wait 4 minutes and try again."
    assert error.value.wait == 240


def test_ten_failures_close_an_address_for_every_name(session: Session, ada: User) -> None:
    for number in range(10):
        fail(session, 1, name=f"guess {number}")
    with pytest.raises(TooManyAttempts):
        log_in(session)
    assert log_in(session, address="198.51.100.1") is ada


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("not an address", "", True),
    ],
)
def test_an_ipv6_household_counts_as_one_address(
    session: Session, first: str, second: str, same: bool
) -> None:
    for number in range(10):
        fail(session, 1, name=f"guess {number}", address=first)
    if same:
        with pytest.raises(TooManyAttempts):
            logins.open_attempt(session, "Ada", second, at=NOW)
    else:
        logins.open_attempt(session, "Ada", second, at=NOW)


def test_the_wait_that_the_message_names_is_enough_and_no_shorter_one_is(
    session: Session, ada: User
) -> None:
    fail(session, 10)
    with pytest.raises(TooManyAttempts) as error:
        log_in(session)
    wait = timedelta(seconds=error.value.wait)
    with pytest.raises(TooManyAttempts, match="Wait 1 second and"):
        log_in(session, at=NOW + wait - timedelta(seconds=1))
    assert log_in(session, at=NOW + wait) is ada


def test_a_refused_attempt_does_not_make_the_wait_longer(session: Session, ada: User) -> None:
    fail(session, 10)
    for minute in range(5):
        with pytest.raises(TooManyAttempts):
            log_in(session, at=NOW + timedelta(minutes=minute))
        session.rollback()
    assert log_in(session, at=NOW + timedelta(minutes=5)) is ada


def test_a_successful_login_is_not_counted_and_does_not_reset_the_count(
    session: Session, ada: User
) -> None:
    fail(session, 9)
    for _ in range(3):
        log_in(session)
        session.commit()
    fail(session, 1)
    with pytest.raises(TooManyAttempts):
        log_in(session)


def test_failures_stay_counted_when_the_login_fails(session: Session, ada: User) -> None:
    with pytest.raises(InvalidInput):
        log_in(session, password="not the right password")
    session.rollback()
    assert len(subjects(session)) == 2


def test_old_attempts_are_pruned_and_none_holds_a_name(session: Session) -> None:
    fail(session, 3, name="my secret password, typed in the wrong field")
    fail(session, 1, at=NOW + timedelta(minutes=5), name="Somebody")
    left = subjects(session)
    assert len(left) == 2
    assert not any("Somebody" in subject for subject in left)


def test_a_new_password_by_link_lifts_the_throttle_of_the_name(session: Session, ada: User) -> None:
    fail(session, 10)
    token = accounts.issue_link(session, ada, by=None, at=NOW)
    accounts.redeem(session, token, ANOTHER, at=NOW)
    session.commit()
    assert log_in(session, password=ANOTHER, address="198.51.100.1") is ada


def test_thirty_guesses_at_once_are_ten_guesses(session: Session) -> None:
    """The count is right for attempts that overlap, as several servers send them."""
    ready = threading.Barrier(15, timeout=20)

    def guess(number: int) -> bool:
        ready.wait()
        with Session(session.get_bind()) as own:
            try:
                logins.open_attempt(own, "Ada", f"203.0.113.{number}", at=NOW)
            except TooManyAttempts:
                return False
            own.commit()
            return True

    with ThreadPoolExecutor(15) as pool:
        assert sum(pool.map(guess, range(30))) == 10


def test_what_is_counted_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ones that were tried longest ago go first; one whose window is over goes anyhow."""
    monkeypatch.setattr(throttles, "MOST_SUBJECTS", 3)
    memory, limit = MemoryAttempts(), Limit("name", 1, timedelta(minutes=5))
    for second, name in enumerate("abacd"):
        memory.add(limit.subject(name), NOW + timedelta(seconds=second))
    left = {name: memory.newest(limit.subject(name), 1) for name in "abcd"}
    assert left == {
        "a": NOW + timedelta(seconds=2),
        "b": None,
        "c": NOW + timedelta(seconds=3),
        "d": NOW + timedelta(seconds=4),
    }
    memory.forget_older(limit, NOW + timedelta(seconds=3))
    assert list(memory._kinds["name"]) == ["name:d"]


# --- several servers ------------------------------------------------------------------------


@pytest.mark.parametrize("session", ["database"], indirect=True)
def test_two_processes_count_together(session: Session, database_url: str) -> None:
    """The other one has an address of its own; the clock of both is the test's."""
    program = [sys.executable, "-m", "tests.services.guesses", database_url, "Ada", "203.0.113.8"]
    with subprocess.Popen(
        program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:

        def guess_there(at: datetime) -> int:
            assert other.stdin
            assert other.stdout
            other.stdin.write(f"{at.isoformat()}\n")
            other.stdin.flush()
            return int(other.stdout.readline())

        def guess_here(at: datetime) -> int:
            try:
                fail(session, 1, at=at)
            except TooManyAttempts as error:
                session.rollback()
                return error.wait
            return 0

        moments = [NOW + timedelta(seconds=second) for second in range(6)]
        waits = [guess(at) for at in moments for guess in (guess_here, guess_there)]
        assert waits == [0] * 10 + [295, 295]
        # Five minutes after the first ones, of here and there, two more.
        later = NOW + timedelta(minutes=5)
        assert [guess_there(later) for _ in range(2)] + [guess_here(later)] == [0, 0, 1]
