"""The arguments of bulk verbs: as people type them, as they are kept, as the verbs need them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound, WrongState
from cms.formats.checks import tag_faults
from cms.formats.item import TagItem
from cms.models import BulkOperation, Tag, User
from cms.services.aliases import current_paths
from cms.services.people import find_active
from cms.services.scheduling import refuse_past, utc_time
from cms.services.tags import resolve
from cms.text import normalize_line
from cms.vocabulary import Difficulty

DAYS = ("review_by", "due_on")
PEOPLE = ("assignee", "reviewer")


def checked(
    session: Session,
    name: str,
    asks: tuple[str, ...],
    arguments: Mapping[str, str],
    *,
    at: datetime,
) -> dict[str, Any]:
    """Return what the verb `name` asks for, checked, as JSON.

    :raises InvalidInput: when an argument breaks a rule
    :raises NotFound: when there is no tag that is to be taken off
    """
    typed = {each: normalize_line(arguments.get(each, "")) for each in asks}
    found: dict[str, Any] = dict(typed)
    for each in ("tag", "other"):
        if each in asks:
            found[each] = _tag_path(session, each, typed[each], made=_makes(name) == each)
    if "other" in asks and found["other"] == found["tag"]:
        raise InvalidInput("Name two different tags.", field="other")
    if typed.get("difficulty") and typed["difficulty"] not in list(Difficulty):
        raise InvalidInput(f"Choose {', '.join(Difficulty)}, or none.", field="difficulty")
    for each in DAYS:
        if typed.get(each):
            found[each] = day(typed[each], field=each).isoformat()
    if "when" in asks:
        when = utc_time(typed["when"])
        refuse_past(when, at)
        found["when"] = when.strftime("%Y-%m-%d %H:%M")
    for each in PEOPLE:
        account = find_active(session, typed.get(each, ""), field=each)
        if account is not None:
            found[each] = account.name
            found[f"{each}_id"] = account.id
    return found


def given(
    session: Session, operation: BulkOperation, *, by: User | None, at: datetime
) -> dict[str, Any]:
    """Return the arguments as the verbs need them: tags by their uids, days as days."""
    found = dict(operation.arguments)
    for each in ("tag", "other"):
        path = found.get(each)
        if path is None:
            continue
        if each == _makes(operation.verb):
            found[each] = resolve(session, [path], by=by, at=at)[path].uid
        else:
            # Held until the end: nobody merges it while questions are at work.
            held = select(Tag.uid).where(Tag.slug == path)
            found[each] = session.scalar(held.with_for_update(read=True, key_share=True))
            if found[each] is None:
                raise WrongState(f"The tag ‘{path}’ was deleted, renamed or merged meanwhile.")
    for each in DAYS:
        if each in found:
            found[each] = date.fromisoformat(found[each]) if found[each] else None
    if "when" in found:
        found["when"] = utc_time(found["when"])
    for each in PEOPLE:
        if each in found:
            found.setdefault(f"{each}_id", None)
    return found


def day(typed: str, *, field: str) -> date:
    """Return the day that was typed.

    :raises InvalidInput: when it is none
    """
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise InvalidInput(
            f"‘{typed[:40]}’ is not a day. Write it like 2027-01-31.", field=field
        ) from None


def _makes(name: str) -> str:
    """Return which argument names a tag that is made where it is missing."""
    return {"add_tag": "tag", "replace_tag": "other"}.get(name, "")


def _tag_path(session: Session, field: str, typed: str, *, made: bool) -> str:
    path = typed.casefold().strip("/")
    if not path:
        raise InvalidInput("Name a tag, such as flask/basics.", field=field)
    for _, problem in tag_faults(TagItem(slug=path)):
        raise InvalidInput(problem, field=field)
    current = current_paths(session, [path])[path]
    if made:
        return current
    if session.scalar(select(Tag.id).where(Tag.slug == path)) is None:
        # To take the survivor off would take more off than is meant.
        merged = f" It was merged into ‘{current}’." if current != path else ""
        raise NotFound(f"There is no tag ‘{path}’.{merged}")
    return path
