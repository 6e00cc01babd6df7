"""Who has a question open, for a minute after their page was heard of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.models import Presence, User
from cms.services import presence
from cms.services.questions import save
from tests.factories import AT, content, make_question


def seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


def test_others_are_named_while_they_are_there(
    session: Session, editor: User, contributor: User, admin: User
) -> None:
    question, other = make_question(session), make_question(session, "Another?")
    presence.note(session, contributor, question, typed=False, at=AT)
    presence.note(session, admin, question, typed=False, at=AT + seconds(20))
    presence.note(session, admin, question, typed=True, at=AT + seconds(30))
    presence.note(session, editor, question, typed=False, at=AT)
    presence.note(session, contributor, other, typed=False, at=AT)

    def told(at: int) -> list[tuple[str, bool]]:
        found = presence.others(session, editor, question, at=AT + seconds(at))
        return [(row.user.name, row.typed) for row in found]

    assert told(59) == [("Ada", True), ("Conrad", False)]
    assert told(60) == [("Ada", True)]
    presence.leave(session, admin, question)
    presence.leave(session, admin, question)
    assert told(59) == [("Conrad", False)]


@pytest.mark.parametrize(
    ("typed", "after", "noted"),
    [(False, 9, True), (False, 10, False), (True, 1, False)],
)
def test_what_is_on_record_already_is_not_written_again(
    session: Session, editor: User, typed: bool, after: int, noted: bool
) -> None:
    question = make_question(session)
    assert not presence.is_noted(session, editor, question, typed=False, at=AT)
    presence.note(session, editor, question, typed=False, at=AT)
    at = AT + seconds(after)
    assert presence.is_noted(session, editor, question, typed=typed, at=at) is noted


def test_whoever_never_said_goodbye_is_forgotten(
    session: Session, editor: User, contributor: User
) -> None:
    question, other = make_question(session), make_question(session, "Another?")
    presence.note(session, editor, question, typed=True, at=AT)
    presence.note(session, contributor, other, typed=False, at=AT + timedelta(hours=2))
    assert [row.user_id for row in session.scalars(select(Presence))] == [contributor.id]


def test_a_newer_revision_is_news_to_whoever_saw_an_older_one(
    session: Session, editor: User
) -> None:
    question = make_question(session)
    changed = content("Changed?", tags=[])
    save(session, question, changed, seen_version=1, by=editor, at=AT)
    session.commit()
    found = presence.newer(session, question, 1)
    assert found is not None
    assert (found.number, found.author) == (2, editor)
    assert presence.newer(session, question, 2) is None
