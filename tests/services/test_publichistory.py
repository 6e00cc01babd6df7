"""What readers learn of a question's past: what each release changed of what they see."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from sqlalchemy.orm import Session

from cms.formats.item import AnswerItem, Content, SourceItem
from cms.models import Change, Question, Tag
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.publichistory import question_changes
from cms.services.publishing import publish, retire, unretire
from cms.services.questions import save
from cms.services.tags import save_tag
from cms.vocabulary import ChangeKind, CorrectionKind, Difficulty
from tests.factories import AT, make_published

SOURCE = SourceItem(url="https://example.org/s")


def publish_anew(session: Session, question: Question, content: Content) -> None:
    seen = question.latest_number
    save(session, question, content, seen_version=seen, by=None, at=AT)
    publish(session, [question], by=None, at=AT)
    session.commit()


def test_each_release_names_the_parts_that_it_changed(
    session: Session, read_session: Session
) -> None:
    question = make_published(session, "What is g?", tags=["flask"])
    for change in (
        {"stem": "What is `g`?"},
        {"context": "Think of a request.", "difficulty": Difficulty.easy},
        {"slug": "g"},
        {"tags": []},
    ):
        publish_anew(session, question, replace(content_of(question), **change))
    (answer,) = content_of(question).answers
    for change in ({"sources": [SOURCE]}, {"body": "A namespace."}, {"label": "Short"}):
        answer = replace(answer, **change)
        publish_anew(session, question, replace(content_of(question), answers=[answer]))
    publish_anew(
        session,
        question,
        replace(content_of(question), answers=[answer, AnswerItem(body="More.", sources=[SOURCE])]),
    )
    found = question_changes(read_session, question.uid, limit=20)
    assert [change.parts for change in found] == [
        ["answers", "sources"],
        ["answers"],
        ["answers"],
        ["sources"],
        ["tags"],
        ["address"],
        ["context", "difficulty"],
        ["stem"],
        [],
    ]
    assert [change.release for change in found] == list(range(9, 0, -1))
    older = question_changes(read_session, question.uid, before=3, limit=1)
    assert [(change.release, change.parts) for change in older] == [(2, ["stem"])]


def test_errata_retirement_and_tags_are_told_and_rows_written_anew_are_not(
    session: Session, read_session: Session
) -> None:
    question = make_published(session, tags=["flask"])
    correction = open_correction(
        session, question, kind=CorrectionKind.factual, claim="It is a table.", by=None, at=AT
    )
    accept(session, correction, fixed_in=1, by=None, at=AT)
    session.commit()
    tag = session.query(Tag).filter_by(slug="flask").one()
    text = {"description": "", "by": None, "at": AT}
    save_tag(session, tag, slug="flask", name="The Flask", **text)
    save_tag(session, tag, slug="web", name="Web", **text)
    retire(session, [question], reason="", by=None, at=AT + timedelta(days=1))
    session.commit()
    unretire(session, question, by=None, at=AT)
    publish(session, [question], by=None, at=AT)
    session.commit()
    found = question_changes(read_session, question.uid, limit=20)
    assert [(change.what, change.parts) for change in found] == [
        (ChangeKind.published, []),
        (ChangeKind.retired, []),
        (ChangeKind.refreshed, ["tags"]),
        (ChangeKind.refreshed, ["correction 1"]),
        (ChangeKind.published, []),
    ]
    assert session.query(Change).filter_by(uid=question.uid).count() >= len(found)
