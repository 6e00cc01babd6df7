"""The care of a question: who works on it, who reviews it, and until when. Never its text."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, WrongState
from cms.models import Question, User
from cms.services import news
from cms.services.audit import record
from cms.services.permissions import may, require
from cms.services.questions import MERGED, lock, was_public
from cms.vocabulary import Role

ACTIONS = {
    "assignee_id": "question.assign",
    "reviewer_id": "question.reviewer",
    "due_on": "question.due",
    "review_by": "question.review_by",
}
"""What the audit calls a change of each part of the care."""
WORDS = {
    "assignee_id": "assignee",
    "reviewer_id": "reviewer",
    "due_on": "due date",
    "review_by": "review date",
}


class Care(NamedTuple):
    """What of a question's care there is, under the names of its columns."""

    assignee_id: int | None = None
    reviewer_id: int | None = None
    due_on: date | None = None
    review_by: date | None = None


def care_of(question: Question) -> Care:
    """Return a question's care as it is now."""
    return Care(*(getattr(question, name) for name in Care._fields))


def set_care(
    session: Session,
    question: Question,
    *,
    assignee: User | None,
    reviewer: User | None,
    due_on: date | None,
    review_by: date | None,
    seen: Care | None = None,
    by: User | None,
    at: datetime,
) -> bool:
    """Give a question its care, and tell whom it concerns; return whether anything changed.

    An editor sets anything. A contributor takes a question that was never public, or drops it,
    and says until when. `seen` is the care that the form was opened with: what it
    leaves as it was stays as somebody else has made it since.

    :raises NotAllowed: when the actor may not change this part
    :raises InvalidInput: when somebody is named whose account is disabled
    :raises WrongState: when the question is retired or merged, or the same part was changed since
    """
    require(by, Role.contributor, "take care of questions")
    lock(session, question)
    now = care_of(question)
    asked = Care(
        assignee.id if assignee else None, reviewer.id if reviewer else None, due_on, review_by
    )
    wanted = _merged(asked, seen, now) if seen else asked
    changed = [name for name in Care._fields if getattr(wanted, name) != getattr(now, name)]
    if not changed:
        return False
    if not may(by, Role.editor):
        assert by is not None
        _allow_own(session, question, now, wanted, by=by)
    for name, user in (("assignee_id", assignee), ("reviewer_id", reviewer)):
        if name in changed and user is not None and user.disabled_at is not None:
            raise InvalidInput(
                f"The account ‘{user.name}’ is disabled. Choose another.",
                field=name.removesuffix("_id"),
            )
    for name in changed:
        put_care(session, question, name, getattr(wanted, name), by=by, at=at)
    session.flush()
    if "assignee_id" in changed:
        news.tell(session, news.ASSIGNED, [question], by=by, at=at)
    if "reviewer_id" in changed:
        news.tell(session, news.TO_REVIEW, [question], by=by, at=at)
    return True


def put_care(
    session: Session,
    question: Question,
    name: str,
    value: Any,
    *,
    by: User | None,
    at: datetime,
    **more: Any,
) -> None:
    """Give a living question, which is locked, one part of its care; the caller flushes.

    :raises WrongState: when the question is retired, or was merged into another
    """
    if question.merged_into_id is not None:
        raise WrongState(MERGED)
    if question.retired_at is not None:
        raise WrongState("This question is retired. Un-retire it first.")
    if getattr(question, name) == value:
        return
    setattr(question, name, value)
    told = value.isoformat() if isinstance(value, date) else value
    about = f"question:{question.uid}"
    record(session, by=by, at=at, action=ACTIONS[name], about=about, **{name: told}, **more)


def _merged(asked: Care, seen: Care, now: Care) -> Care:
    """Return what is asked, with what the form left as it was as it is now.

    :raises WrongState: when somebody else changed a part that is to be changed
    """
    found: dict[str, Any] = {}
    for name in Care._fields:
        wanted, was, current = (getattr(care, name) for care in (asked, seen, now))
        found[name] = current if wanted == was else wanted
        if wanted not in (was, current) and current != was:
            raise WrongState(
                f"Somebody else changed the {WORDS[name]} meanwhile. Nothing was saved: "
                "look at what it is now, and save again to replace it."
            )
    return Care(**found)


def _allow_own(session: Session, question: Question, now: Care, wanted: Care, *, by: User) -> None:
    """Let a contributor take a question that was never public, drop it, and say until when.

    :raises NotAllowed: for anything else
    """
    if question.retired_at is not None or was_public(session, question):
        raise NotAllowed("Only an editor may assign a question that was public. Ask one to do it.")
    if (now.reviewer_id, now.review_by) != (wanted.reviewer_id, wanted.review_by):
        raise NotAllowed("Only an editor may set the reviewer or the review date. Ask one.")
    if not {now.assignee_id, wanted.assignee_id} <= {None, by.id}:
        raise NotAllowed(
            "You may take a question that nobody has, or drop your own. "
            "Ask an editor to assign it to somebody else, or to you."
        )
    if by.id not in (now.assignee_id, wanted.assignee_id):
        raise NotAllowed("Take the question first; then you may say until when it is due.")
