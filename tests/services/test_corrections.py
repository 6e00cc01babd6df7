"""Corrections: filed, decided once, public with the revision that fixes them, numbered for good."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, InvalidInput, NotAllowed, NotFound, WrongState
from cms.formats.item import SourceItem
from cms.models import AuditEvent, Correction, PublishedCorrection, Question, User
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept, reject
from cms.services.publishing import publish
from cms.services.questions import save
from cms.services.releases import release_number
from cms.vocabulary import CorrectionKind, CorrectionStatus
from tests.factories import AT, make_published, make_question, publication_of

LATER = AT + timedelta(hours=1)


def file_correction(session: Session, question: Question, **fields: object) -> Correction:
    values: dict[str, object] = {"kind": CorrectionKind.factual, "claim": "It was wrong."}
    correction = open_correction(session, question, **(values | fields), by=None, at=AT)  # type: ignore[arg-type]
    session.commit()
    return correction


def mend(session: Session, question: Question, stem: str) -> None:
    changed = replace(content_of(question), stem=stem)
    save(session, question, changed, seen_version=question.latest_number, by=None, at=LATER)
    session.commit()


def test_an_open_correction_is_not_public(session: Session, contributor: User) -> None:
    question = make_published(session)
    correction = open_correction(
        session, question, kind=CorrectionKind.outdated, claim="Old.", by=contributor, at=AT
    )
    session.commit()
    assert (correction.status, correction.number, correction.reporter) == (
        CorrectionStatus.open,
        None,
        contributor,
    )
    assert session.scalars(select(PublishedCorrection)).all() == []


def test_an_accepted_correction_goes_public_with_its_fixing_revision(session: Session) -> None:
    question = make_published(session, "Wrong?")
    source = SourceItem(url="https://example.org/truth", title="The truth")
    correction = file_correction(session, question, fix="It is right.", sources=[source])
    mend(session, question, "Right?")
    accept(session, correction, by=None, at=LATER)
    session.commit()
    assert (correction.fixed_in, correction.number) == (2, None)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    assert correction.number == 1
    erratum = session.scalars(select(PublishedCorrection)).one()
    assert json.loads(erratum.document)["sources"][0]["title"] == "The truth"
    shown = publication_of(session, question)
    assert shown is not None
    assert [c["number"] for c in json.loads(shown.document)["corrections"]] == [1]


def test_accepting_what_a_published_revision_had_right_is_a_release_at_once(
    session: Session,
) -> None:
    question = make_published(session)
    correction = file_correction(session, question)
    accept(session, correction, fixed_in=1, by=None, at=LATER)
    session.commit()
    assert (correction.number, release_number(session)) == (1, 2)
    shown = publication_of(session, question)
    assert shown is not None
    assert (shown.corrections, shown.release) == (1, 2)


def test_numbers_are_given_once_and_in_the_order_of_decisions(session: Session) -> None:
    question = make_question(session)
    first = file_correction(session, question, claim="First.")
    second = file_correction(session, question, claim="Second.")
    accept(session, second, by=None, at=AT)
    accept(session, first, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    assert (second.number, first.number) == (1, 2)
    mend(session, question, "Again?")
    publish(session, [question], by=None, at=LATER)
    assert (second.number, first.number) == (1, 2)


def test_rejecting_needs_a_reason_and_is_audited(session: Session, editor: User) -> None:
    correction = file_correction(session, make_question(session))
    with pytest.raises(InvalidInput, match="Say why"):
        reject(session, correction, reason=" ", by=editor, at=LATER)
    reject(session, correction, reason="The text is right.", by=editor, at=LATER)
    session.commit()
    event = session.scalars(select(AuditEvent).filter_by(action="correction.reject")).one()
    assert event.data["reason"] == "The text is right."


def test_a_decision_is_final(session: Session) -> None:
    correction = file_correction(session, make_question(session))
    accept(session, correction, by=None, at=LATER)
    with pytest.raises(WrongState, match="accepted already"):
        reject(session, correction, reason="Changed my mind.", by=None, at=LATER)


def test_the_fixing_revision_has_to_exist(session: Session) -> None:
    correction = file_correction(session, make_question(session))
    with pytest.raises(NotFound, match="no revision 9"):
        accept(session, correction, fixed_in=9, by=None, at=LATER)


def test_contributors_file_and_editors_decide(session: Session, contributor: User) -> None:
    correction = file_correction(session, make_question(session))
    with pytest.raises(NotAllowed):
        accept(session, correction, by=contributor, at=LATER)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"claim": " "}, "claim"),
        ({"sources": [SourceItem(url="javascript:alert(1)")]}, "sources[0].url"),
        ({"answer_uid": "0192aaaa-0000-7000-8000-000000000000"}, "answer"),
    ],
)
def test_a_correction_that_breaks_a_rule_is_refused(
    session: Session, fields: dict[str, object], field: str
) -> None:
    question = make_question(session)
    with pytest.raises(InvalidContent) as refused:
        file_correction(session, question, **fields)
    assert refused.value.field == field
