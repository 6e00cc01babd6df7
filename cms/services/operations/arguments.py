"""What the verbs of bulk operations ask for: as it is typed, as it is kept, as they need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound, WrongState
from cms.formats.checks import tag_faults
from cms.formats.item import TagItem
from cms.models import BulkOperation, Tag, User
from cms.models.accounts import name_key
from cms.services.scheduling import refuse_past, utc_time
from cms.services.tags import resolve
from cms.text import normalize_line
from cms.vocabulary import Difficulty


def checked(
    session: Session, verb: str, asks: Sequence[str], arguments: Mapping[str, str], *, at: datetime
) -> dict[str, Any]:
    """Return what a verb asks for, checked, as JSON.

    :raises InvalidInput: when an argument breaks a rule; it names the argument
    :raises NotFound: when there is no tag that is to be taken off
    """
    typed = {each: normalize_line(arguments.get(each, "")) for each in asks}
    found: dict[str, Any] = dict(typed)
    for each in ("tag", "other"):
        if each in asks:
            found[each] = _tag_path(session, each, typed[each], made=_makes(verb) == each)
    if "other" in asks and found["other"] == found["tag"]:
        raise InvalidInput("Name two different tags.", field="other")
    if typed.get("difficulty") and typed["difficulty"] not in list(Difficulty):
        raise InvalidInput(f"Choose {', '.join(Difficulty)}, or none.", field="difficulty")
    if typed.get("review_by"):
        found["review_by"] = _day(typed["review_by"])
    if "when" in asks:
        when = utc_time(typed["when"])
        refuse_past(when, at)
        found["when"] = when.strftime("%Y-%m-%d %H:%M")
    if typed.get("assignee"):
        account = session.scalar(
            select(User).where(
                User.name_key == name_key(typed["assignee"]), User.disabled_at.is_(None)
            )
        )
        if account is None:
            raise InvalidInput(
                f"There is no active account ‘{typed['assignee'][:64]}’.", field="assignee"
            )
        found["assignee"] = account.name
        found["assignee_id"] = account.id
    return found


def _makes(verb: str) -> str:
    """Return which argument names a tag that is made where it is missing."""
    return {"add_tag": "tag", "replace_tag": "other"}.get(verb, "")


def _tag_path(session: Session, field: str, typed: str, *, made: bool) -> str:
    path = typed.casefold().strip("/")
    if not path:
        raise InvalidInput("Name a tag, such as flask/basics.", field=field)
    for _, problem in tag_faults(TagItem(slug=path)):
        raise InvalidInput(problem, field=field)
    if not made and session.scalar(select(Tag.id).where(Tag.slug == path)) is None:
        raise NotFound(f"There is no tag ‘{path}’.")
    return path


def _day(typed: str) -> str:
    try:
        return date.fromisoformat(typed).isoformat()
    except ValueError:
        raise InvalidInput(
            f"‘{typed[:40]}’ is not a day. Write it like 2027-01-31.", field="review_by"
        ) from None


def given(
    session: Session, operation: BulkOperation, *, by: User | None, at: datetime
) -> dict[str, Any]:
    """Return the arguments as the verbs need them: tags by their uids, days as days."""
    needed = dict(operation.arguments)
    for each in ("tag", "other"):
        path = needed.get(each)
        if path is None:
            continue
        if each == _makes(operation.verb):
            needed[each] = resolve(session, [path], by=by, at=at)[path].uid
        else:
            needed[each] = session.scalar(select(Tag.uid).where(Tag.slug == path))
            if needed[each] is None:
                raise WrongState(f"The tag ‘{path}’ was deleted or renamed meanwhile.")
    if "review_by" in needed:
        day = needed["review_by"]
        needed["review_by"] = date.fromisoformat(day) if day else None
    if "when" in needed:
        needed["when"] = utc_time(needed["when"])
    if "assignee" in needed:
        needed.setdefault("assignee_id", None)
    return needed
