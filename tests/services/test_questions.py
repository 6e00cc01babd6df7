"""The working copy: every save a revision, nobody overwritten, nothing public lost."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, NotAllowed, NotFound, StaleEdit, WrongState
from cms.formats.item import AnswerItem
from cms.models import Answer, AuditEvent, Question, Revision, User, new_uid
from cms.services.admission import taken_faults
from cms.services.content import content_of, revision_content
from cms.services.history import history
from cms.services.publishing import publish, retire
from cms.services.questions import (
    create,
    delete_draft,
    restore,
    return_to_draft,
    save,
    submit,
)
from cms.vocabulary import Origin, Stage, Status
from tests.factories import AT, content, make_published, make_question

LATER = AT + timedelta(minutes=5)


def edit(session: Session, question: Question, by: User | None = None, **changes: object) -> None:
    save(
        session,
        question,
        replace(content_of(question), **changes),
        seen_version=question.latest_number,
        by=by,
        at=LATER,
    )
    session.commit()


def test_a_new_question_is_a_draft_with_its_first_revision(session: Session, editor: User) -> None:
    question = create(session, content("Why `url_for`?"), by=editor, at=AT, summary="New")
    session.commit()
    assert question.status == Status.draft
    assert question.slug == "why-url-for"
    assert [(r.number, r.author, r.summary) for r in history(session, question)] == [
        (1, editor, "New")
    ]


def test_every_save_appends_a_revision_and_keeps_the_old_text(session: Session) -> None:
    question = make_question(session, body="Old.")
    edit(session, question, answers=[AnswerItem(body="New.")])
    assert [r.number for r in history(session, question)] == [2, 1]
    assert revision_content(session, question, 1).answers[0].body == "Old."
    assert question.answers[0].body == "New."


def test_a_save_that_changes_nothing_leaves_no_revision(session: Session) -> None:
    question = make_question(session)
    assert save(session, question, content_of(question), seen_version=1, by=None, at=LATER) is None
    assert question.latest_number == 1


def test_a_stale_save_is_refused_and_shows_mine_theirs_and_base(
    session: Session, editor: User
) -> None:
    question = make_question(session, stem="Base?")
    base = content_of(question)
    edit(session, question, by=editor, stem="Theirs?")
    with pytest.raises(StaleEdit) as refused:
        save(session, question, replace(base, stem="Mine?"), seen_version=1, by=None, at=LATER)
    error = refused.value
    assert error.base is not None
    assert (error.mine.stem, error.theirs.stem, error.base.stem) == ("Mine?", "Theirs?", "Base?")
    assert "Edith saved this question" in str(error)
    assert question.stem == "Theirs?"


def test_a_stale_save_of_the_very_same_text_is_no_conflict(session: Session) -> None:
    question = make_question(session)
    edit(session, question, stem="Agreed?")
    mine = content_of(question)
    assert save(session, question, mine, seen_version=1, by=None, at=LATER) is None


def test_answers_keep_their_identity_when_they_are_edited_and_reordered(session: Session) -> None:
    question = make_question(session, answers=[AnswerItem(body="One."), AnswerItem(body="Two.")])
    one, two = content_of(question).answers
    edit(session, question, answers=[two, replace(one, body="One, edited.")])
    assert [(a.uid, a.position, a.body) for a in question.answers] == [
        (two.uid, 0, "Two."),
        (one.uid, 1, "One, edited."),
    ]


def test_an_answer_left_out_is_deleted(session: Session) -> None:
    question = make_question(session, answers=[AnswerItem(body="One."), AnswerItem(body="Two.")])
    edit(session, question, answers=content_of(question).answers[:1])
    assert session.scalar(select(func.count()).select_from(Answer)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stem": "  "}, "stem"),
        ({"stem": "x" * 501}, "stem"),
        ({"slug": "No Slug!"}, "slug"),
        ({"answers": [AnswerItem(body="x" * 200_001)]}, "answers[0].body"),
        ({"answers": [AnswerItem(label="Short")]}, "answers[0].body"),
        ({"tags": ["0192aaaa-0000-7000-8000-000000000000"]}, "tags"),
    ],
)
def test_content_that_breaks_a_rule_is_refused_by_field(
    session: Session, changes: dict[str, object], field: str
) -> None:
    question = make_question(session)
    wanted = replace(content_of(question), **changes)
    with pytest.raises(InvalidContent) as refused:
        save(session, question, wanted, seen_version=1, by=None, at=LATER)
    assert refused.value.field == field


def test_another_questions_address_cannot_be_taken(session: Session) -> None:
    make_question(session, "What is a view?")
    with pytest.raises(InvalidContent, match="another question's address"):
        create(session, content("Other?", slug="what-is-a-view"), by=None, at=AT)


def test_an_address_that_was_public_once_cannot_be_taken(session: Session) -> None:
    question = make_published(session, "What is a view?")
    edit(session, question, slug="views")
    publish(session, [question], by=None, at=LATER)
    session.commit()
    with pytest.raises(InvalidContent, match="another question's address"):
        create(session, content("Other?", slug="what-is-a-view"), by=None, at=AT)


def test_equal_stems_get_addresses_of_their_own(session: Session) -> None:
    slugs = [make_question(session, "What is Flask?").slug for _ in range(3)]
    assert slugs == ["what-is-flask", "what-is-flask-2", "what-is-flask-3"]


def test_a_stem_without_letters_gets_an_address(session: Session) -> None:
    assert make_question(session, "???").slug.startswith("question-")


@pytest.mark.parametrize("slug", ["study", "suggest"])
def test_no_question_gets_the_address_of_a_page_of_the_site(session: Session, slug: str) -> None:
    assert make_question(session, f"{slug.title()}?").slug == f"{slug}-2"
    with pytest.raises(InvalidContent, match="a page of the site"):
        create(session, content("Why?", slug=slug), by=None, at=AT)


def test_restoring_makes_an_old_text_the_newest_revision(session: Session) -> None:
    question = make_question(session, stem="First?")
    edit(session, question, stem="Second?")
    revision = restore(session, question, 1, seen_version=2, by=None, at=LATER)
    assert revision is not None
    assert (revision.number, revision.origin, question.stem) == (3, Origin.restore, "First?")


def test_restoring_a_revision_that_is_not_there_is_refused(session: Session) -> None:
    question = make_question(session)
    with pytest.raises(NotFound, match="no revision 7"):
        restore(session, question, 7, seen_version=1, by=None, at=LATER)


def test_a_contributor_writes_drafts_but_not_published_questions(
    session: Session, contributor: User
) -> None:
    draft = make_question(session, by=contributor)
    edit(session, draft, by=contributor, stem="Mine?")
    publish(session, [draft], by=None, at=LATER)
    with pytest.raises(NotAllowed, match="File a correction instead"):
        edit(session, draft, by=contributor, stem="Again?")


def test_a_draft_goes_to_review_and_back(session: Session, contributor: User) -> None:
    question = make_question(session, by=contributor)
    submit(session, question, by=contributor, at=LATER)
    assert question.status == Status.in_review
    with pytest.raises(WrongState):
        submit(session, question, by=contributor, at=LATER)
    return_to_draft(session, question, by=None, at=LATER)
    assert question.stage == Stage.draft


def test_a_draft_that_was_never_public_can_be_deleted_and_stays_in_the_audit(
    session: Session, editor: User
) -> None:
    question = make_question(session, "Wrong?")
    delete_draft(session, question, by=editor, at=LATER)
    session.commit()
    assert session.scalar(select(func.count()).select_from(Question)) == 0
    assert session.scalar(select(func.count()).select_from(Revision)) == 0
    event = session.scalars(select(AuditEvent).filter_by(action="question.delete")).one()
    assert event.data["content"]["stem"] == "Wrong?"
    assert event.actor == editor


def test_a_draft_that_somebody_saved_since_it_was_looked_at_is_not_deleted(
    session: Session, editor: User
) -> None:
    question = make_question(session, "Wrong?")
    changed = replace(content_of(question), stem="Mended?")
    save(session, question, changed, seen_version=1, by=editor, at=AT)
    session.commit()
    with pytest.raises(WrongState, match=r"Edith saved revision 2 .* Look at it again"):
        delete_draft(session, question, by=editor, at=LATER, seen_version=1)
    delete_draft(session, question, by=editor, at=LATER, seen_version=2)
    assert session.scalar(select(func.count()).select_from(Question)) == 0


def test_what_was_public_is_never_deleted(session: Session) -> None:
    question = make_published(session)
    retire(session, [question], by=None, at=LATER)
    session.commit()
    with pytest.raises(WrongState, match="Retire it instead"):
        delete_draft(session, question, by=None, at=LATER)


def test_more_answers_than_a_statement_has_parameters_are_looked_up(session: Session) -> None:
    held = make_question(session, "Held?")
    answers = [AnswerItem(uid=str(uuid.UUID(int=number))) for number in range(70_000)]
    answers.append(AnswerItem(uid=held.answers[0].uid))
    found = taken_faults(session, [content("New?", answers=answers, uid=new_uid())])
    assert list(found.values()) == [
        [("answers[70000].uid", "Another question's answer has this uid.")]
    ]
