"""Text that somebody typed and has not saved, kept for them alone while they type.

It is no part of the bank: nothing is audited, only its writer ever sees it, and
it goes as soon as it is saved, discarded or a month old.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, load_only

from cms.errors import InvalidInput, NotFound
from cms.formats.item import UID_PATTERN
from cms.models import Autosave, Question, User
from cms.services.permissions import require
from cms.vocabulary import Role

KEPT_FOR = timedelta(days=30)
# Texts of one person; of more, the one that was kept first makes room.
KEPT_TEXTS = 50
# Characters of all fields: what a form can send (cms.config.MAX_FORM_BYTES).
SIZE_LIMIT = 4_000_000

Fields = Sequence[tuple[str, str]]


def keep(
    session: Session,
    user: User,
    question: Question | None,
    *,
    form_id: str,
    version: int,
    fields: Fields,
    at: datetime,
) -> Autosave:
    """Keep what a form holds in place of what it held before; the form is known by a uid.

    `version` is the revision on which the text was begun, 0 for a new question.

    :raises InvalidInput: when the form does not say what it is, or is too long
    """
    require(user, Role.contributor, "write questions")
    if not re.fullmatch(UID_PATTERN, form_id):
        raise InvalidInput("The form does not say which one it is. Open it anew.")
    if not (version == 0 if question is None else 0 < version <= question.latest_number):
        raise InvalidInput("The form does not say on which revision its text was begun.")
    if sum(len(name) + len(value) for name, value in fields) > SIZE_LIMIT:
        raise InvalidInput("The text is too long to be kept. Save it in several answers.")
    # Two requests of one form write one row: the account is locked, against its own requests alone.
    session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
    own = Autosave.user_id == user.id, Autosave.form_id == form_id
    row = session.scalar(select(Autosave).where(*own).order_by(Autosave.id).limit(1))
    if row is None:
        row = Autosave(user_id=user.id, form_id=form_id)
        session.add(row)
    row.question_id = question.id if question else None
    row.version = version
    row.fields = [list(pair) for pair in fields]
    row.saved_at = at
    session.flush()
    _make_room(session, user, at)
    return row


def find(session: Session, user: User, key: int) -> Autosave:
    """Return a text of this person's own.

    :raises NotFound: when there is none; somebody else's is none
    """
    row = session.get(Autosave, key)
    if row is None or row.user_id != user.id:
        raise NotFound("This text was saved or discarded since; there is nothing to bring back.")
    return row


def offered(session: Session, user: User, question: Question | None) -> Autosave | None:
    """Return the text of this person's that was kept last, of a question or of any new one."""
    about = Autosave.question_id == (question.id if question else None)
    return session.scalar(
        select(Autosave)
        .where(Autosave.user_id == user.id, about)
        .order_by(Autosave.saved_at.desc(), Autosave.id.desc())
        .limit(1)
    )


def mine(session: Session, user: User, limit: int) -> list[tuple[Autosave, Question | None]]:
    """Return this person's texts with their questions (None: a new one), the latest first."""
    rows = session.execute(
        select(Autosave, Question)
        .outerjoin(Question, Question.id == Autosave.question_id)
        .options(load_only(Question.stem, Question.latest_number))
        .where(Autosave.user_id == user.id)
        .order_by(Autosave.saved_at.desc(), Autosave.id.desc())
        .limit(limit)
    )
    return [(row, question) for row, question in rows]


def drop(session: Session, user: User, form_id: str) -> None:
    """Forget what a form of this person's held: it is saved, or not wanted."""
    session.execute(
        delete(Autosave).where(Autosave.user_id == user.id, Autosave.form_id == form_id)
    )


def forget(session: Session, question: Question) -> None:
    """Forget everybody's text of a question whose text has to go from the bank."""
    session.execute(delete(Autosave).where(Autosave.question_id == question.id))


def _make_room(session: Session, user: User, at: datetime) -> None:
    """Drop what nobody came back for, and the oldest texts of somebody who leaves many."""
    session.execute(delete(Autosave).where(Autosave.saved_at < at - KEPT_FOR))
    newest = (
        select(Autosave.id)
        .where(Autosave.user_id == user.id)
        .order_by(Autosave.saved_at.desc(), Autosave.id.desc())
        .limit(KEPT_TEXTS)
    )
    session.execute(delete(Autosave).where(Autosave.user_id == user.id, Autosave.id.not_in(newest)))
