"""Undo: all of an operation or none of it, by appending, in one release."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed, WrongState
from cms.formats import FORMATS
from cms.models import (
    AuditEvent,
    BulkOperation,
    ImportBatch,
    ImportRow,
    ImportWarning,
    Question,
    Tag,
    User,
    Withdrawal,
)
from cms.services import jobs
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.history import history
from cms.services.merging import merge
from cms.services.operations import bulk
from cms.services.operations.states import state_of
from cms.services.operations.undoing import bulk_job, undo_bulk
from cms.services.publishing import publish, retire, unretire
from cms.services.questions import create, submit
from cms.services.releases import release_number
from cms.services.scheduling import schedule
from cms.services.tags import delete_tag
from cms.vocabulary import CorrectionKind, JobState, Origin, RowAction, Stage
from tests.factories import (
    AT,
    CHOICES,
    content,
    make_published,
    make_question,
    make_warning,
    publication_of,
)
from tests.services.operations.test_bulk import bank, do, edit, fates, tags_of

__all__ = ["bank"]
LATER = AT + timedelta(hours=2)


def undo(session: Session, operation: BulkOperation, by: User | None = None) -> int | None:
    release = undo_bulk(session, operation, by=by, at=LATER)
    session.commit()
    return release


def shelf(session: Session, since: int | None = None) -> dict[str, Any]:
    """What readers can carry away, question by question, and the tombstones."""
    stream = export_shelf(session, FORMATS["json"], Selection(since=since), Head("Test"))
    document = json.loads(b"".join(stream.chunks))
    return {
        "questions": {question["uid"]: question for question in document["questions"]},
        "withdrawn": {gone["uid"] for gone in document.get("withdrawn", [])},
    }


TIMES = ("revision", "content_hash", "release", "published_at", "updated_at")


def public(session: Session) -> dict[str, Any]:
    """The public documents, apart from what tells when and in which release."""
    return {
        uid: {name: value for name, value in question.items() if name not in TIMES}
        for uid, question in shelf(session)["questions"].items()
    }


# --- each verb, there and back ---------------------------------------------------------

VERBS = {
    "publish": {},
    "publish_at": {"when": "2027-01-31T09:00"},
    "unschedule": {},
    "submit": {},
    "return": {},
    "retire": {},
    "unretire": {},
    "acknowledge": {},
    "delete": {},
    "add_tag": {"tag": "new"},
    "remove_tag": {"tag": "flask"},
    "replace_tag": {"tag": "http", "other": "flask"},
    "difficulty": {"difficulty": "medium"},
    "review_by": {"review_by": "2027-01-31"},
    "assign": {"assignee": "Edith"},
    "reviewer": {"reviewer": "Edith"},
    "due_on": {"due_on": "2027-01-31"},
}


def working(session: Session) -> dict[str, tuple[Any, Any, list[str]]]:
    """Each question's text, state and open warnings; numbers of revisions aside."""
    found = {}
    for question in session.scalars(select(Question)):
        state = msgspec.structs.replace(state_of(question), latest_number=0)
        waiting = question.published_number not in {None, question.latest_number}
        if state.published_number is not None:
            state = msgspec.structs.replace(state, published_number=0)
        warnings = session.scalars(
            select(ImportWarning.passage)
            .where(
                ImportWarning.question_id == question.id, ImportWarning.acknowledged_at.is_(None)
            )
            .order_by(ImportWarning.passage)
        ).all()
        found[question.uid] = (content_of(question), (state, waiting), list(warnings))
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_taken_back(
    session: Session, bank: dict[str, Question], editor: User, verb: str
) -> None:
    submit(session, bank["warned"], by=None, at=AT)
    schedule(session, bank["draft"], number=1, when=LATER + timedelta(days=1), by=None, at=AT)
    session.commit()
    before, shown, number = working(session), public(session), release_number(session)
    operation = do(session, verb, list(bank.values()), by=editor, **VERBS[verb])
    assert (working(session), public(session)) != (before, shown), "the operation did something"
    changed = public(session) != shown
    release = undo(session, operation, editor)
    after = working(session)
    if verb == "publish":
        # What was public once is a draft again, not one that was never public.
        assert session.scalars(select(Withdrawal.uid)).all()
    assert after == before
    assert public(session) == shown
    assert (release is not None) == changed
    assert release_number(session) == number + (2 if changed else 0)
    assert operation.undone_by_id == editor.id
    assert session.scalars(select(AuditEvent).filter_by(action="bulk.undo")).one()


def test_every_verb_has_its_way_back_tested() -> None:
    assert set(VERBS) == set(bulk.VERBS)


def test_an_undo_appends_and_is_not_undone_again(session: Session, editor: User) -> None:
    question = make_published(session, tags=["flask"])
    operation = do(session, "add_tag", [question], tag="new")
    assert undo(session, operation, editor) == 3
    assert [(each.number, each.origin) for each in history(session, question)] == [
        (3, Origin.undo),
        (2, Origin.bulk),
        (1, Origin.edit),
    ]
    assert history(session, question)[0].summary == "Undone: Added the tag new"
    assert question.published_number == 3
    assert tags_of(question) == ["flask"]
    with pytest.raises(WrongState, match="This was undone already"):
        undo(session, operation)


def test_undoing_a_publishing_puts_the_earlier_text_back(
    session: Session, bank: dict[str, Question]
) -> None:
    operation = do(session, "publish", [bank["changed"], bank["draft"]])
    undo(session, operation)
    row = publication_of(session, bank["changed"])
    assert row is not None
    assert (row.revision, json.loads(row.document)["context"]) == (1, "")
    assert (bank["changed"].published_number, bank["changed"].latest_number) == (1, 2)
    draft = bank["draft"]
    assert publication_of(session, draft) is None
    assert (draft.published_number, draft.retired_at, draft.stage) == (None, None, Stage.draft)
    assert session.get_one(Withdrawal, draft.uid).release == operation.release + 1  # type: ignore[operator]


def test_a_tombstone_that_publishing_took_away_keeps_its_reason(session: Session) -> None:
    question = make_published(session)
    retire(session, [question], by=None, at=AT, reason="It is out of date.")
    unretire(session, question, by=None, at=AT)
    session.commit()
    undo(session, do(session, "publish", [question]))
    assert session.get_one(Withdrawal, question.uid).reason == "It is out of date."


def test_undoing_a_retirement_brings_the_same_revision_back(
    session: Session, bank: dict[str, Question]
) -> None:
    operation = do(session, "retire", [bank["live"], bank["changed"]])
    undo(session, operation)
    assert [bank[name].published_number for name in ("live", "changed")] == [1, 1]
    assert bank["changed"].latest_number == 2
    assert session.scalars(select(Withdrawal.uid)).all() == [bank["retired"].uid]


def told(session: Session, question: Question) -> list[tuple[Any, ...]]:
    return [(each.number, each.content, each.created_at) for each in history(session, question)]


def test_a_deleted_draft_comes_back_with_all_that_belonged_to_it(session: Session) -> None:
    question = make_question(session, tags=["flask"], difficulty="hard", options=CHOICES)
    edit(session, question)
    make_warning(session, question)
    found = open_correction(
        session,
        question,
        kind=CorrectionKind.factual,
        claim="Wrong.",
        sources=content().answers[0].sources,
        by=None,
        at=AT,
    )
    accept(session, found, by=None, at=AT)
    batch = ImportBatch(file_name="a.json", sha256="0" * 64, format="json", at=AT)
    batch.rows = [ImportRow(place="line 1", action=RowAction.create, question=question)]
    session.add(batch)
    session.commit()
    text, key = content_of(question), question.id
    revisions = [
        (each.number, each.content, each.created_at) for each in history(session, question)
    ]

    operation = do(session, "delete", [question])
    assert session.scalars(select(Question)).all() == []
    assert operation.rows[0].question_id is None
    undo(session, operation)

    back = session.scalars(select(Question)).one()
    assert (back.id, content_of(back)) == (key, text)
    assert told(session, back) == revisions
    again = session.get_one(type(found), found.id)
    assert (again.claim, again.fixed_in, len(again.sources)) == ("Wrong.", 2, 1)
    assert session.scalars(select(ImportWarning)).one().question_id == key
    assert (batch.rows[0].question_id, operation.rows[0].question_id) == (key, key)
    # New rows get ids of their own.
    assert make_question(session, "Another?").id > key


# --- refusals -------------------------------------------------------------------------


def touch_text(session: Session, question: Question) -> None:
    edit(session, question, "Changed again.")


def touch_stage(session: Session, question: Question) -> None:
    submit(session, question, by=None, at=AT)


def touch_care(session: Session, question: Question) -> None:
    do(session, "review_by", [question], review_by="2028-01-01")


def touch_shelf(session: Session, question: Question) -> None:
    publish(session, [question], by=None, at=AT)


def remove(session: Session, question: Question) -> None:
    session.delete(question)


@pytest.mark.parametrize("touch", [touch_text, touch_stage, touch_care, touch_shelf, remove])
def test_nothing_is_undone_where_one_question_was_changed_since(
    session: Session, touch: Callable[[Session, Question], None]
) -> None:
    questions = [make_question(session, f"Number {n}?") for n in range(3)]
    operation = do(session, "add_tag", questions, tag="new")
    touch(session, questions[1])
    session.commit()
    with pytest.raises(WrongState) as refusal:
        undo(session, operation)
    session.rollback()
    assert str(refusal.value) == (
        "‘Number 1?’ was changed since, and undoing would lose that. Nothing was undone."
    )
    assert tags_of(questions[0]) == tags_of(questions[2]) == ["new"]
    assert operation.undone_at is None


def test_a_refusal_names_the_first_and_counts_the_others(session: Session) -> None:
    questions = [make_question(session, f"Number {n}?") for n in range(6)]
    operation = do(session, "submit", questions)
    do(session, "return", questions[1:])
    with pytest.raises(WrongState, match=r"‘Number 1[?]’, ‘Number 2[?]’, ‘Number 3[?]’ and 2 more"):
        undo(session, operation)


def test_an_operation_that_left_no_trace_is_not_undone(session: Session) -> None:
    question = make_question(session)
    operation = do(session, "retire", [question])
    with pytest.raises(WrongState, match="This changed nothing"):
        undo(session, operation)
    begun = bulk.begin(session, "submit", [question.id], {}, by=None, at=AT)
    with pytest.raises(WrongState, match="This is not done yet"):
        undo(session, begun)


def test_only_who_may_do_a_thing_may_undo_it(session: Session, contributor: User) -> None:
    operation = do(session, "publish", [make_question(session)])
    with pytest.raises(NotAllowed, match="Only an editor may do this: publish"):
        undo(session, operation, contributor)


def test_a_tag_that_was_deleted_since_cannot_come_back(session: Session) -> None:
    question = make_question(session, tags=["flask"])
    operation = do(session, "remove_tag", [question], tag="flask")
    delete_tag(session, session.scalars(select(Tag)).one(), by=None, at=AT)
    session.commit()
    with pytest.raises(WrongState, match="A tag that these questions had was deleted since"):
        undo(session, operation)


def take_address(session: Session, question: Question, slug: str) -> None:
    make_question(session, "Another?", slug=slug)


def take_tag(session: Session, question: Question, slug: str) -> None:
    delete_tag(session, session.scalars(select(Tag)).one(), by=None, at=AT)


def take_answer(session: Session, question: Question, slug: str) -> None:
    text = content("Another?", slug="another")
    text.answers[0].uid = ANSWER
    create(session, text, by=None, at=AT)


ANSWER = "00000000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("take", "problem"),
    [
        (take_address, "‘What is a view.’ cannot be put back: another question has its address"),
        (take_tag, "A tag of these questions was deleted since"),
        (take_answer, "Something that belonged to these questions is in the bank again"),
    ],
)
def test_a_deleted_draft_whose_place_was_taken_stays_deleted(
    session: Session, take: Callable[[Session, Question, str], None], problem: str
) -> None:
    answers = content().answers
    answers[0].uid = ANSWER
    question = make_question(session, tags=["flask"], slug="view", answers=answers)
    operation = do(session, "delete", [question])
    take(session, question, "view")
    session.commit()
    with pytest.raises(WrongState, match=problem):
        undo(session, operation)
    session.rollback()
    assert operation.undone_at is None


# --- as a job --------------------------------------------------------------------------


def test_a_job_does_an_operation_and_another_undoes_it(session: Session, editor: User) -> None:
    question = make_question(session)
    operation = bulk.begin(session, "add_tag", [question.id], {"tag": "new"}, by=editor, at=AT)
    engine = session.get_bind()

    def work(**payload: Any) -> JobState:
        job = jobs.enqueue(
            session, "bulk", {"operation": operation.id, **payload}, by=editor, at=AT
        )
        key = job.id
        session.commit()
        assert jobs.work_one(engine, {"bulk": bulk_job})  # type: ignore[arg-type]
        state = session.get_one(type(job), key).state
        session.rollback()
        return state

    assert work() == JobState.done
    assert fates(operation) == [("What is a view?", "update", "")]
    assert tags_of(question) == ["new"]
    session.rollback()
    assert work(undo=True) == JobState.done
    assert tags_of(question) == []
    assert operation.undone_by_id == editor.id
    session.rollback()
    assert work(undo=True) == JobState.failed


def test_a_merged_draft_comes_back_only_beside_the_question_that_answers_for_it(
    session: Session,
) -> None:
    drafts = make_question(session, "Twice?"), make_question(session, "Once?")
    merge(session, *drafts, seen=(1, 1), by=None, at=AT)
    operations = []
    for id in [draft.id for draft in drafts]:
        operations.append(bulk.begin(session, "delete", [id], {}, by=None, at=AT))
        bulk.perform(session, operations[-1], at=AT)
    session.commit()
    with pytest.raises(WrongState, match=r"was merged was deleted since.+Undo that"):
        undo_bulk(session, operations[0], by=None, at=AT)
    session.rollback()
    for operation in reversed(operations):
        undo_bulk(session, operation, by=None, at=AT)
    session.commit()
    twice, once = session.scalars(select(Question).order_by(Question.id))
    assert twice.merged_into == once
