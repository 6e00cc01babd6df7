"""Accounts: who may log in, with which role, and how a password is set.

Nobody sets another person's password: an account gets a link that works once
and for a short time, and its holder chooses the password there.
"""

import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound, WrongState
from cms.models import OneTimeLink, User
from cms.models.accounts import name_key
from cms.services import passwords
from cms.services.audit import record
from cms.services.logins import (
    Attempt,
    confirm,
    end_all_sessions,
    forget_failures,
    token_hash,
)
from cms.services.permissions import require
from cms.text import normalize_line
from cms.vocabulary import Role

NAME_LENGTHS = range(2, 65)
LINK_LIFETIME = timedelta(minutes=15)

_VERB = "manage accounts"


def find_user(session: Session, name: str) -> User:
    """Return the account of this name, whatever its case.

    :raises NotFound: when there is none
    """
    user = _named(session, name)
    if user is None:
        raise NotFound(f"There is no account named {name!r}.")
    return user


def list_users(session: Session) -> Sequence[User]:
    """Return every account, disabled ones too, by name."""
    return session.scalars(select(User).order_by(User.name_key)).all()


def active_admins(session: Session) -> Sequence[User]:
    """Return the administrators that are not disabled, locked until the transaction ends.

    The lock is PostgreSQL's: two people who disable each other at the same
    moment would otherwise leave no administrator.
    """
    return session.scalars(
        select(User)
        .where(User.role == Role.admin, User.disabled_at.is_(None))
        .order_by(User.id)
        .with_for_update()
    ).all()


def add_user(session: Session, name: str, role: Role, *, by: User | None, at: datetime) -> User:
    """Make an account. It cannot log in before its holder has set a password by a link.

    :raises InvalidInput: when the name cannot be one, or is taken in any case
    """
    require(by, Role.admin, _VERB)
    name = _valid_name(name)
    if (other := _named(session, name)) is not None:
        raise InvalidInput(f"There is an account named {other.name!r} already.", field="name")
    user = User(name=name, role=role, created_at=at)
    session.add(user)
    session.flush()
    _record(session, user, "add", by=by, at=at, role=role.value)
    return user


def disable(session: Session, user: User, *, by: User | None, at: datetime) -> None:
    """Close an account: its sessions and links are dead at once. Its history stays.

    :raises WrongState: when it is disabled already, or the last active administrator
    """
    require(by, Role.admin, _VERB)
    if user.disabled_at is not None:
        raise WrongState(f"The account {user.name!r} is disabled already.")
    _keep_an_admin(session, user, "disable")
    user.disabled_at = at
    end_all_sessions(session, user, at=at)
    _kill_links(session, user, at)
    _record(session, user, "disable", by=by, at=at)


def enable(session: Session, user: User, *, by: User | None, at: datetime) -> None:
    """Open a disabled account again, with the password it had.

    :raises WrongState: when it is not disabled
    """
    require(by, Role.admin, _VERB)
    if user.disabled_at is None:
        raise WrongState(f"The account {user.name!r} is not disabled.")
    user.disabled_at = None
    _record(session, user, "enable", by=by, at=at)


def set_role(session: Session, user: User, role: Role, *, by: User | None, at: datetime) -> None:
    """Give an account another role; it is logged out everywhere.

    :raises WrongState: when that would leave no active administrator
    """
    require(by, Role.admin, _VERB)
    if user.role == role:
        return
    if role != Role.admin:
        _keep_an_admin(session, user, "demote")
    before = Role(user.role)
    user.role = role
    end_all_sessions(session, user, at=at)
    _record(session, user, "role", by=by, at=at, before=before.value, after=role.value)


def issue_link(
    session: Session,
    user: User,
    *,
    by: User | None,
    at: datetime,
    lifetime: timedelta = LINK_LIFETIME,
) -> str:
    """Return the token of a link that sets the account's password once; older ones are dead.

    The database keeps the token's hash alone.

    :raises WrongState: when the account is disabled
    """
    require(by, Role.admin, _VERB)
    if user.disabled_at is not None:
        raise WrongState(f"The account {user.name!r} is disabled. Enable it first.")
    _kill_links(session, user, at)
    token = secrets.token_urlsafe(32)
    session.add(
        OneTimeLink(
            token_hash=token_hash(token),
            user_id=user.id,
            created_at=at,
            expires_at=at + lifetime,
        )
    )
    _record(session, user, "link", by=by, at=at)
    return token


def link_user(session: Session, token: str, *, at: datetime) -> User:
    """Return whose password a link may set.

    :raises NotFound: when the link was used, replaced, is too old or never was
    """
    return _live_link(session, token, at=at).user


def redeem(session: Session, token: str, new_password: str, *, at: datetime) -> User:
    """Set the password by a link, which is then used up; ends every session of the account.

    :raises NotFound: when the link is dead
    :raises InvalidInput: when the password breaks a rule; the link stays good
    """
    link = _live_link(session, token, at=at, lock=True)
    passwords.check_rules(new_password, link.user.name)
    link.used_at = at
    forget_failures(session, link.user)
    _set_password(session, link.user, passwords.hash_password(new_password), at)
    return link.user


def change_password(
    session: Session, attempt: Attempt, name: str, current: str, new: str, *, at: datetime
) -> User:
    """Set one's own password, by the current one; ends every session of the account.

    `attempt` is what `logins.open_attempt` returned for `name`, committed.

    :raises InvalidInput: when the current password is wrong, or the new one breaks a rule
    """
    passwords.check_rules(new, name)
    encoded = passwords.hash_password(new)
    try:
        user = confirm(session, attempt, current)
    except InvalidInput as error:
        raise InvalidInput("The current password is wrong.", field="current") from error
    _set_password(session, user, encoded, at)
    return user


def _set_password(session: Session, user: User, encoded: str, at: datetime) -> None:
    user.password_hash = encoded
    _kill_links(session, user, at)
    end_all_sessions(session, user, at=at)
    _record(session, user, "password", by=user, at=at)


def _valid_name(name: str) -> str:
    name = unicodedata.normalize("NFC", normalize_line(name))
    if len(name) not in NAME_LENGTHS or len(name_key(name)) not in NAME_LENGTHS:
        raise InvalidInput(
            f"An account's name has {NAME_LENGTHS[0]} to {NAME_LENGTHS[-1]} characters.",
            field="name",
        )
    if not name.isprintable():
        raise InvalidInput(
            f"The name {name!r} holds characters that cannot be seen. Leave them out.",
            field="name",
        )
    return name


def _named(session: Session, name: str) -> User | None:
    return session.scalar(select(User).where(User.name_key == name_key(normalize_line(name))))


def _keep_an_admin(session: Session, user: User, verb: str) -> None:
    if [admin.id for admin in active_admins(session)] == [user.id]:
        raise WrongState(
            f"You cannot {verb} {user.name!r}: it is the last active administrator. "
            "Make another account an administrator first."
        )


def _live_link(session: Session, token: str, *, at: datetime, lock: bool = False) -> OneTimeLink:
    query = select(OneTimeLink).where(
        OneTimeLink.token_hash == token_hash(token),
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > at,
    )
    link = session.scalar(query.with_for_update() if lock else query)
    if link is None or link.user.disabled_at is not None:
        raise NotFound(
            "This link is used up, replaced by a newer one or too old. "
            "Ask whoever gave it to you for a new one."
        )
    return link


def _kill_links(session: Session, user: User, at: datetime) -> None:
    session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.user_id == user.id, OneTimeLink.used_at.is_(None))
        .values(used_at=at)
    )


def _record(
    session: Session, user: User, verb: str, *, by: User | None, at: datetime, **data: str
) -> None:
    record(session, by=by, at=at, action=f"account.{verb}", about=f"account:{user.name}", **data)
