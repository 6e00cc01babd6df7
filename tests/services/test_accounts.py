"""Accounts, links, passwords, the throttle and sessions, without HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotFound, TooManyAttempts, WrongState
from cms.extensions import db
from cms.models import AuditEvent, LoginSession, OneTimeLink, User
from cms.services import accounts, logins, passwords
from cms.vocabulary import Role
from tests.conftest import PASSWORD, sent_statements
from tests.services.attempts import ANOTHER, HOME, NOW, fail, log_in


@pytest.fixture
def ada(session: Session) -> User:
    """An administrator with a password."""
    user = accounts.add_user(session, "Ada", Role.admin, by=None, at=NOW)
    set_password(session, user)
    session.commit()
    return user


def set_password(session: Session, user: User, password: str = PASSWORD) -> None:
    token = accounts.issue_link(session, user, by=None, at=NOW)
    accounts.redeem(session, token, password, at=NOW)


def actions(session: Session) -> list[str]:
    return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


# --- accounts -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ada", "Ada"),
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("Zoe\u0308", "Zoë"),
        ("ad", "ad"),
        ("x" * 64, "x" * 64),
        ("金 庸", "金 庸"),
    ],
)
def test_a_name_is_kept_normalized(session: Session, typed: str, kept: str) -> None:
    assert accounts.add_user(session, typed, Role.editor, by=None, at=NOW).name == kept


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "2 to 64 characters"),
        ("a", "2 to 64 characters"),
        (" a ", "2 to 64 characters"),
        ("x" * 65, "2 to 64 characters"),
        # One ligature that folds to 18 letters, four times.
        ("\ufdfa" * 4, "2 to 64 characters"),
        ("Ada\u202egnal", "cannot be seen"),
        ("Ada\u200b", "cannot be seen"),
    ],
)
def test_a_bad_name_is_refused(session: Session, name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as error:
        accounts.add_user(session, name, Role.editor, by=None, at=NOW)
    assert error.value.field == "name"


@pytest.mark.parametrize("again", ["Zoë", "ZOË", "zoe\u0308", " zoë ", "Ｚoë"])
def test_a_name_is_taken_in_every_case_and_spelling(session: Session, again: str) -> None:
    accounts.add_user(session, "Zoë", Role.editor, by=None, at=NOW)
    with pytest.raises(InvalidInput, match="an account named 'Zoë' already"):
        accounts.add_user(session, again, Role.editor, by=None, at=NOW)
    assert accounts.find_user(session, again).name == "Zoë"


def test_the_accounts_are_listed_by_name_with_the_disabled_ones(
    session: Session, ada: User
) -> None:
    for name in ("bob", "Älva", "Cyd"):
        accounts.add_user(session, name, Role.editor, by=ada, at=NOW)
    accounts.disable(session, accounts.find_user(session, "bob"), by=ada, at=NOW)
    listed = [user.name for user in accounts.list_users(session)]
    assert listed[:3] == ["Ada", "bob", "Cyd"]
    assert set(listed) == {"Ada", "bob", "Cyd", "Älva"}


def test_a_missing_account_is_named_in_the_message(session: Session) -> None:
    with pytest.raises(NotFound, match="no account named 'Nobody'"):
        accounts.find_user(session, "Nobody")


MANAGING: dict[str, Callable[[Session, User, User], object]] = {
    "add": lambda s, u, by: accounts.add_user(s, "New", Role.editor, by=by, at=NOW),
    "disable": lambda s, u, by: accounts.disable(s, u, by=by, at=NOW),
    "enable": lambda s, u, by: accounts.enable(s, u, by=by, at=NOW),
    "set_role": lambda s, u, by: accounts.set_role(s, u, Role.admin, by=by, at=NOW),
    "issue_link": lambda s, u, by: accounts.issue_link(s, u, by=by, at=NOW),
}


@pytest.mark.parametrize("verb", MANAGING)
@pytest.mark.parametrize("role", [Role.contributor, Role.editor])
def test_only_an_admin_manages_accounts(session: Session, ada: User, role: Role, verb: str) -> None:
    user = accounts.add_user(session, "Mallory", role, by=ada, at=NOW)
    with pytest.raises(NotAllowed, match="Only an admin may manage accounts"):
        MANAGING[verb](session, user, user)


def test_a_disabled_admin_manages_nothing(session: Session, ada: User) -> None:
    other = accounts.add_user(session, "Other", Role.admin, by=ada, at=NOW)
    accounts.disable(session, other, by=ada, at=NOW)
    with pytest.raises(NotAllowed):
        accounts.enable(session, other, by=other, at=NOW)


def test_the_last_active_admin_is_neither_disabled_nor_demoted(session: Session, ada: User) -> None:
    other = accounts.add_user(session, "Other", Role.admin, by=ada, at=NOW)
    accounts.disable(session, other, by=ada, at=NOW)
    with pytest.raises(WrongState, match="cannot disable 'Ada': it is the last active admin"):
        accounts.disable(session, ada, by=ada, at=NOW)
    with pytest.raises(WrongState, match="cannot demote 'Ada'"):
        accounts.set_role(session, ada, Role.editor, by=ada, at=NOW)
    accounts.enable(session, other, by=ada, at=NOW)
    accounts.set_role(session, ada, Role.editor, by=ada, at=NOW)
    assert [user.name for user in accounts.active_admins(session)] == ["Other"]


def test_two_admins_who_disable_each_other_at_once_leave_one(app: Flask, session: Session) -> None:
    """Each in a transaction of its own, started before the other's end."""
    names = ("Ada", "Bea")
    for name in names:
        accounts.add_user(session, name, Role.admin, by=None, at=NOW)
    session.commit()
    ready = threading.Barrier(2, timeout=10)

    def disable(name: str) -> str:
        ready.wait()
        with app.app_context(), Session(db.engine) as own:
            try:
                accounts.disable(own, accounts.find_user(own, name), by=None, at=NOW)
                own.commit()
            except WrongState as error:
                return str(error)
        return "disabled"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(disable, names))
    assert "last active admin" in outcomes[0]
    assert outcomes[1] == "disabled"
    assert len(accounts.active_admins(session)) == 1


@pytest.mark.parametrize(
    ("verb", "disabled", "message"),
    [("disable", True, "disabled already"), ("enable", False, "not disabled")],
)
def test_disabling_and_enabling_fit_the_state(
    session: Session, ada: User, verb: str, disabled: bool, message: str
) -> None:
    bob = accounts.add_user(session, "Bob", Role.editor, by=ada, at=NOW)
    if disabled:
        accounts.disable(session, bob, by=ada, at=NOW)
    with pytest.raises(WrongState, match=message):
        getattr(accounts, verb)(session, bob, by=ada, at=NOW)


def test_every_change_of_an_account_is_in_the_audit_trail(session: Session, ada: User) -> None:
    before = session.scalar(select(func.max(AuditEvent.id))) or 0
    bob = accounts.add_user(session, "Bob", Role.contributor, by=ada, at=NOW)
    token = accounts.issue_link(session, bob, by=ada, at=NOW)
    accounts.redeem(session, token, PASSWORD, at=NOW)
    log_in(session, "bob")
    secret = logins.start_session(session, bob, at=NOW)
    logins.end_session(session, secret, at=NOW)
    accounts.set_role(session, bob, Role.contributor, by=ada, at=NOW)
    accounts.set_role(session, bob, Role.editor, by=ada, at=NOW)
    accounts.disable(session, bob, by=ada, at=NOW)
    accounts.enable(session, bob, by=None, at=NOW)
    session.flush()
    new = select(AuditEvent).where(AuditEvent.id > before).order_by(AuditEvent.id)
    events = list(session.scalars(new))
    verbs = "add link password login logout role disable enable"
    assert [event.action for event in events] == [f"account.{verb}" for verb in verbs.split()]
    assert {event.object for event in events} == {"account:Bob"}
    by = [event.actor.name if event.actor else None for event in events]
    assert by == ["Ada", "Ada", "Bob", "Bob", "Bob", "Ada", "Ada", None]
    assert events[0].data == {"role": "contributor"}
    assert events[5].data == {"before": "contributor", "after": "editor"}
    assert not any(secret in str(event.data) or token in str(event.data) for event in events)


# --- one-use links --------------------------------------------------------------


def test_a_link_sets_the_password_once(session: Session, ada: User) -> None:
    token = accounts.issue_link(session, ada, by=None, at=NOW)
    assert accounts.link_user(session, token, at=NOW) is ada
    accounts.redeem(session, token, ANOTHER, at=NOW)
    session.commit()
    assert log_in(session, password=ANOTHER) is ada
    with pytest.raises(NotFound, match="used up, replaced by a newer one or too old"):
        accounts.redeem(session, token, PASSWORD, at=NOW)
    with pytest.raises(InvalidInput):
        log_in(session, password=PASSWORD)


def test_only_the_hash_of_a_link_is_stored(session: Session, ada: User) -> None:
    token = accounts.issue_link(session, ada, by=None, at=NOW)
    session.flush()
    stored = session.scalars(select(OneTimeLink.token_hash)).all()
    assert len(token) == 43
    assert token not in stored
    assert logins.token_hash(token) in stored


def _wait_too_long(session: Session, user: User) -> datetime:
    return NOW + accounts.LINK_LIFETIME


def _issue_another(session: Session, user: User) -> datetime:
    accounts.issue_link(session, user, by=None, at=NOW)
    return NOW


def _disable(session: Session, user: User) -> datetime:
    accounts.disable(session, user, by=None, at=NOW)
    return NOW


def _disable_and_enable(session: Session, user: User) -> datetime:
    accounts.disable(session, user, by=None, at=NOW)
    accounts.enable(session, user, by=None, at=NOW)
    return NOW


@pytest.mark.parametrize(
    "kill",
    [_wait_too_long, _issue_another, _disable, _disable_and_enable],
    ids=lambda f: f.__name__,
)
def test_a_link_dies(
    session: Session, ada: User, kill: Callable[[Session, User], datetime]
) -> None:
    bob = accounts.add_user(session, "Bob", Role.editor, by=ada, at=NOW)
    token = accounts.issue_link(session, bob, by=ada, at=NOW)
    almost = NOW + accounts.LINK_LIFETIME - timedelta(seconds=1)
    assert accounts.link_user(session, token, at=almost) is bob
    at = kill(session, bob)
    with pytest.raises(NotFound):
        accounts.link_user(session, token, at=at)
    with pytest.raises(NotFound):
        accounts.redeem(session, token, PASSWORD, at=at)
    assert bob.password_hash is None


def test_a_refused_password_does_not_use_the_link_up(session: Session, ada: User) -> None:
    token = accounts.issue_link(session, ada, by=None, at=NOW)
    with pytest.raises(InvalidInput):
        accounts.redeem(session, token, "short", at=NOW)
    assert accounts.redeem(session, token, ANOTHER, at=NOW) is ada


def test_a_disabled_account_gets_no_link(session: Session, ada: User) -> None:
    bob = accounts.add_user(session, "Bob", Role.editor, by=ada, at=NOW)
    accounts.disable(session, bob, by=ada, at=NOW)
    with pytest.raises(WrongState, match="Enable it first"):
        accounts.issue_link(session, bob, by=ada, at=NOW)


def test_a_link_that_two_people_send_at_once_works_for_one(app: Flask, session: Session) -> None:
    user = accounts.add_user(session, "Ada", Role.admin, by=None, at=NOW)
    token = accounts.issue_link(session, user, by=None, at=NOW)
    session.commit()
    ready = threading.Barrier(2, timeout=10)

    def redeem(password: str) -> str | None:
        ready.wait()
        with app.app_context(), Session(db.engine) as own:
            try:
                accounts.redeem(own, token, password, at=NOW)
            except NotFound:
                return None
            own.commit()
        return password

    with ThreadPoolExecutor(2) as pool:
        won = [each for each in pool.map(redeem, (PASSWORD, ANOTHER)) if each]
    assert len(won) == 1
    session.rollback()
    assert log_in(session, password=won[0]).name == "Ada"


# --- passwords ------------------------------------------------------------------

COMMON_WORDS = ("password", "dragon", "iloveyou", "letmein", "qwerty", "monkey", "sunshine")


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "has 0 characters; it needs at least 15"),
        ("Tr0ub4dor&3", "has 11 characters; it needs at least 15"),
        ("fourteen chars", "has 14 characters"),
        # A decomposed letter counts as the one character that it is.
        ("e\u0301" * 14, "has 14 characters"),
        ("walnut harbor " * 9 + "six", "has 129 characters; at most 128"),
        ("my name is edith yes", "contains the account's name"),
        ("MYNAMEISEDITHYES", "contains the account's name"),
        ("123456789012345", "among the first that are guessed"),
        ("qwertyuiopasdfgh", "among the first that are guessed"),
        ("aaaaaaaaaaaaaaaaaaaa", "among the first that are guessed"),
        ("1qaz2wsx3edc4rfv", "among the first that are guessed"),
        ("abcabcabcabcabcabc", "among the first that are guessed"),
        *(
            ((word * 15)[: max(15, 2 * len(word))], "among the first that are guessed")
            for word in COMMON_WORDS
        ),
    ],
)
def test_a_bad_password_is_refused(password: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as error:
        passwords.check_rules(password, "Edith")
    assert error.value.field == "new_password"
    assert password not in str(error.value) or len(password) < 3


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        ANOTHER,
        "no digits needed here",
        "x7kq2mzp9vrt4wb",
        "пять слов которые вместе",
        "十五文字以上の合言葉なら何でもよい",
        "walnut harbor " * 9 + "go",
        "\N{SMILING FACE WITH SUNGLASSES} harbor violin",
    ],
)
def test_a_good_password_needs_no_special_characters(password: str) -> None:
    passwords.check_rules(password, "Edith")


def test_a_short_name_does_not_forbid_every_word_that_holds_it() -> None:
    passwords.check_rules("joyful teapots in attics", "Jo")


def test_the_three_thousand_most_common_passwords_are_refused_however_often_repeated() -> None:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    accepted = []
    for word in FREQUENCY_LISTS["passwords"][:3000:10]:
        repeated = word * -(-passwords.MIN_LENGTH // len(word))
        try:
            passwords.check_rules(repeated, "Edith")
        except InvalidInput:
            continue
        accepted.append(repeated)
    assert accepted == []


def test_judging_a_hostile_password_takes_no_noticeable_time() -> None:
    """The estimator's time grows fast with the letters that may stand for others."""
    started = time.process_time()
    passwords.check_rules("4@8({[<369&#!1/|0$5+7%2" * 5, "Edith")
    assert time.process_time() - started < 3


def test_the_hash_is_argon2id_with_the_recommended_parameters() -> None:
    assert passwords.hash_password(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.is_outdated(passwords.hash_password(PASSWORD))
    assert not passwords.is_outdated(passwords.NOBODY)


def test_a_password_fits_however_its_letters_were_composed() -> None:
    encoded = passwords.hash_password("Zoë and seven teapots")
    assert passwords.fits("Zoe\u0308 and seven teapots", encoded)
    assert not passwords.fits("Zoe and seven teapots", encoded)


@pytest.mark.parametrize("encoded", [None, "", "!", "$argon2id$broken"])
def test_no_password_fits_what_is_no_hash(encoded: str | None) -> None:
    assert not passwords.fits(PASSWORD, encoded)


def test_at_most_four_passwords_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()
    # Whoever hashes waits for the others, so that there are as many as there can be.
    together = threading.Barrier(passwords.AT_ONCE, timeout=20)

    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            together.wait()
            with lock:
                running -= 1
            return True

    monkeypatch.setattr(passwords, "HASHER", Slow())
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: passwords.fits(PASSWORD, None), range(32)))
    assert most == passwords.AT_ONCE == 4


def test_whoever_waits_too_long_for_a_turn_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "PATIENCE", 0)
    for _ in range(passwords.AT_ONCE):
        passwords._slots.acquire()
    try:
        with pytest.raises(TooManyAttempts, match="logging in at this moment"):
            passwords.fits(PASSWORD, None)
    finally:
        for _ in range(passwords.AT_ONCE):
            passwords._slots.release()


# --- logging in -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ada", "ADA", " ada ", "ａda"])
def test_a_login_finds_the_name_in_every_case(session: Session, ada: User, name: str) -> None:
    later = NOW + timedelta(hours=1)
    assert log_in(session, name, at=later) is ada
    assert ada.last_login_at == later


def _never_had_a_password(session: Session) -> str:
    accounts.add_user(session, "Bob", Role.editor, by=None, at=NOW)
    return "Bob"


def _is_disabled(session: Session) -> str:
    bob = accounts.add_user(session, "Bob", Role.editor, by=None, at=NOW)
    set_password(session, bob)
    accounts.disable(session, bob, by=None, at=NOW)
    return "Bob"


@pytest.mark.parametrize(
    ("prepare", "password"),
    [
        (lambda session: "Ada", "not the right password"),
        (lambda session: "Ada", ""),
        (lambda session: "Unknown", PASSWORD),
        (lambda session: "", PASSWORD),
        (lambda session: "\x00", PASSWORD),
        (_never_had_a_password, PASSWORD),
        (_is_disabled, PASSWORD),
    ],
    ids=["wrong", "empty", "unknown", "no name", "NUL", "no password yet", "disabled"],
)
def test_every_refused_login_does_the_same_work_and_says_the_same(
    session: Session,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Session], str],
    password: str,
) -> None:
    name = prepare(session)
    session.commit()
    work: list[tuple[str, bool]] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            work.append((str(hash).rsplit("$", 2)[0], bool(password)))
            return super().verify(hash, password)

        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            raise AssertionError("a failed log-in hashes nothing anew")

    monkeypatch.setattr(
        passwords, "HASHER", Counting(time_cost=2, memory_cost=19_456, parallelism=1)
    )
    with pytest.raises(InvalidInput) as error:
        log_in(session, name, password)
    assert str(error.value) == "The name or the password is wrong."
    assert error.value.field is None
    assert work == [("$argon2id$v=19$m=19456,t=2,p=1", bool(password))]


def test_a_hash_with_old_parameters_is_renewed_at_login(session: Session, ada: User) -> None:
    ada.password_hash = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=2).hash(PASSWORD)
    session.commit()
    log_in(session)
    assert ada.password_hash is not None
    assert "$m=19456,t=2,p=1$" in ada.password_hash
    renewed = ada.password_hash
    session.commit()
    log_in(session)
    assert ada.password_hash == renewed


def test_no_transaction_is_open_while_a_password_is_checked(
    session: Session, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = logins.open_attempt(session, "Ada", HOME, at=NOW)
    session.commit()
    open_ones = []
    real = passwords.fits

    def fits(password: str, encoded: str | None) -> bool:
        open_ones.append(session.in_transaction())
        return real(password, encoded)

    monkeypatch.setattr(passwords, "fits", fits)
    logins.authenticate(session, attempt, PASSWORD, at=NOW)
    assert open_ones == [False]


def test_a_login_that_overlaps_the_disabling_of_its_account_fails(
    session: Session, ada: User
) -> None:
    bob = accounts.add_user(session, "Bob", Role.editor, by=ada, at=NOW)
    set_password(session, bob)
    attempt = logins.open_attempt(session, "Bob", HOME, at=NOW)
    accounts.disable(session, bob, by=ada, at=NOW)
    session.commit()
    with pytest.raises(InvalidInput, match="wrong"):
        logins.authenticate(session, attempt, PASSWORD, at=NOW)


def test_a_login_that_overlaps_a_change_of_the_password_fails(session: Session, ada: User) -> None:
    attempt = logins.open_attempt(session, "Ada", HOME, at=NOW)
    set_password(session, ada, ANOTHER)
    session.commit()
    with pytest.raises(InvalidInput, match="wrong"):
        logins.authenticate(session, attempt, PASSWORD, at=NOW)


# --- sessions -------------------------------------------------------------------


def test_a_session_lives_eight_hours(session: Session, ada: User) -> None:
    token = logins.start_session(session, ada, at=NOW)
    almost = NOW + timedelta(hours=8) - timedelta(seconds=1)
    assert logins.session_user(session, token, at=almost) is ada
    assert logins.session_user(session, token, at=NOW + timedelta(hours=8)) is None
    assert logins.session_user(session, token + "x", at=NOW) is None
    assert session.scalars(select(LoginSession.token_hash)).all() == [logins.token_hash(token)]


def _log_out(session: Session, user: User, token: str) -> None:
    logins.end_session(session, token, at=NOW)


def _disabled(session: Session, user: User, token: str) -> None:
    accounts.disable(session, user, by=None, at=NOW)


def _promoted(session: Session, user: User, token: str) -> None:
    accounts.set_role(session, user, Role.admin, by=None, at=NOW)


def _reset(session: Session, user: User, token: str) -> None:
    set_password(session, user, ANOTHER)


def _password_changed(session: Session, user: User, token: str) -> None:
    attempt = logins.open_attempt(session, user.name, HOME, at=NOW)
    session.commit()
    accounts.change_password(session, attempt, "Bob", PASSWORD, ANOTHER, at=NOW)


@pytest.mark.parametrize(
    "kill", [_log_out, _disabled, _promoted, _reset, _password_changed], ids=lambda f: f.__name__
)
def test_a_session_dies(
    session: Session, ada: User, kill: Callable[[Session, User, str], None]
) -> None:
    bob = accounts.add_user(session, "Bob", Role.editor, by=ada, at=NOW)
    set_password(session, bob)
    token = logins.start_session(session, bob, at=NOW)
    assert logins.session_user(session, token, at=NOW) is bob
    kill(session, bob, token)
    assert logins.session_user(session, token, at=NOW) is None


def test_a_session_that_began_while_its_account_was_disabled_is_dead(
    session: Session, ada: User
) -> None:
    bob = accounts.add_user(session, "Bob", Role.editor, by=ada, at=NOW)
    accounts.disable(session, bob, by=ada, at=NOW)
    token = logins.start_session(session, bob, at=NOW)
    assert logins.session_user(session, token, at=NOW) is None


def test_logging_out_ends_one_session_and_may_be_repeated(session: Session, ada: User) -> None:
    here, there = (logins.start_session(session, ada, at=NOW) for _ in range(2))
    logins.end_session(session, here, at=NOW)
    logins.end_session(session, here, at=NOW)
    assert logins.session_user(session, there, at=NOW) is ada
    assert actions(session).count("account.logout") == 1


def test_expired_sessions_are_pruned_at_the_next_login(session: Session, ada: User) -> None:
    logins.start_session(session, ada, at=NOW)
    logins.start_session(session, ada, at=NOW + timedelta(hours=8))
    assert session.scalar(select(func.count(LoginSession.token_hash))) == 1


def test_looking_a_session_up_writes_nothing(session: Session, ada: User) -> None:
    token = logins.start_session(session, ada, at=NOW)
    session.commit()
    with sent_statements(db.engine) as sent:
        logins.session_user(session, token, at=NOW)
    verbs = {statement.lstrip().split()[0].upper() for statement in sent}
    assert "SELECT" in verbs
    assert verbs <= {"SELECT", "BEGIN"}


# --- one's own password ---------------------------------------------------------


def change(session: Session, user: User, current: str, new: str) -> None:
    attempt = logins.open_attempt(session, user.name, HOME, at=NOW)
    session.commit()
    accounts.change_password(session, attempt, user.name, current, new, at=NOW)
    session.commit()


def test_one_changes_the_password_by_the_current_one(session: Session, ada: User) -> None:
    change(session, ada, PASSWORD, ANOTHER)
    assert log_in(session, password=ANOTHER) is ada


@pytest.mark.parametrize(
    ("current", "new", "field", "message"),
    [
        ("not the right password", ANOTHER, "current", "The current password is wrong."),
        (PASSWORD, "short", "new_password", "at least 15"),
    ],
)
def test_a_change_of_the_password_is_refused(
    session: Session, ada: User, current: str, new: str, field: str, message: str
) -> None:
    before = ada.password_hash
    with pytest.raises(InvalidInput, match=message) as error:
        change(session, ada, current, new)
    assert error.value.field == field
    assert ada.password_hash == before


def test_guessing_the_current_password_is_throttled_like_a_login(
    session: Session, ada: User
) -> None:
    fail(session, 9)
    with pytest.raises(InvalidInput):
        change(session, ada, "not the right password", ANOTHER)
    with pytest.raises(TooManyAttempts):
        log_in(session)
