"""Text that is typed and not saved: kept for its writer alone, one for each form."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotFound
from cms.models import AuditEvent, Autosave, Question, User, new_uid
from cms.services import autosaves
from cms.services.questions import delete_draft, save
from tests.factories import AT, content, make_question


@pytest.fixture
def question(session: Session) -> Question:
    return make_question(session)


def kept(session: Session) -> list[tuple[int | None, int, str, list[list[str]]]]:
    session.flush()
    rows = session.scalars(select(Autosave).order_by(Autosave.id))
    return [(row.question_id, row.version, row.form_id, row.fields) for row in rows]


def keep(
    session: Session,
    user: User,
    question: Question | None = None,
    form_id: str | None = None,
    *,
    version: int = 1,
    stem: str = "Typed?",
    at: datetime = AT,
) -> Autosave:
    return autosaves.keep(
        session,
        user,
        question,
        form_id=form_id or new_uid(),
        version=version if question else 0,
        fields=[("stem", stem)],
        at=at,
    )


def test_what_a_form_holds_takes_the_place_of_what_it_held(
    session: Session, editor: User, question: Question
) -> None:
    first, new, other = new_uid(), new_uid(), new_uid()
    for stem in ("Typed", "Typed?"):
        keep(session, editor, question, first, stem=stem)
        keep(session, editor, None, new, stem=stem)
    keep(session, editor, question, other, stem="In another window?")
    assert kept(session) == [
        (question.id, 1, first, [["stem", "Typed?"]]),
        (None, 0, new, [["stem", "Typed?"]]),
        (question.id, 1, other, [["stem", "In another window?"]]),
    ]
    # It is no part of the bank: nobody can read of it in the audit.
    assert {e.action for e in session.scalars(select(AuditEvent))} == {"question.create"}


def test_the_latest_text_is_offered_and_only_to_its_writer(
    session: Session, editor: User, contributor: User, question: Question
) -> None:
    first = keep(session, editor, question)
    changed = content("Changed?", tags=[])
    save(session, question, changed, seen_version=1, by=contributor, at=AT)
    second = keep(session, editor, question, version=2, at=AT + timedelta(hours=1))
    new = keep(session, editor)
    assert autosaves.offered(session, editor, question) is second
    assert autosaves.offered(session, editor, None) is new
    assert autosaves.mine(session, editor, 2) == [(second, question), (new, None)]
    assert autosaves.find(session, editor, first.id) is first
    assert autosaves.offered(session, contributor, question) is None
    assert autosaves.mine(session, contributor, 10) == []
    with pytest.raises(NotFound, match="nothing to bring back"):
        autosaves.find(session, contributor, first.id)


def test_what_is_dropped_is_one_form_of_one_person(
    session: Session, editor: User, contributor: User, question: Question
) -> None:
    other, form_id = make_question(session, "Another?"), new_uid()
    for user in (editor, contributor):
        keep(session, user, question, form_id)
        keep(session, user, other)
        keep(session, user)
    autosaves.drop(session, editor, form_id)
    assert [found for _, found in autosaves.mine(session, editor, 10)] == [None, other]
    assert len(autosaves.mine(session, contributor, 10)) == 3
    # What is purged, or deleted, leaves nothing behind.
    autosaves.forget(session, question)
    assert [found for _, found in autosaves.mine(session, contributor, 10)] == [None, other]
    delete_draft(session, other, by=editor, at=AT)
    assert [found for found, *_ in kept(session)] == [None, None]


def test_what_nobody_came_back_for_makes_room(
    session: Session, editor: User, contributor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosaves, "KEPT_TEXTS", 2)
    keep(session, contributor)
    newest = []
    for days in (29, 30, 30.5):
        newest.append(keep(session, editor, at=AT + timedelta(days=days)).form_id)
    assert [form_id for _, _, form_id, _ in kept(session)] == newest[1:]


@pytest.mark.parametrize(
    ("version", "form_id", "stem", "message"),
    [
        (0, None, "", "on which revision"),
        (2, None, "", "on which revision"),
        (1, "no uid", "", "which one it is"),
        (1, "0" * 36, "", "which one it is"),
        (1, None, "x" * 4_000_000, "too long to be kept"),
    ],
)
def test_a_form_that_cannot_be_kept_is_told_why(
    session: Session,
    editor: User,
    question: Question,
    version: int,
    form_id: str | None,
    stem: str,
    message: str,
) -> None:
    with pytest.raises(InvalidInput, match=message):
        keep(session, editor, question, form_id, version=version, stem=stem)
    assert kept(session) == []


def test_a_closed_account_keeps_nothing(session: Session, editor: User) -> None:
    editor.disabled_at = AT
    with pytest.raises(NotAllowed, match="Only a contributor may write questions"):
        keep(session, editor)
