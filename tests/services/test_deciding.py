"""Decisions about corrections: one table of states, texts laid over what changed, notes, audit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, InvalidInput, NotAllowed, StaleEdit, WrongState
from cms.formats.item import AnswerItem
from cms.models import AuditEvent, Correction, Notification, PublishedCorrection, Question, User
from cms.models.engine import FOUR_EYES
from cms.services.content import content_of, find_revision
from cms.services.corrections import open_correction
from cms.services.deciding import (
    DECISIONS,
    REASON_LIMIT,
    accept,
    accept_text,
    hold,
    mark_duplicate,
    reject,
    reopen,
)
from cms.services.proposals import Standing, proposal_of
from cms.services.publishing import publish
from cms.services.questions import delete_draft, save
from cms.services.releases import release_number
from cms.vocabulary import CorrectionKind, CorrectionStatus, NotificationKind, Origin, TextPart
from tests.factories import AT, make_published, make_question

LATER = AT + timedelta(hours=1)
BODY = "The port is 8000. It can be changed.\n\nThe host is local.\n"
TOLD = {"by": None, "at": LATER}


def file(session: Session, question: Question, **fields: Any) -> Correction:
    values: dict[str, Any] = {"kind": CorrectionKind.factual, "claim": "It is 8000.", "by": None}
    correction = open_correction(session, question, **(values | fields), at=AT)
    session.commit()
    return correction


def propose(session: Session, question: Question, text: str, **fields: Any) -> Correction:
    uid = question.answers[0].uid
    return file(session, question, part=TextPart.body, answer_uid=uid, proposed=text, **fields)


def rewrite(session: Session, question: Question, body: str) -> None:
    content = content_of(question)
    content.answers[0].body = body
    save(session, question, content, seen_version=question.latest_number, by=None, at=LATER)
    session.commit()


# --- the states ---------------------------------------------------------------------


def decisions(session: Session) -> dict[str, Callable[[Correction], object]]:
    other = file(session, make_question(session, "Another?"))
    return {
        "accept": lambda c: accept(session, c, **TOLD),
        "reject": lambda c: reject(session, c, reason="It is right.", **TOLD),
        "duplicate": lambda c: mark_duplicate(session, c, other, **TOLD),
        "hold": lambda c: hold(session, c, reason="Until Flask 4.", **TOLD),
        "reopen": lambda c: reopen(session, c, **TOLD),
    }


def test_each_decision_fits_the_states_of_the_table_and_no_others(session: Session) -> None:
    question = make_question(session)
    verbs = decisions(session)
    assert set(verbs) == set(DECISIONS)
    reached, refused = {}, {}
    for verb, (_, state) in DECISIONS.items():
        for before in CorrectionStatus:
            correction = file(session, question)
            correction.status = before
            session.commit()
            try:
                verbs[verb](correction)
            except WrongState as error:
                refused[verb, before] = str(error)
                session.rollback()
            else:
                reached[verb, before] = correction.status
                assert correction.status == state
    assert set(reached) == {
        (verb, before) for verb, (states, _) in DECISIONS.items() for before in states
    }
    assert refused["hold", CorrectionStatus.held] == "This correction is held."
    assert refused["reject", CorrectionStatus.accepted] == "This correction was accepted already."


def test_each_decision_is_audited_and_its_reporter_gets_the_reason(
    session: Session, editor: User, contributor: User
) -> None:
    question = make_question(session)
    correction = file(session, question, by=contributor)
    hold(session, correction, reason="Until Flask 4.", by=editor, at=LATER)
    assert correction.decided_at is None
    reopen(session, correction, by=editor, at=LATER)
    reject(session, correction, reason="It is right.", by=editor, at=LATER)
    session.commit()
    assert (correction.decided_by, correction.decided_at) == (editor, LATER)
    about = select(AuditEvent.action).where(AuditEvent.object == f"correction:{correction.uid}")
    assert session.scalars(about.order_by(AuditEvent.id)).all() == [
        *("correction.open", "correction.hold", "correction.reopen", "correction.reject")
    ]
    notes = session.scalars(select(Notification).order_by(Notification.id)).all()
    assert [(n.user_id, n.kind, n.words, n.correction_id) for n in notes] == [
        (contributor.id, NotificationKind.decided, words, correction.id)
        for words in ("Until Flask 4.", "", "It is right.")
    ]


@pytest.mark.parametrize(
    ("verb", "message"), [(reject, "Say why"), (hold, "Say what it waits for")]
)
def test_what_a_reporter_will_ask_has_to_be_said(
    session: Session, verb: Callable[..., None], message: str
) -> None:
    correction = file(session, make_question(session))
    with pytest.raises(InvalidInput, match=message):
        verb(session, correction, reason=" \n", **TOLD)
    with pytest.raises(InvalidInput, match="the limit is 4,000"):
        verb(session, correction, reason="x" * (REASON_LIMIT + 1), **TOLD)


def test_contributors_decide_nothing(session: Session, contributor: User) -> None:
    correction = file(session, make_question(session))
    for verb in (accept, reopen):
        with pytest.raises(NotAllowed, match="Only an editor may decide on corrections"):
            verb(session, correction, by=contributor, at=LATER)


def test_four_eyes_let_nobody_accept_what_they_filed(session: Session, editor: User) -> None:
    question = make_question(session)
    correction = file(session, question, by=editor)
    session.connection(execution_options={FOUR_EYES: True})
    with pytest.raises(NotAllowed, match="somebody else has to accept it"):
        accept(session, correction, by=editor, at=LATER)
    accept(session, correction, **TOLD)
    assert correction.status == CorrectionStatus.accepted


# --- duplicates ----------------------------------------------------------------------


def test_a_duplicate_names_its_original_and_can_hand_its_credit_over(session: Session) -> None:
    question = make_published(session)
    original = file(session, question, credit="Ada")
    accept(session, original, fixed_in=1, **TOLD)
    session.commit()
    again = file(session, make_question(session, "Another?"), credit="Grace")
    mark_duplicate(session, again, original, credit_too=True, **TOLD)
    session.commit()
    assert (again.duplicate_of, original.credit) == (original, "Ada, Grace")
    assert release_number(session) == 3, "readers see the credit at once"
    assert "Ada, Grace" in session.scalars(select(PublishedCorrection)).one().document


def test_corrections_are_never_duplicates_in_a_circle(session: Session) -> None:
    question = make_question(session)
    first, second, third = (file(session, question) for _ in range(3))
    with pytest.raises(InvalidInput, match="no duplicate of itself"):
        mark_duplicate(session, first, first, **TOLD)
    mark_duplicate(session, second, first, **TOLD)
    mark_duplicate(session, third, second, **TOLD)
    with pytest.raises(InvalidInput, match="marked as a duplicate of this one"):
        mark_duplicate(session, first, third, **TOLD)


def test_a_draft_goes_although_another_questions_correction_repeats_its_own(
    session: Session,
) -> None:
    draft = make_question(session)
    again = file(session, make_question(session, "Another?"))
    mark_duplicate(session, again, file(session, draft), **TOLD)
    delete_draft(session, draft, **TOLD)
    session.commit()
    assert (again.duplicate_of_id, again.status) == (None, CorrectionStatus.duplicate)


# --- the text ------------------------------------------------------------------------


def test_an_accepted_text_is_a_revision_that_names_the_correction(
    session: Session, editor: User
) -> None:
    question = make_published(session, body=BODY)
    wanted = BODY.strip().replace("8000", "5000")
    correction = propose(session, question, wanted, credit="Ada")
    revision = accept_text(
        session, correction, wanted, seen_version=1, credit="Grace", fix="Now 5000.", by=editor,
        at=LATER,
    )  # fmt: skip
    assert (revision.number, revision.origin) == (2, Origin.correction)
    assert revision.summary == "Correction: It is 8000."
    assert (correction.fixed_in, correction.credit, correction.fix) == (2, "Grace", "Now 5000.")
    assert correction.number is None, "readers do not see revision 2 yet"
    publish(session, [question], by=None, at=LATER)
    assert correction.number == 1
    assert question.answers[0].body == wanted


def test_a_text_over_a_question_that_changed_since_is_refused_and_nothing_is_written(
    session: Session,
) -> None:
    question = make_question(session, body=BODY)
    correction = propose(session, question, BODY.replace("8000", "5000"))
    rewrite(session, question, BODY + "More.")
    with pytest.raises(StaleEdit, match="Nothing was overwritten"):
        accept_text(session, correction, "Mine.", seen_version=1, **TOLD)
    session.rollback()
    session.refresh(correction)
    assert (correction.status, question.latest_number) == (CorrectionStatus.open, 2)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (BODY, InvalidInput, "reads like this already"),
        ("", InvalidContent, "It is empty. Write the answer"),
    ],
)
def test_a_text_that_fixes_nothing_is_refused(
    session: Session, text: str, error: type[Exception], message: str
) -> None:
    question = make_question(session, body=BODY)
    correction = propose(session, question, BODY.replace("8000", "5000"))
    with pytest.raises(error, match=message):
        accept_text(session, correction, text, seen_version=1, **TOLD)


def test_a_text_for_an_answer_that_is_gone_is_refused(session: Session) -> None:
    question = make_question(session, body=BODY)
    correction = propose(session, question, "The port is 5000.")
    content = replace(content_of(question), answers=[AnswerItem(body="Another answer.")])
    save(session, question, content, seen_version=1, **TOLD)
    found = proposal_of(session, correction)
    assert found is not None
    assert (found.standing, found.draft) == (Standing.gone, "The port is 5000.")
    with pytest.raises(WrongState, match="is gone"):
        accept_text(session, correction, "The port is 5000.", seen_version=2, **TOLD)


# --- the text, laid over today's ---------------------------------------------------------

PORT, HOST = ("8000", "5000"), ("local", "`127.0.0.1`")


@pytest.mark.parametrize(
    ("since", "standing", "draft"),
    [
        pytest.param([], Standing.applies, BODY.replace(*PORT), id="nothing changed"),
        pytest.param(
            [BODY.replace(*HOST)],
            Standing.applies,
            BODY.replace(*PORT).replace(*HOST),
            id="another place changed",
        ),
        pytest.param(
            [BODY.replace(*HOST), BODY.replace(*HOST).replace(*PORT)],
            Standing.there,
            BODY.replace(*PORT).replace(*HOST),
            id="somebody fixed it",
        ),
        pytest.param(
            [BODY.replace("8000", "80")],
            Standing.overlaps,
            BODY.replace(*PORT),
            id="the same place changed otherwise",
        ),
    ],
)
def test_a_proposal_is_laid_over_the_text_of_today(
    session: Session, since: list[str], standing: Standing, draft: str
) -> None:
    question = make_question(session, body=BODY)
    correction = propose(session, question, BODY.replace(*PORT))
    for body in since:
        rewrite(session, question, body)
    found = proposal_of(session, correction)
    assert found is not None
    assert (found.standing, found.rebased) == (standing, bool(since))
    assert found.draft == draft.strip()
    assert found.first_in == (3 if standing == Standing.there else None)
    assert bool(found.overlaps) == (standing == Standing.overlaps)
    assert find_revision(session, question, correction.seen_in or 0).number == 1


def test_a_proposal_belongs_to_the_revision_that_its_reporter_saw(session: Session) -> None:
    question = make_question(session, body=BODY)
    rewrite(session, question, BODY.replace(*HOST))
    correction = propose(session, question, BODY.replace(*PORT), seen_in=1)
    found = proposal_of(session, correction)
    assert found is not None
    assert found.draft == BODY.replace(*PORT).replace(*HOST).strip()
    for text, field in ((BODY, None), ("", "proposed")):
        if field is None:
            assert propose(session, question, text, seen_in=1).proposed is None
            continue
        with pytest.raises(InvalidContent) as refused:
            propose(session, question, text)
        assert refused.value.field == field


def test_a_form_that_is_sent_twice_files_one_correction(session: Session) -> None:
    uid = "0192aaaa-0000-7000-8000-00000000000a"
    question = make_question(session)
    first = file(session, question, uid=uid)
    assert file(session, question, uid=uid) is first
    with pytest.raises(WrongState, match="Open it anew"):
        file(session, make_question(session, "Another?"), uid=uid)
    for words in (
        {"claim": "It says so."},
        {"explanation": "No."},
        {"kind": CorrectionKind.editorial},
    ):
        with pytest.raises(WrongState, match="sent before, in other words"):
            file(session, question, **({"uid": uid} | words))
    assert session.scalars(select(Correction)).all() == [first]
