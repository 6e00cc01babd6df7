"""Text that is typed and not saved: kept for its writer alone, one for each form."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import CmsError, InvalidInput, NotFound
from cms.models import AuditEvent, Autosave, Question, User, new_uid
from cms.services import autosaves
from cms.services.questions import delete_draft, save
from tests.factories import AT, content, make_question

FIELDS = [("stem", "Typed?"), ("answers[0].body", "So.")]


@pytest.fixture
def question(session: Session) -> Question:
    return make_question(session)


def kept(session: Session) -> list[tuple[int | None, int, str, list[list[str]]]]:
    session.flush()
    rows = session.scalars(select(Autosave).order_by(Autosave.id))
    return [(row.question_id, row.version, row.form_id, row.fields) for row in rows]


def test_what_a_form_holds_takes_the_place_of_what_it_held(
    session: Session, editor: User, question: Question
) -> None:
    for at, stem in ((AT, "Typed"), (AT + timedelta(minutes=1), "Typed?")):
        fields = [("stem", stem), FIELDS[1]]
        autosaves.keep(session, editor, question, version=1, fields=fields, at=at)
    form_id = new_uid()
    for _ in range(2):
        autosaves.keep(session, editor, None, form_id=form_id, version=0, fields=FIELDS, at=AT)
    autosaves.keep(session, editor, None, form_id=new_uid(), version=0, fields=FIELDS, at=AT)
    pairs = [list(pair) for pair in FIELDS]
    assert kept(session)[:2] == [(question.id, 1, "", pairs), (None, 0, form_id, pairs)]
    assert len(kept(session)) == 3
    # It is no part of the bank: nobody can read of it in the audit.
    assert {e.action for e in session.scalars(select(AuditEvent))} == {"question.create"}


def test_the_latest_text_is_offered_and_only_to_its_writer(
    session: Session, editor: User, contributor: User, question: Question
) -> None:
    first = autosaves.keep(session, editor, question, version=1, fields=FIELDS, at=AT)
    changed = content("Changed?", tags=[])
    save(session, question, changed, seen_version=1, by=contributor, at=AT)
    later = AT + timedelta(hours=1)
    second = autosaves.keep(session, editor, question, version=2, fields=FIELDS, at=later)
    new = autosaves.keep(session, editor, None, form_id=new_uid(), version=0, fields=FIELDS, at=AT)
    assert autosaves.offered(session, editor, question) is second
    assert autosaves.offered(session, editor, None) is new
    assert autosaves.mine(session, editor, 2) == [(second, question), (new, None)]
    assert autosaves.find(session, editor, first.id) is first
    assert autosaves.offered(session, contributor, question) is None
    assert autosaves.mine(session, contributor, 10) == []
    with pytest.raises(NotFound, match="nothing to bring back"):
        autosaves.find(session, contributor, first.id)


def test_saving_a_question_drops_the_writers_texts_of_it_and_no_others(
    session: Session, editor: User, contributor: User, question: Question
) -> None:
    other, form_id = make_question(session, "Another?"), new_uid()
    for user in (editor, contributor):
        for each in (question, other):
            autosaves.keep(session, user, each, version=1, fields=FIELDS, at=AT)
        autosaves.keep(session, user, None, form_id=form_id, version=0, fields=FIELDS, at=AT)
    autosaves.drop(session, editor, question, form_id=form_id)
    left = autosaves.mine(session, editor, 10)
    assert [found for _, found in left] == [other]
    assert len(autosaves.mine(session, contributor, 10)) == 3
    autosaves.forget(session, question)
    assert len(autosaves.mine(session, contributor, 10)) == 2
    delete_draft(session, other, by=editor, at=AT)
    assert [found for found, _, _, _ in kept(session)] == [None]


def test_what_nobody_came_back_for_makes_room(
    session: Session, editor: User, contributor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosaves, "KEPT_TEXTS", 2)

    def keep(user: User, days: float) -> str:
        form_id, at = new_uid(), AT + timedelta(days=days)
        autosaves.keep(session, user, None, form_id=form_id, version=0, fields=FIELDS, at=at)
        return form_id

    keep(contributor, 0)
    keep(editor, 29)
    newest = [keep(editor, 30), keep(editor, 30.5)]
    assert [form_id for _, _, form_id, _ in kept(session)] == newest


@pytest.mark.parametrize(
    ("version", "form_id", "message"),
    [
        (0, "", "on which revision"),
        (2, "", "on which revision"),
        (0, "no uid", "which one it is"),
        (0, "0" * 36, "which one it is"),
    ],
)
def test_a_form_that_does_not_say_what_it_is_keeps_nothing(
    session: Session, editor: User, question: Question, version: int, form_id: str, message: str
) -> None:
    about = None if form_id else question
    with pytest.raises(InvalidInput, match=message):
        autosaves.keep(
            session, editor, about, form_id=form_id, version=version, fields=FIELDS, at=AT
        )
    assert kept(session) == []


def test_a_text_that_no_form_can_send_and_a_closed_account_are_refused(
    session: Session, editor: User, question: Question
) -> None:
    for fields, disabled_at in (([("stem", "x" * 4_000_001)], None), (FIELDS, AT)):
        editor.disabled_at = disabled_at
        with pytest.raises(CmsError, match=r"too long to be kept|may write questions"):
            autosaves.keep(session, editor, question, version=1, fields=fields, at=AT)
