"""The one door to the shelf: releases in order, and tombstones for what left it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from flask import Flask
from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed, WrongState
from cms.extensions import db
from cms.models import (
    Change,
    ImportWarning,
    Publication,
    PublishedTag,
    Question,
    Release,
    Revision,
    SlugRedirect,
    User,
    Withdrawal,
)
from cms.services.blockers import DAMAGED, UNANSWERED
from cms.services.content import content_of
from cms.services.publishing import publish, retire, unretire
from cms.services.questions import save
from cms.services.releases import release_number
from cms.vocabulary import ChangeKind, Status
from tests.factories import AT, make_published, make_question, make_warning, publication_of

LATER = AT + timedelta(hours=1)


def test_editing_a_published_question_changes_nothing_that_the_public_sees(
    session: Session,
) -> None:
    question = make_published(session, "Old?")
    changed = replace(content_of(question), stem="New?")
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    session.commit()
    shown = publication_of(session, question)
    assert shown is not None
    assert shown.stem == "Old?"
    assert question.has_unpublished_changes
    publish(session, [question], by=None, at=LATER)
    session.commit()
    shown = publication_of(session, question)
    assert shown is not None
    assert (shown.stem, shown.revision, shown.release) == ("New?", 2, 2)
    assert (shown.published_at, shown.updated_at) == (AT, LATER)


def test_publishing_several_questions_is_one_release(session: Session) -> None:
    questions = [make_question(session, f"Question {n}?") for n in range(3)]
    result = publish(session, questions, by=None, at=AT)
    session.commit()
    assert (result.release, len(result.published)) == (1, 3)
    assert session.scalar(select(func.count()).select_from(Release)) == 1
    changes = session.execute(select(Change.release, Change.what, Change.revision)).all()
    assert changes == [(1, ChangeKind.published, 1)] * 3
    assert set(session.scalars(select(Revision.release))) == {1}


def test_publishing_again_without_a_change_makes_no_release(session: Session) -> None:
    question = make_published(session)
    result = publish(session, [question], by=None, at=LATER)
    assert (result.release, result.unchanged) == (None, [question])
    assert release_number(session) == 1


def test_what_cannot_go_public_is_refused_with_reasons_and_the_others_are_published(
    session: Session,
) -> None:
    good = make_question(session, "Good?")
    empty = make_question(session, "Empty?", answers=[])
    damaged = make_question(session, "Damaged?")
    make_warning(session, damaged)
    result = publish(session, [good, empty, damaged], by=None, at=AT)
    assert result.published == [good]
    assert [(each.slug, each.reasons) for each in result.refused] == [
        ("empty", [UNANSWERED]),
        ("damaged", [DAMAGED]),
    ]


def test_force_acknowledges_warnings_but_never_publishes_an_empty_question(
    session: Session, editor: User
) -> None:
    empty = make_question(session, "Empty?", answers=[])
    damaged = make_question(session, "Damaged?")
    make_warning(session, damaged)
    result = publish(session, [empty, damaged], by=editor, at=AT, force=True)
    session.commit()
    assert result.published == [damaged]
    assert [each.slug for each in result.refused] == ["empty"]
    warning = session.scalars(select(ImportWarning)).one()
    assert warning.acknowledged_by == editor


def test_a_contributor_cannot_publish(session: Session, contributor: User) -> None:
    question = make_question(session)
    with pytest.raises(NotAllowed, match="Only an editor may publish"):
        publish(session, [question], by=contributor, at=AT)


def test_a_changed_address_leaves_a_redirect_once_it_is_public(session: Session) -> None:
    question = make_published(session, "What is a view?")
    changed = replace(content_of(question), slug="views")
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    assert session.scalars(select(SlugRedirect)).all() == []
    publish(session, [question], by=None, at=LATER)
    redirect = session.scalars(select(SlugRedirect)).one()
    assert (redirect.slug, redirect.uid) == ("what-is-a-view", question.uid)


def test_an_address_that_comes_back_is_no_redirect_to_itself(session: Session) -> None:
    question = make_published(session, "What is a view?")
    for number, slug in enumerate(("views", "what-is-a-view"), 1):
        changed = replace(content_of(question), slug=slug)
        save(session, question, changed, seen_version=number, by=None, at=LATER)
        publish(session, [question], by=None, at=LATER)
        session.commit()
    assert [r.slug for r in session.scalars(select(SlugRedirect))] == ["views"]


def test_retiring_takes_a_question_off_the_shelf_and_leaves_a_tombstone(session: Session) -> None:
    question = make_published(session, tags=["flask/views"])
    release = retire(session, [question], by=None, at=LATER, reason="Out of date.")
    session.commit()
    assert (release, question.status) == (2, Status.retired)
    assert publication_of(session, question) is None
    assert session.scalars(select(PublishedTag)).all() == []
    tombstone = session.scalars(select(Withdrawal)).one()
    assert (tombstone.slug, tombstone.release, tombstone.reason) == (
        "what-is-a-view",
        2,
        "Out of date.",
    )


def test_an_unretired_question_is_a_draft_and_its_tombstone_goes_when_it_is_published(
    session: Session,
) -> None:
    question = make_published(session)
    retire(session, [question], by=None, at=LATER)
    unretire(session, question, by=None, at=LATER)
    session.commit()
    assert question.status == Status.draft
    assert session.scalar(select(func.count()).select_from(Withdrawal)) == 1
    publish(session, [question], by=None, at=LATER)
    session.commit()
    assert session.scalar(select(func.count()).select_from(Withdrawal)) == 0
    assert publication_of(session, question) is not None


def test_a_draft_can_be_neither_retired_nor_unretired(session: Session) -> None:
    draft = make_question(session)
    with pytest.raises(WrongState, match="not published"):
        retire(session, [draft], by=None, at=AT)
    with pytest.raises(WrongState, match="not retired"):
        unretire(session, draft, by=None, at=AT)


def test_a_tag_counts_the_questions_below_it(session: Session) -> None:
    make_published(session, "One?", tags=["flask/routing"])
    make_published(session, "Two?", tags=["flask/routing", "flask/views"])
    make_published(session, "Three?", tags=["http"])
    counts = dict(session.execute(select(PublishedTag.slug, PublishedTag.questions)).all())
    assert counts == {"flask": 2, "flask/routing": 2, "flask/views": 1, "http": 1}


def test_the_document_names_everything_that_the_json_contract_names(session: Session) -> None:
    question = make_published(session, tags=["flask"])
    shown = publication_of(session, question)
    assert shown is not None
    document = json.loads(shown.document)
    assert list(document) == [
        *("uid", "slug", "stem", "context", "difficulty", "tags", "answers", "options"),
        *("corrections", "provenance", "revision", "content_hash", "release", "published_at"),
        "updated_at",
    ]
    assert document["published_at"] == "2026-11-22T10:00:00Z"


def test_concurrent_publishers_get_numbers_in_order_and_lose_nothing(app: Flask) -> None:
    with app.app_context(), Session(db.engine) as session:
        ids = [make_question(session, f"Question {n}?").id for n in range(12)]
    failures: list[BaseException] = []

    def run(mine: list[int]) -> None:
        try:
            for question_id in mine:
                with app.app_context(), Session(db.engine) as session:
                    question = session.get_one(Question, question_id)
                    publish(session, [question], by=None, at=AT)
                    session.commit()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(ids[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with app.app_context(), Session(db.engine) as session:
        assert list(session.scalars(select(Release.number).order_by(Release.number))) == list(
            range(1, 13)
        )
        releases = session.scalars(select(Publication.release)).all()
        assert sorted(releases) == list(range(1, 13))
