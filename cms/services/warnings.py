"""Import warnings: what looked damaged, until somebody mends or acknowledges it.

A save that takes the damage out of the text closes the warning as mended in
its revision; a later one that brings it back opens the warning again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, joinedload

from cms.errors import WrongState
from cms.formats.item import Content
from cms.models import ImportWarning, Question, Revision, User
from cms.passages import find
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.content import content_of
from cms.services.locking import lock_row
from cms.services.permissions import require
from cms.vocabulary import Role

# Kinds of warnings (a Damage's, of cms.formats): white space is what is damaged; no answer at all.
INDENTATION = "indentation"
UNANSWERED = "empty"


def is_open() -> ColumnElement[bool]:
    """Whether a warning is neither mended nor acknowledged."""
    return and_(ImportWarning.acknowledged_at.is_(None), ImportWarning.mended_in.is_(None))


def open_warnings(session: Session, question: Question) -> list[ImportWarning]:
    """Return the warnings of a question that nobody mended or acknowledged, the oldest first."""
    return list(
        session.scalars(
            select(ImportWarning)
            .where(ImportWarning.question_id == question.id, is_open())
            .order_by(ImportWarning.id)
        )
    )


def closed_warnings(session: Session, question: Question) -> list[ImportWarning]:
    """Return the warnings of a question that were dealt with, the oldest first, with by whom."""
    return list(
        session.scalars(
            select(ImportWarning)
            .where(ImportWarning.question_id == question.id, ~is_open())
            .options(
                joinedload(ImportWarning.acknowledged_by),
                joinedload(ImportWarning.mended).defer(Revision.content),
                joinedload(ImportWarning.mended).joinedload(Revision.author),
            )
            .order_by(ImportWarning.id)
        )
    )


def count_mended(session: Session, question: Question, number: int) -> int:
    """Return how many warnings a revision closed, by its number."""
    statement = select(func.count()).where(
        ImportWarning.question_id == question.id, ImportWarning.mended_in == number
    )
    return session.scalar(statement) or 0


# --- where the damage is -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands: from `start` to `end` in characters, and on which lines, from 1.

    `field` is named as faults name it: 'stem', 'context', 'answers[0].body'.
    """

    field: str
    start: int
    end: int
    first_line: int
    last_line: int


def texts_of(content: Content) -> dict[str, str]:
    """Return the texts of a question in which a passage may stand, by field, in order."""
    bodies = {f"answers[{i}].body": answer.body for i, answer in enumerate(content.answers)}
    options = {
        f"options[{place}].{name}": getattr(option, name)
        for place, option in enumerate(content.options)
        for name in ("text", "feedback")
    }
    return {"stem": content.stem, "context": content.context, **bodies, **options}


def located(warning: ImportWarning, texts: Mapping[str, str]) -> list[Place]:
    """Return every place of the damaged passage in `texts`, in order; none if it is gone.

    Lines may break elsewhere than they did on import, unless the damage is that.
    """
    return [
        Place(
            field=field,
            start=start,
            end=end,
            first_line=text.count("\n", 0, start) + 1,
            last_line=text.count("\n", 0, end) + 1,
        )
        for field, text in texts.items()
        for start, end in find(text, warning.passage, exact=is_exact(warning))
    ]


def is_exact(warning: ImportWarning) -> bool:
    """Whether the passage is damaged only with the very white space that it has."""
    return warning.kind == INDENTATION


def _damaged(warning: ImportWarning, content: Content) -> bool:
    """Whether the text still has what the warning is about."""
    if warning.kind == UNANSWERED:
        return not any(answer.body for answer in content.answers)
    return bool(located(warning, texts_of(content)))


def damaged_in(session: Session, contents: Mapping[int, Content]) -> set[int]:
    """Return the questions of which these earlier texts, by their ids, are damaged.

    A text is if it has the passage of a warning that nobody acknowledged. Where
    no text has the passage nothing can be told, and the warning counts while it is open.
    """
    found: set[int] = set()
    if not contents:
        return found
    warned = session.scalars(
        select(ImportWarning).where(
            ImportWarning.question_id.in_(contents), ImportWarning.acknowledged_at.is_(None)
        )
    )
    for warning in warned:
        still_open = warning.mended_in is None
        if _damaged(warning, contents[warning.question_id]) or (
            still_open and not _damaged(warning, content_of(warning.question))
        ):
            found.add(warning.question_id)
    return found


# --- dealing with them ------------------------------------------------------------------


def settle(
    session: Session,
    question: Question,
    number: int,
    *,
    before: Content,
    after: Content,
    by: User | None,
    at: datetime,
) -> None:
    """Close what revision `number` mended of the text before it, and open what it brought back.

    A passage that was not there before is nobody's mending: its warning waits
    to be acknowledged. Acknowledged warnings stay as they are.
    """
    unacknowledged = session.scalars(
        select(ImportWarning)
        .where(
            ImportWarning.question_id == question.id,
            ImportWarning.acknowledged_at.is_(None),
        )
        .order_by(ImportWarning.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for warning in unacknowledged:
        damaged = _damaged(warning, after)
        if warning.mended_in is None and not damaged and _damaged(warning, before):
            warning.mended_in = number
            _record(session, warning, question, "mend", by=by, at=at, revision=number)
        elif warning.mended_in is not None and damaged:
            warning.mended_in = None
            _record(session, warning, question, "reopen", by=by, at=at, revision=number)


def settle_all(
    session: Session,
    changes: Iterable[tuple[Question, Content, Content]],
    *,
    by: User | None,
    at: datetime,
) -> None:
    """Settle the warnings of many questions whose newest revisions changed them: before, after."""
    changed = {question.id: (question, before, after) for question, before, after in changes}
    for some in chunks(list(changed)):
        warned = select(ImportWarning.question_id).where(
            ImportWarning.question_id.in_(some), ImportWarning.acknowledged_at.is_(None)
        )
        for key in session.scalars(warned.distinct().order_by(ImportWarning.question_id)).all():
            question, before, after = changed[key]
            settle(
                session,
                question,
                question.latest_number,
                before=before,
                after=after,
                by=by,
                at=at,
            )


def acknowledge(session: Session, warning: ImportWarning, *, by: User | None, at: datetime) -> None:
    """Say that a passage is mended, or right as it stands.

    :raises WrongState: when it was mended, or somebody said so already
    """
    require(by, Role.editor, "acknowledge import warnings")
    lock_row(session, warning, "warning")
    if warning.acknowledged_at is not None:
        raise WrongState("Somebody acknowledged this warning already.")
    if warning.mended_in is not None:
        raise WrongState(f"Revision {warning.mended_in} mended this passage already.")
    warning.acknowledged_at = at
    warning.acknowledged_by_id = by.id if by else None
    _record(session, warning, warning.question, "acknowledge", by=by, at=at)
    session.flush()


def take_back(session: Session, warning: ImportWarning, *, by: User | None, at: datetime) -> None:
    """Open a warning again that was acknowledged.

    :raises WrongState: when it is not acknowledged
    """
    require(by, Role.editor, "take back an acknowledgement")
    lock_row(session, warning, "warning")
    if warning.acknowledged_at is None:
        raise WrongState("This warning is not acknowledged, so there is nothing to take back.")
    warning.acknowledged_at = warning.acknowledged_by_id = None
    _record(session, warning, warning.question, "take_back", by=by, at=at)
    session.flush()


def _record(
    session: Session,
    warning: ImportWarning,
    question: Question,
    verb: str,
    *,
    by: User | None,
    at: datetime,
    **data: int,
) -> None:
    record(
        session,
        by=by,
        at=at,
        action=f"warning.{verb}",
        about=f"question:{question.uid}",
        kind=warning.kind,
        passage=warning.passage,
        **data,
    )
