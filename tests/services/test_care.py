"""The care of a question: who may set what of it, and who is told."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, WrongState
from cms.models import AuditEvent, Notification, Question, User
from cms.services import accounts
from cms.services.care import Care, care_of, set_care
from cms.services.operations import bulk
from cms.services.operations.undoing import undo_bulk
from cms.services.publishing import publish, retire
from cms.services.questions import return_to_draft, submit
from cms.vocabulary import Role
from tests.conftest import add_user
from tests.factories import AT, make_published, make_question

DUE = date(2026, 12, 1)


def give(session: Session, question: Question, *, by: User | None = None, **care: Any) -> bool:
    """Set a question's care; what is not named becomes nobody or no day."""
    wanted = {"assignee": None, "reviewer": None, "due_on": None, "review_by": None, **care}
    return set_care(session, question, by=by, at=AT, **wanted)


def told(session: Session) -> list[tuple[str, str, str | None, str]]:
    """Every note: to whom, of what kind, about which question, and its words."""
    rows = session.execute(
        select(User.name, Notification)
        .join(User, User.id == Notification.user_id)
        .order_by(Notification.id)
    )
    return [
        (name, note.kind.value, note.question.stem if note.question else None, note.words)
        for name, note in rows
    ]


def test_an_editor_sets_anything_and_each_change_is_audited_without_a_revision(
    session: Session, editor: User, contributor: User
) -> None:
    question = make_published(session)
    changed = give(session, question, assignee=contributor, reviewer=editor, due_on=DUE, by=editor)
    assert changed
    assert care_of(question) == Care(contributor.id, editor.id, DUE, None)
    assert question.latest_number == 1
    events = session.scalars(select(AuditEvent).where(AuditEvent.actor_id == editor.id))
    assert {event.action: event.data for event in events} == {
        "question.assign": {"assignee_id": contributor.id},
        "question.reviewer": {"reviewer_id": editor.id},
        "question.due": {"due_on": "2026-12-01"},
    }
    assert not give(session, question, assignee=contributor, reviewer=editor, due_on=DUE, by=editor)
    assert told(session) == [("Conrad", "assigned", question.stem, "")]


# What a contributor asks for, from which assignee; None where it is done.
OWN = (
    "You may take a question that nobody has, or drop your own. "
    "Ask an editor to assign it to somebody else, or to you."
)
TAKE_IT = "Take the question first; then you may say until when it is due."
EDITORS = "Only an editor may set the reviewer or the review date. Ask one."
THEIRS: list[tuple[str, str | None, dict[str, str], str | None]] = [
    ("takes a free one", None, {"assignee": "Conrad"}, None),
    ("takes it with a date", None, {"assignee": "Conrad", "due_on": "2026-12-01"}, None),
    ("drops it", "Conrad", {}, None),
    ("dates it", "Conrad", {"assignee": "Conrad", "due_on": "2026-12-01"}, None),
    ("dates a free one", None, {"due_on": "2026-12-01"}, TAKE_IT),
    ("takes another's", "Edith", {"assignee": "Conrad"}, OWN),
    ("drops another's", "Edith", {}, OWN),
    ("gives it away", "Conrad", {"assignee": "Edith"}, OWN),
    ("reviews it", None, {"reviewer": "Conrad"}, EDITORS),
    ("sets the review date", None, {"review_by": "2026-12-01"}, EDITORS),
]


def test_a_contributor_takes_and_drops_what_was_never_public(
    session: Session, editor: User, contributor: User
) -> None:
    people = {user.name: user for user in (editor, contributor)}
    found: dict[str, str | None] = {}
    for case, before, asked, _ in THEIRS:
        question = make_question(session, case)
        give(session, question, assignee=people.get(before or ""))
        wanted: dict[str, Any] = {
            name: people.get(value) or date.fromisoformat(value) for name, value in asked.items()
        }
        try:
            assert give(session, question, by=contributor, **wanted)
        except NotAllowed as error:
            found[case] = str(error)
            assert question.assignee_id == (people[before].id if before else None)
        else:
            found[case] = None
            assert question.assignee_id == (contributor.id if "assignee" in asked else None)
    assert found == {case: refusal for case, *_, refusal in THEIRS}


def test_what_was_public_is_not_for_contributors_to_take(
    session: Session, contributor: User
) -> None:
    with pytest.raises(NotAllowed, match="Only an editor may assign a question that was public"):
        give(session, make_published(session), assignee=contributor, by=contributor)


def test_nobody_is_given_to_a_disabled_account_and_nothing_to_a_retired_question(
    session: Session, editor: User, contributor: User
) -> None:
    question = make_published(session)
    give(session, question, reviewer=contributor)
    accounts.disable(session, contributor, by=None, at=AT)
    with pytest.raises(InvalidInput, match="The account ‘Conrad’ is disabled") as caught:
        give(session, question, assignee=contributor, reviewer=contributor, by=editor)
    assert caught.value.field == "assignee"
    # Whoever was named before stays until somebody else is.
    give(session, question, reviewer=contributor, due_on=DUE, by=editor)
    assert question.reviewer_id == contributor.id
    retire(session, [question], by=None, at=AT)
    with pytest.raises(WrongState, match="This question is retired"):
        give(session, question, by=editor)


def test_a_form_that_is_older_changes_only_what_it_meant_to(
    session: Session, editor: User, contributor: User
) -> None:
    question = make_question(session)
    seen = care_of(question)
    give(session, question, assignee=contributor)
    give(session, question, due_on=DUE, seen=seen, by=editor)
    assert care_of(question) == Care(contributor.id, None, DUE, None)
    with pytest.raises(WrongState, match="Somebody else changed the assignee meanwhile"):
        give(session, question, assignee=editor, seen=seen, by=editor)
    assert question.assignee_id == contributor.id


def test_the_way_to_the_public_tells_each_who_waits_for_it(
    session: Session, editor: User, contributor: User
) -> None:
    emil = add_user(session, "Emil", Role.editor)
    question = make_question(session, by=contributor)
    give(session, question, reviewer=emil, by=editor)
    assert told(session) == []  # It waits for nobody's review yet.
    submit(session, question, by=contributor, at=AT)
    return_to_draft(session, question, by=emil, at=AT, reason=" Cite\na source. ")
    give(session, question, assignee=emil, by=editor)
    submit(session, question, by=contributor, at=AT)
    publish(session, [question], by=editor, at=AT)
    about = question.stem
    assert told(session) == [
        ("Emil", "review", about, ""),
        ("Conrad", "returned", about, "Cite a source."),
        ("Emil", "assigned", about, ""),
        # The reviewer was taken away again: the assignee, who is an editor, reads it.
        ("Emil", "review", about, ""),
        ("Conrad", "published", about, ""),
        ("Emil", "published", about, ""),
    ]
    returned = session.scalars(select(AuditEvent).filter_by(action="question.return")).one()
    assert returned.data == {"reason": "Cite a source."}


def test_naming_a_reviewer_in_review_tells_them_and_publishing_ends_the_due_date(
    session: Session, editor: User, contributor: User
) -> None:
    question = make_question(session, by=editor)
    submit(session, question, by=editor, at=AT)
    give(session, question, reviewer=editor, assignee=contributor, due_on=DUE)
    assert [row[:2] for row in told(session)] == [("Conrad", "assigned"), ("Edith", "review")]
    publish(session, [question], by=editor, at=AT)
    assert care_of(question) == Care(contributor.id, editor.id, None, None)
    assert [row[:2] for row in told(session)][2:] == [("Conrad", "published")]


def test_bulk_work_is_one_note_for_each_person_and_can_be_undone(
    session: Session, editor: User, contributor: User
) -> None:
    emil = add_user(session, "Emil", Role.editor)
    made = [make_question(session, f"Number {n}?", by=contributor) for n in range(3)]
    ids = [question.id for question in made]

    def do(verb: str, some: list[int], **arguments: str) -> bulk.BulkOperation:
        operation = bulk.begin(session, verb, some, arguments, by=editor, at=AT)
        bulk.perform(session, operation, at=AT)
        session.commit()
        return operation

    assigned = do("assign", ids, assignee="conrad")
    do("reviewer", ids, reviewer="Emil")
    do("due_on", ids, due_on="2026-12-01")
    do("submit", ids)
    do("return", ids[:1])
    do("publish", ids[1:])
    assert told(session) == [
        ("Conrad", "assigned", None, "3 questions"),
        ("Emil", "review", None, "3 questions"),
        ("Conrad", "returned", "Number 0?", ""),
        ("Conrad", "published", None, "2 questions"),
    ]
    assert care_of(made[0]) == Care(contributor.id, emil.id, DUE, None)
    with pytest.raises(WrongState, match="changed since"):
        undo_bulk(session, assigned, by=editor, at=AT)
    session.rollback()
    undone = do("due_on", ids, due_on="")
    assert undone.rows[0].message == ""
    undo_bulk(session, undone, by=editor, at=AT)
    assert session.get_one(Question, ids[0]).due_on == DUE
