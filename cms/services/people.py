"""Accounts as people name them: in a choice, in a form, and with an @ in a comment."""

import re
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.models import User
from cms.models.accounts import name_key
from cms.text import normalize_line

# A choice of more people than this would be no choice.
OFFERED = 500

# Code has @ signs of its own: decorators, addresses.
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def active_names(session: Session) -> list[str]:
    """Return the names of those who may log in, in order."""
    active = select(User.name).where(User.disabled_at.is_(None))
    return list(session.scalars(active.order_by(User.name_key).limit(OFFERED)))


def all_names(session: Session) -> list[str]:
    """Return the names of all accounts, disabled ones too, in order."""
    return list(session.scalars(select(User.name).order_by(User.name_key).limit(OFFERED)))


def find_active(session: Session, typed: str, *, field: str) -> User | None:
    """Return the active account of this name; None where nobody is named.

    :raises InvalidInput: when there is none, or it is disabled
    """
    name = normalize_line(typed)
    if not name:
        return None
    found = session.scalar(
        select(User).where(User.name_key == name_key(name), User.disabled_at.is_(None))
    )
    if found is None:
        raise InvalidInput(f"There is no active account ‘{name[:64]}’.", field=field)
    return found


def mentioned(session: Session, text: str) -> list[User]:
    """Return the active accounts that a text names with an @, each once, in order.

    Names may have spaces, so the longest that fits is meant: '@Ada Byron' is not Ada.
    """
    folded = name_key(_CODE.sub(" ", text))
    if "@" not in folded:
        return []
    active = session.scalars(select(User).where(User.disabled_at.is_(None))).all()
    longest_first = sorted(active, key=lambda user: -len(user.name_key))
    found: dict[int, User] = {}
    for sign in re.finditer(r"(?<!\w)@", folded):
        user = _named(folded[sign.end() :], longest_first)
        if user is not None:
            found[user.id] = user
    return list(found.values())


def _named(text: str, users: Sequence[User]) -> User | None:
    """Return the first of these whose whole name begins a text."""
    for user in users:
        after = text[len(user.name_key) : len(user.name_key) + 1]
        if text.startswith(user.name_key) and not (after.isalnum() or after == "_"):
            return user
    return None
