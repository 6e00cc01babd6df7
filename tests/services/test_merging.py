"""Merging duplicates: one question answers for both, and nothing that readers cite is lost."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed, NotFound, WrongState
from cms.formats import FORMATS
from cms.formats.item import DeckItem
from cms.models import (
    AuditEvent,
    Change,
    Correction,
    DeckMember,
    PublishedCorrection,
    PublishedDeckMember,
    Question,
    Revision,
    User,
)
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.decks import save_deck
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.merging import foresee, merge, offer
from cms.services.publishing import publish, retire, unretire
from cms.services.questions import delete_draft, save
from cms.services.reading import Moved, find_question
from cms.vocabulary import ChangeKind, CorrectionKind, Origin
from tests.factories import AT, make_published, make_question, publication_of

LATER = AT + timedelta(hours=1)


def do(session: Session, duplicate: Question, into: Question, by: User | None = None) -> int | None:
    seen = (duplicate.latest_number, into.latest_number)
    release = merge(session, duplicate, into, seen=seen, by=by, at=LATER)
    session.commit()
    return release


def correct(session: Session, question: Question, claim: str, *, right: bool) -> Correction:
    correction = open_correction(
        session,
        question,
        kind=CorrectionKind.factual,
        claim=claim,
        answer_uid=question.answers[0].uid,
        by=None,
        at=AT,
    )
    if right:
        accept(session, correction, by=None, at=AT)
    session.commit()
    return correction


def exported(session: Session, since: int | None = None) -> dict[str, Any]:
    stream = export_shelf(session, FORMATS["json"], Selection(since=since), Head("Test"))
    document: dict[str, Any] = json.loads(b"".join(stream.chunks))
    return document


def test_the_survivor_answers_for_what_was_public_in_one_release(
    session: Session, editor: User
) -> None:
    duplicate = make_published(session, "What are views?", tags=["flask/views", "old"])
    survivor = make_published(session, "What is a view?", tags=["flask/views"])
    public = correct(session, duplicate, "Views are classes.", right=True)
    waiting = correct(session, duplicate, "Views are slow.", right=False)
    number = public.number
    deck = save_deck(
        session,
        None,
        DeckItem(slug="first", title="First", questions=[duplicate.uid]),
        by=None,
        at=AT,
    )
    session.commit()
    release = do(session, duplicate, survivor, editor)
    # The public side: a tombstone that leads on, and the survivor with tags and erratum.
    assert isinstance(moved := find_question(session, "what-are-views"), Moved)
    assert moved.slug == "what-is-a-view"
    shown = publication_of(session, survivor)
    assert shown is not None
    assert (shown.tags, shown.revision, shown.release) == (["flask/views", "old"], 2, release)
    document = exported(session, release - 1)  # type: ignore[operator]
    assert document["withdrawn"] == [
        {"uid": duplicate.uid, "release": release, "merged_into": survivor.uid}
    ]
    [kept] = document["questions"][0]["corrections"]
    assert (kept["number"], kept["claim"], kept["answer"]) == (number, "Views are classes.", None)
    assert session.scalars(select(PublishedCorrection.question_uid)).all() == [survivor.uid]
    # The deck names the survivor on the shelf, in the duplicate's place.
    [member] = session.scalars(select(PublishedDeckMember))
    assert (member.publication_id, member.position, deck.version) == (shown.id, 0, 1)
    # The desk: both corrections are the survivor's, without what would be untrue of it.
    for correction, fixed_in in ((public, 2), (waiting, None)):
        assert (correction.question, correction.fixed_in) == (survivor, fixed_in)
        assert (correction.answer_uid, correction.seen_in) == (None, None)
    event = session.scalars(
        select(AuditEvent).filter_by(object=f"correction:{public.uid}", action="correction.move")
    ).one()
    assert event.data["before"]["seen_in"] == 1
    revision = session.scalars(select(Revision).filter_by(question_id=survivor.id, number=2)).one()
    assert (revision.origin, revision.author) == (Origin.merge, editor)
    assert revision.summary == f"Merged question {duplicate.id} into this one"
    assert (duplicate.merged_into, duplicate.published_number) == (survivor, None)
    with pytest.raises(WrongState, match="was merged into another one"):
        unretire(session, duplicate, by=editor, at=LATER)


def test_the_tags_wait_where_the_survivor_has_unpublished_changes(session: Session) -> None:
    duplicate = make_published(session, "What are views?", tags=["old"])
    survivor = make_published(session)
    correct(session, duplicate, "Wrong.", right=True)
    changed = replace(content_of(survivor), stem="Unfinished")
    save(session, survivor, changed, seen_version=1, by=None, at=AT)
    assert foresee(session, duplicate, survivor, by=None).live is False
    do(session, duplicate, survivor)
    shown = publication_of(session, survivor)
    assert shown is not None
    assert (shown.stem, shown.revision, shown.tags) == ("What is a view?", 1, [])
    assert (survivor.published_number, survivor.latest_number) == (1, 3)
    assert [tag.slug for tag in survivor.tags] == ["old"]
    # The erratum is public with the text that readers have.
    assert json.loads(shown.document)["corrections"][0]["fixed_in"] == 1


def test_what_was_never_public_is_only_marked_and_replaced_in_decks(session: Session) -> None:
    draft, survivor = make_question(session, "Draft?"), make_published(session)
    item = DeckItem(slug="first", title="First", questions=[draft.uid, survivor.uid])
    save_deck(session, None, item, by=None, at=AT)
    session.commit()
    release = do(session, draft, survivor)
    assert release is not None
    with pytest.raises(NotFound):
        find_question(session, "draft")
    assert session.scalars(select(DeckMember.question_uid)).all() == [survivor.uid]
    assert session.scalars(select(Change.uid).filter_by(uid=draft.uid)).all() == []
    bare = make_question(session, "Bare?")
    assert do(session, bare, survivor) is None
    assert bare.merged_into == survivor


def test_public_errata_stay_public_until_an_unpublished_survivor_takes_them_over(
    session: Session,
) -> None:
    duplicate, survivor = make_published(session, "What are views?"), make_question(session)
    number = correct(session, duplicate, "Wrong.", right=True).number
    do(session, duplicate, survivor)
    errata = select(PublishedCorrection.number, PublishedCorrection.question_uid)
    assert session.execute(errata).all() == [(number, duplicate.uid)]
    with pytest.raises(WrongState, match="Another question was merged into this one"):
        delete_draft(session, survivor, by=None, at=LATER)
    publish(session, [survivor], by=None, at=LATER)
    session.commit()
    assert session.execute(errata).all() == [(number, survivor.uid)]
    assert isinstance(find_question(session, "what-are-views"), Moved)


def test_a_retired_question_is_merged_later_and_its_tombstone_leads_on(session: Session) -> None:
    duplicate, survivor = make_published(session, "What are views?"), make_published(session)
    item = DeckItem(slug="first", title="First", questions=[duplicate.uid])
    save_deck(session, None, item, by=None, at=AT)
    retire(session, [duplicate], by=None, at=AT, reason="Twice.")
    session.commit()
    release = do(session, duplicate, survivor)
    assert isinstance(find_question(session, "what-are-views"), Moved)
    kinds = session.scalars(select(Change.what).filter_by(uid=duplicate.uid).order_by(Change.id))
    assert kinds.all()[-1] == ChangeKind.merged
    document = exported(session, release - 1)  # type: ignore[operator]
    assert document["withdrawn"][0]["merged_into"] == survivor.uid
    [member] = session.scalars(select(PublishedDeckMember))
    assert member.publication_id == publication_of(session, survivor).id  # type: ignore[union-attr]


def test_what_cannot_be_merged_is_refused_with_words(
    session: Session, editor: User, contributor: User
) -> None:
    one, other = make_question(session, "One?"), make_question(session, "Other?")
    gone, merged = make_published(session, "Gone?"), make_question(session, "Merged?")
    retire(session, [gone], by=None, at=AT)
    do(session, merged, other)
    for duplicate, into, problem in (
        (one, one, "cannot be merged into itself"),
        (one, gone, "‘Gone\\?’ is retired"),
        (one, merged, "‘Merged\\?’ was merged itself"),
        (merged, one, "was merged into another one already"),
    ):
        with pytest.raises(WrongState, match=problem):
            do(session, duplicate, into, editor)
        session.rollback()
    with pytest.raises(WrongState, match="Somebody changed one of the two"):
        merge(session, one, other, seen=(1, 7), by=editor, at=AT)
    session.rollback()
    with pytest.raises(NotAllowed, match="Only an editor may merge questions"):
        do(session, one, other, contributor)


def test_survivors_are_found_by_number_address_uid_and_words(session: Session) -> None:
    duplicate, twin = make_question(session, "What is a view?"), make_question(session)
    other = make_published(session, "How does routing work?")
    retired = make_published(session, "Is routing retired?")
    retire(session, [retired], by=None, at=AT)
    session.commit()
    assert offer(session, duplicate, "") == [twin]
    for typed in (
        str(other.id),
        f"#{other.id}",
        other.uid,
        "https://bank.example.org/questions/how-does-routing-work",
        "routing",
    ):
        assert offer(session, duplicate, typed) == [other], typed
    assert offer(session, duplicate, "9" * 400) == offer(session, duplicate, "'\"*(") == []
