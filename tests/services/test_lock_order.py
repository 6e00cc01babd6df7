"""Two who change the same at once wait for each other in one order, and both get through."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound, WrongState
from cms.formats.item import DeckFilter, DeckItem
from cms.models import Comment, Correction, Deck, Question, Tag, User, new_uid
from cms.services import autosaves, comments, duplicates, intake, presence
from cms.services.corrections import open_correction
from cms.services.deciding import mark_duplicate, reject
from cms.services.decks import delete_deck, save_deck
from cms.services.merging import merge
from cms.services.operations import bulk
from cms.services.publishing import retire
from cms.services.purging import purge
from cms.services.questions import create, lock, lock_all, save, submit
from cms.services.tagmerging import merge_tag
from cms.services.tags import resolve, save_tag
from cms.services.throttles import Limit, count
from cms.vocabulary import CorrectionKind, CorrectionStatus
from tests.factories import AT, content, make_published, make_question


def beside(
    session: Session,
    first: Callable[[], object],
    other: Callable[[Session], object],
    then: Callable[[], object],
) -> None:
    """Begin with `first`, let somebody else do `other` meanwhile, and go on with `then`."""
    session.commit()
    engine = session.get_bind()
    assert isinstance(engine, Engine)

    def work() -> None:
        with Session(engine) as inner:
            other(inner)
            inner.commit()

    with ThreadPoolExecutor(1) as pool:
        first()
        working = pool.submit(work)
        # Long enough for it to take every lock that it does not wait for.
        wait([working], timeout=0.5)
        then()
        session.commit()
        working.result()
    session.expire_all()


def test_two_bulk_operations_on_one_question_follow_each_other(session: Session) -> None:
    id = make_question(session).id
    begun: list[bulk.BulkOperation] = []

    def begin(session: Session, tag: str) -> bulk.BulkOperation:
        return bulk.begin(session, "add_tag", [id], {"tag": tag}, by=None, at=AT)

    beside(
        session,
        lambda: begun.append(begin(session, "mine")),
        lambda other: bulk.perform(other, begin(other, "theirs"), at=AT),
        lambda: bulk.perform(session, begun[0], at=AT),
    )
    tags = session.get_one(Question, id).tags
    assert sorted(tag.slug for tag in tags) == ["mine", "theirs"]


@pytest.mark.parametrize("tag", ["public", "unused"])
def test_a_deck_and_a_tag_that_it_names_are_changed_one_after_the_other(
    session: Session, tag: str
) -> None:
    make_published(session, tags=["public"])
    make_question(session, "Draft?", tags=["unused"])
    item = DeckItem(slug="first", title="First", filter=DeckFilter(all=[tag]))
    deck = save_deck(session, None, item, by=None, at=AT)
    item.title = "Ours"

    def rename(other: Session) -> None:
        held = other.scalars(select(Tag).where(Tag.slug == tag)).one()
        save_tag(other, held, slug="renamed", name="Renamed", description="", by=None, at=AT)

    beside(
        session,
        lambda: session.refresh(deck, with_for_update=True),
        rename,
        lambda: save_deck(session, deck, item, seen_version=1, by=None, at=AT),
    )
    [kept] = session.scalars(select(Deck))
    assert (kept.title, kept.filter["all"]) == ("Ours", ["renamed"])


def test_a_tag_that_somebody_gives_to_questions_is_not_merged_away_under_them(
    session: Session,
) -> None:
    old = make_question(session, "Old?", tags=["views"])
    make_published(session, "B?", tags=["http"])
    id = old.id

    def merge_it(other: Session) -> None:
        tags = {tag.slug: tag for tag in other.scalars(select(Tag))}
        merge_tag(other, tags["views"], tags["http"], by=None, at=AT)

    def refused(other: Session) -> None:
        if other.get_bind().dialect.name == "sqlite":
            merge_it(other)
            return
        with pytest.raises(WrongState, match="at this moment"):
            merge_it(other)
        other.rollback()

    def give() -> None:
        uids = [tag.uid for tag in resolve(session, ["views"], by=None, at=AT).values()]
        create(session, content("New?", tags=uids), by=None, at=AT)

    beside(session, give, refused, lambda: None)
    if session.get_bind().dialect.name == "postgresql":
        merge_it(session)
        session.commit()
    slugs = {
        each.stem: [tag.slug for tag in each.tags] for each in session.scalars(select(Question))
    }
    assert slugs == {"Old?": ["http"], "B?": ["http"], "New?": ["http"]}
    # Who waits for a question while its tag is merged finds the survivor.
    beside(
        session,
        lambda: lock(session, session.get_one(Question, id)),
        lambda other: merge_tag(
            other,
            *other.scalars(select(Tag).where(Tag.slug == "http")),
            resolve(other, ["last"], by=None, at=AT)["last"],
            by=None,
            at=AT,
        ),
        lambda: submit(session, session.get_one(Question, id), by=None, at=AT),
    )
    assert [tag.slug for tag in session.get_one(Question, id).tags] == ["last"]


def test_two_who_merge_the_same_questions_both_ways_do_not_wait_for_each_other(
    session: Session,
) -> None:
    first, second = make_published(session), make_published(session, "What are views?")
    ids = first.id, second.id

    def turned(other: Session) -> None:
        duplicate, into = (other.get_one(Question, id) for id in ids)
        with pytest.raises(WrongState, match="was merged itself"):
            merge(other, duplicate, into, seen=(1, 1), by=None, at=AT)

    beside(
        session,
        lambda: lock_all(session, ids),
        turned,
        lambda: merge(session, second, first, seen=(1, 1), by=None, at=AT),
    )
    assert session.get_one(Question, ids[1]).merged_into_id == ids[0]


def test_who_steps_on_what_was_deleted_meanwhile_is_told_so(session: Session) -> None:
    question = make_question(session)
    deck = save_deck(session, None, DeckItem(slug="", title="First"), by=None, at=AT)
    ids = question.id, deck.id
    session.commit()
    with Session(session.get_bind(), expire_on_commit=False) as other:
        held = other.get_one(Question, ids[0]), other.get_one(Deck, ids[1])
        # Without an open transaction, as a request has it before its first write.
        other.commit()
        session.delete(question)
        session.delete(deck)
        session.commit()
        for step, thing in (
            (lambda: retire(other, [held[0]], by=None, at=AT), "one of these questions"),
            (lambda: submit(other, held[0], by=None, at=AT), "this question"),
            (lambda: delete_deck(other, held[1], seen_version=1, by=None, at=AT), "this deck"),
        ):
            with pytest.raises(NotFound, match=f"Somebody deleted {thing} meanwhile"):
                step()
            other.commit()


def test_two_corrections_that_are_made_duplicates_of_each_other_at_once(session: Session) -> None:
    first, second = (
        open_correction(
            session,
            make_question(session, stem),
            kind=CorrectionKind.factual,
            claim="No.",
            by=None,
            at=AT,
        )
        for stem in ("First?", "Second?")
    )
    ids = second.id, first.id
    session.commit()

    def other_way_round(other: Session) -> None:
        mine, theirs = (other.get_one(Correction, id) for id in ids)
        with pytest.raises(InvalidInput, match="duplicate of this one"):
            mark_duplicate(other, mine, theirs, by=None, at=AT)

    beside(
        session,
        lambda: mark_duplicate(session, first, second, by=None, at=AT),
        other_way_round,
        lambda: None,
    )
    assert (first.status, second.status) == (CorrectionStatus.duplicate, CorrectionStatus.open)


def test_text_is_kept_and_presence_noted_while_the_same_person_saves(
    session: Session, editor: User
) -> None:
    question, form_id = make_question(session), new_uid()
    ids = question.id, editor.id
    fields = [("stem", "Typed?")]

    def keep(other: Session) -> None:
        held, user = other.get_one(Question, ids[0]), other.get_one(User, ids[1])
        autosaves.keep(other, user, held, form_id=form_id, version=1, fields=fields, at=AT)
        presence.note(other, user, held, typed=True, at=AT)

    def saved() -> None:
        save(session, question, content("Saved?", tags=[]), seen_version=1, by=editor, at=AT)
        autosaves.drop(session, editor, form_id)

    keep(session)
    beside(session, lambda: lock(session, question), keep, saved)
    assert question.latest_number == 2


def test_a_purge_and_a_bulk_operation_on_what_was_merged_into_it_follow_each_other(
    session: Session, admin: User
) -> None:
    duplicate, into = make_published(session), make_published(session, "What are views?")
    third = make_question(session, "Third?")
    merge(session, duplicate, into, seen=(1, 1), by=None, at=AT)
    ids = [duplicate.id, third.id]

    def gone(other: Session) -> None:
        held = other.get_one(Question, into_id)
        purge(other, held, reason="Law.", by=other.get_one(User, admin_id), at=AT)

    into_id, admin_id = into.id, admin.id
    operation = bulk.begin(session, "publish", ids, {}, by=None, at=AT)
    beside(
        session,
        lambda: lock_all(session, ids),
        gone,
        lambda: bulk.perform(session, operation, at=AT),
    )
    assert session.get(Question, into_id) is None
    assert session.get_one(Question, ids[1]).published_number == 1


def test_two_workers_that_sketch_at_once_miss_no_pair(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_AT_ONCE", 1)
    pair = make_question(session).id, make_question(session, "What are views?").id

    def find(session: Session) -> None:
        duplicates.find_some(session, at=AT)

    beside(session, lambda: find(session), find, lambda: None)
    find(session)
    [found] = session.scalars(duplicates.pairs())
    assert (found.first_id, found.second_id) == pair


def test_who_decides_on_what_was_deleted_meanwhile_is_told_so(session: Session) -> None:
    question = make_question(session)
    correction = open_correction(
        session, question, kind=CorrectionKind.factual, claim="No.", by=None, at=AT
    )
    key = correction.id
    session.commit()
    with Session(session.get_bind(), expire_on_commit=False) as other:
        held = other.get_one(Correction, key)
        other.commit()
        session.delete(question)
        session.commit()
        with pytest.raises(NotFound, match="Somebody deleted this"):
            reject(other, held, reason="No.", by=None, at=AT)


def test_a_comment_that_is_sent_twice_at_once_is_said_once(session: Session, editor: User) -> None:
    question = make_question(session)
    ids = question.id, editor.id

    def again(other: Session) -> None:
        held, by = other.get_one(Question, ids[0]), other.get_one(User, ids[1])
        comments.post(other, held, "So?", by=by, at=AT)

    beside(
        session,
        lambda: comments.post(session, question, "So?", by=editor, at=AT),
        again,
        lambda: None,
    )
    assert session.scalars(select(Comment.body)).all() == ["So?"]


def test_two_who_reply_at_once_in_a_resolved_thread_are_both_heard(
    session: Session, editor: User
) -> None:
    question = make_question(session)
    thread = comments.post(session, question, "So?", by=editor, at=AT)
    comments.resolve(session, thread, by=editor, at=AT)
    ids = question.id, thread.id

    def reply(other: Session) -> None:
        held, first = other.get_one(Question, ids[0]), other.get_one(Comment, ids[1])
        comments.post(other, held, "Theirs.", thread=first, by=None, at=AT)

    beside(
        session,
        lambda: comments.post(session, question, "Mine.", thread=thread, by=editor, at=AT),
        reply,
        lambda: None,
    )
    assert session.scalars(select(Comment.body)).all() == ["So?", "Mine.", "Theirs."]


def test_a_report_that_waits_for_its_question_keeps_nobody_from_logging_in(
    session: Session,
) -> None:
    question = make_published(session)
    id = question.id
    filed = dict.fromkeys(("part", "answer_uid", "proposed", "uid"))
    filed |= {"kind": CorrectionKind.factual, "claim": "No.", "explanation": "", "credit": ""}
    filed |= {"sources": [], "seen_in": 1}

    def report(other: Session) -> None:
        intake.report(other, other.get_one(Question, id), "192.0.2.1", filed, at=AT)

    limit = Limit("login", 10, timedelta(minutes=5))
    beside(
        session,
        lambda: lock(session, question),
        report,
        lambda: count(session, [(limit, limit.subject("ada"))], refusal="No.", at=AT),
    )
    assert session.scalars(select(Correction.claim)).all() == ["No."]


def test_a_correction_that_is_sent_twice_at_once_is_filed_once(session: Session) -> None:
    question = make_question(session)
    id, uid = question.id, new_uid()

    def send(session: Session) -> None:
        held = session.get_one(Question, id)
        kind = CorrectionKind.factual
        open_correction(session, held, kind=kind, claim="No.", uid=uid, by=None, at=AT)

    beside(session, lambda: send(session), send, lambda: None)
    assert session.scalars(select(Correction.uid)).all() == [uid]
