"""Four eyes: where a bank demands it, nobody publishes their own change alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from msgspec.structs import replace
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cms import create_app
from cms.errors import NotAllowed, NotPublishable
from cms.models import Notification, Question, User
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept, mark_duplicate
from cms.services.jobs import work_one
from cms.services.merging import foresee, merge
from cms.services.operations import bulk
from cms.services.operations.undoing import undo_bulk
from cms.services.publishing import blockers, publish, publish_seen
from cms.services.questions import save
from cms.services.scheduling import schedule
from cms.services.work import HANDLERS
from cms.vocabulary import CorrectionKind, NotificationKind, Origin, Role
from tests.conftest import SECRET, add_user, dispose
from tests.factories import AT, make_published, make_question

OWN = "Somebody else has to publish this: you wrote revision {}."


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "FOUR_EYES": True})
    yield app
    dispose(app)


@pytest.fixture
def other(session: Session) -> User:
    return add_user(session, "Emil", Role.editor)


def change(session: Session, question: Question, by: User | None, **how: Origin) -> int:
    changed = replace(content_of(question), stem=f"Changed after {question.latest_number}?")
    seen = question.latest_number
    save(session, question, changed, seen_version=seen, by=by, at=AT, **how)
    return question.latest_number


def test_a_revision_is_published_by_anybody_but_its_author(
    session: Session, editor: User, other: User
) -> None:
    question = make_question(session, by=editor)
    assert blockers(session, question, by=editor) == [OWN.format(1)]
    with pytest.raises(NotPublishable) as refused:
        publish_seen(session, question, number=1, by=editor, at=AT)
    assert refused.value.reasons == [OWN.format(1)]
    assert question.published_number is None
    assert publish_seen(session, question, number=1, by=other, at=AT) == 1
    # Whose turn it is depends on the newest revision alone.
    change(session, question, other)
    assert blockers(session, question, by=other) == [OWN.format(2)]
    assert publish(session, [question], by=editor, at=AT).published == [question]


def test_the_command_line_and_imports_are_nobody(session: Session, editor: User) -> None:
    question = make_question(session)
    assert publish(session, [question], by=editor, at=AT).published == [question]
    change(session, question, editor)
    assert publish(session, [question], by=None, at=AT).published == [question]
    change(session, question, editor, origin=Origin.imported)
    assert publish(session, [question], by=editor, at=AT).published == [question]


def test_an_author_cannot_schedule_and_a_schedule_is_looked_at_again_when_it_is_due(
    session: Session, editor: User, other: User
) -> None:
    question = make_question(session, by=editor)
    nine = AT + timedelta(days=1)
    with pytest.raises(NotPublishable, match="Somebody else has to publish this"):
        schedule(session, question, number=1, when=nine, by=editor, at=AT)
    schedule(session, question, number=1, when=nine, by=other, at=AT)
    session.commit()
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    assert work_one(engine, HANDLERS, clock=lambda: nine)
    session.expire_all()
    assert question.published_number == 1
    assert session.scalars(select(Notification.kind)).all() == [NotificationKind.published]


def test_bulk_work_publishes_nobodys_own_and_what_it_rewrites_waits(
    session: Session, editor: User, other: User
) -> None:
    mine, theirs = make_question(session, "Mine?", by=editor), make_question(session, by=other)
    live = make_published(session, "Live?")
    published = bulk.begin(session, "publish", [mine.id, theirs.id], {}, by=editor, at=AT)
    bulk.perform(session, published, at=AT)
    messages = {row.question_id: row.message for row in published.rows}
    assert messages == {mine.id: OWN.format(1), theirs.id: ""}
    tagged = bulk.begin(session, "add_tag", [live.id], {"tag": "new"}, by=editor, at=AT)
    bulk.perform(session, tagged, at=AT)
    assert (tagged.release, live.published_number, live.latest_number) == (None, 1, 2)
    assert undo_bulk(session, tagged, by=editor, at=AT) is None
    session.refresh(live)
    assert (live.published_number, live.latest_number) == (1, 3)


def test_what_a_merge_brings_waits_for_somebody_else(
    session: Session, editor: User, other: User
) -> None:
    duplicate = make_published(session, "What are views?", tags=["old"])
    survivor = make_published(session)
    assert foresee(session, duplicate, survivor, by=editor).live is False
    merge(session, duplicate, survivor, seen=(1, 1), by=editor, at=AT)
    assert (survivor.published_number, survivor.latest_number) == (1, 2)
    assert blockers(session, survivor, by=editor) == [OWN.format(2)]
    assert publish_seen(session, survivor, number=2, by=other, at=AT) == 4


def test_words_of_an_erratum_are_seen_by_somebody_else_before_readers_see_them(
    session: Session, editor: User, other: User
) -> None:
    question = make_published(session)
    filed = [
        open_correction(
            session, question, kind=CorrectionKind.factual, claim=claim, by=other, at=AT
        )
        for claim in ("It was wrong.", "It was wrong, too.")
    ]
    session.commit()
    for words in ({"fix": "As I see it."}, {"credit": "Edith"}):
        with pytest.raises(NotAllowed, match="before anybody else has"):
            accept(session, filed[0], fixed_in=1, by=editor, at=AT, **words)
        session.rollback()
    accept(session, filed[0], fixed_in=1, by=editor, at=AT)
    assert filed[0].number == 1
    # Somebody else's revision, which the editor could publish alone, takes none of their words.
    change(session, question, other)
    session.commit()
    with pytest.raises(NotAllowed, match="before anybody else has"):
        accept(session, filed[1], fix="As I see it.", by=editor, at=AT)
    session.rollback()
    # Whoever publishes a revision of the editor's sees them.
    change(session, question, editor)
    accept(session, filed[1], fix="As I see it.", by=editor, at=AT)
    assert filed[1].number is None
    assert publish_seen(session, question, number=3, by=other, at=AT)
    assert (filed[1].number, filed[1].fix) == (2, "As I see it.")


def test_a_duplicate_adds_no_credit_that_nobody_else_has_seen(
    session: Session, editor: User, other: User
) -> None:
    question = make_published(session)
    told = {"kind": CorrectionKind.factual, "claim": "It was wrong.", "at": AT}
    first = open_correction(session, question, by=other, **told)  # type: ignore[arg-type]
    accept(session, first, fixed_in=1, by=editor, at=AT)
    second = open_correction(session, question, credit="Me", by=editor, **told)  # type: ignore[arg-type]
    session.commit()
    with pytest.raises(NotAllowed, match="Mark the duplicate without it"):
        mark_duplicate(session, second, first, credit_too=True, by=editor, at=AT)
    session.rollback()
    mark_duplicate(session, second, first, by=editor, at=AT)
    assert first.credit == ""
