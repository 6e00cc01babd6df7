"""What the public side reads: live questions, what became of others, tags, errata."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.formats.item import AnswerItem
from cms.models import Publication, Question, Tag
from cms.services import reading
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.publishing import publish, retire
from cms.services.questions import save
from cms.services.reading import Moved, PublicQuestion, Withdrawn
from cms.services.tags import save_tag
from cms.vocabulary import CorrectionKind, Difficulty
from tests.factories import AT, make_published, make_question

LATER = AT + timedelta(hours=1)


def correct(session: Session, question: Question, claim: str) -> None:
    """File a correction, accept it for the published revision, and publish anew."""
    correction = open_correction(
        session, question, kind=CorrectionKind.factual, claim=claim, by=None, at=AT
    )
    accept(session, correction, fixed_in=question.latest_number, by=None, at=AT)
    publish(session, [question], by=None, at=LATER)
    session.commit()


def move(session: Session, question: Question, slug: str) -> None:
    changed = replace(content_of(question), slug=slug)
    save(session, question, changed, seen_version=question.latest_number, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    session.commit()


def merge(session: Session, question: Question, into: Question) -> None:
    question.merged_into = into
    retire(session, [question], by=None, at=LATER)
    session.commit()


def test_an_empty_bank_has_release_0(session: Session, read_session: Session) -> None:
    assert reading.bank(read_session) == reading.Bank(0, None)
    assert reading.counts(read_session) == reading.Counts(0, 0)
    make_question(session)
    assert reading.counts(read_session).questions == 0


def test_the_bank_has_the_newest_release_and_its_time(
    session: Session, read_session: Session
) -> None:
    make_published(session, "First?")
    make_published(session, "Second?")
    assert reading.bank(read_session) == reading.Bank(2, AT)


def test_a_live_question_is_found_rendered(session: Session, read_session: Session) -> None:
    make_published(
        session,
        "What is `g`?",
        tags=["flask/contexts"],
        difficulty=Difficulty.hard,
        answers=[AnswerItem(body="Full **answer**."), AnswerItem(label="Short", body="Short.")],
    )
    found = reading.find_question(read_session, "what-is-g")
    assert isinstance(found, PublicQuestion)
    assert found.rendered.stem == "What is <code>g</code>?"
    assert found.rendered.short == 1
    assert found.rendered.answers[0].html == "<p>Full <strong>answer</strong>.</p>"
    assert (found.tags, found.difficulty) == (["flask/contexts"], Difficulty.hard)
    assert found.updated_at == AT


def test_a_draft_is_not_found(session: Session, read_session: Session) -> None:
    question = make_question(session)
    with pytest.raises(NotFound):
        reading.find_question(read_session, question.slug)


def test_what_was_never_public_is_not_found(read_session: Session) -> None:
    for slug in ("nothing", "", "Über", "a\0b", "x" * 121, "%", "a/b", "' OR 1=1"):
        with pytest.raises(NotFound, match="no question at this address"):
            reading.find_question(read_session, slug)


def test_an_old_address_leads_to_the_new_one(session: Session, read_session: Session) -> None:
    question = make_published(session)
    move(session, question, "views")
    assert reading.find_question(read_session, "what-is-a-view") == Moved("views")


def test_a_retired_question_is_withdrawn_at_all_its_addresses(
    session: Session, read_session: Session
) -> None:
    question = make_published(session)
    move(session, question, "views")
    retire(session, [question], by=None, at=LATER, reason="It was asked twice.")
    session.commit()
    for slug in ("views", "what-is-a-view"):
        found = reading.find_question(read_session, slug)
        assert found == Withdrawn("What is a view?", "It was asked twice.", LATER)


def test_a_merged_question_leads_to_the_last_survivor(
    session: Session, read_session: Session
) -> None:
    first, second, third = (make_published(session, f"Number {n}?") for n in (1, 2, 3))
    merge(session, first, second)
    assert reading.find_question(read_session, first.slug) == Moved(second.slug)
    read_session.rollback()
    merge(session, second, third)
    assert reading.find_question(read_session, first.slug) == Moved(third.slug)
    read_session.rollback()
    retire(session, [third], by=None, at=LATER)
    session.commit()
    assert isinstance(reading.find_question(read_session, first.slug), Withdrawn)


def test_tags_come_as_a_tree_with_counts(session: Session, read_session: Session) -> None:
    make_published(session, "One?", tags=["flask/basics/views", "flask-admin"])
    make_published(session, "Two?", tags=["flask/basics"])
    make_question(session, "A draft?", tags=["secret"])
    counts = {"flask": 2, "flask/basics": 2, "flask/basics/views": 1, "flask-admin": 1}
    assert {tag.slug: tag.questions for tag in reading.all_tags(read_session)} == counts
    # A tag stands before its descendants, and nothing in between.
    assert [tag.slug for tag in reading.all_tags(read_session)] == list(counts)
    assert [tag.slug for tag in reading.child_tags(read_session)] == ["flask", "flask-admin"]
    assert [tag.slug for tag in reading.child_tags(read_session, "flask")] == ["flask/basics"]
    assert reading.child_tags(read_session, "flask-admin") == []


def test_a_renamed_tag_and_its_descendants_have_moved(
    session: Session, read_session: Session
) -> None:
    make_published(session, tags=["web/views"])
    tag = session.scalars(select(Tag).filter_by(slug="web")).one()
    save_tag(session, tag, slug="flask", name="Flask", description="", by=None, at=LATER)
    session.commit()
    assert reading.find_tag(read_session, "web") == Moved("flask")
    assert reading.find_tag(read_session, "web/views") == Moved("flask/views")


def test_a_tag_of_no_public_question_is_not_found(session: Session, read_session: Session) -> None:
    make_published(session, tags=["flask"])
    make_question(session, "A draft?", tags=["unknown"])
    for path in ("unknown", "", "/", "flask/", "FLASK", "a\0b", "x" * 121, "%"):
        with pytest.raises(NotFound):
            reading.find_tag(read_session, path)


def test_errata_come_newest_first_and_by_number(session: Session, read_session: Session) -> None:
    question = make_published(session)
    for claim in ("First.", "Second.", "Third."):
        correct(session, question, claim)
    numbers = [each.correction.number for each in reading.errata(read_session, limit=2)]
    assert numbers == [3, 2]
    [older] = reading.errata(read_session, before=2, limit=2)
    assert (older.correction.number, older.correction.claim) == (1, "<p>First.</p>")
    assert (older.slug, older.stem) == ("what-is-a-view", "What is a view?")
    uids = [question.uid]
    assert reading.latest_corrections(read_session, uids) == {question.uid: 3}


def test_an_erratum_outlives_its_question(session: Session, read_session: Session) -> None:
    question = make_published(session)
    correct(session, question, "**Wrong**.")
    retire(session, [question], by=None, at=LATER)
    session.commit()
    found = reading.find_erratum(read_session, 1)
    assert (found.stem, found.correction.claim) == (
        "What is a view?",
        "<p><strong>Wrong</strong>.</p>",
    )


def test_an_erratum_of_no_number_is_not_found(session: Session, read_session: Session) -> None:
    correct(session, make_published(session), "Wrong.")
    for number in (0, 2, 2**31, 10**30):
        with pytest.raises(NotFound, match=f"no public correction {number}"):
            reading.find_erratum(read_session, number)


def test_the_engine_of_the_public_side_refuses_to_write(
    session: Session, read_session: Session
) -> None:
    make_published(session)
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        read_session.execute(delete(Publication))
