"""Any operation on any bank can be taken back, and readers who follow along agree."""

from __future__ import annotations

from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from cms.models import Question, User
from cms.services.questions import create
from cms.services.releases import release_number
from cms.services.tags import resolve
from cms.vocabulary import RowAction
from tests.factories import AT, content, empty, make_warning
from tests.services.operations.test_bulk import do, edit
from tests.services.operations.test_undoing import VERBS, public, shelf, undo, working

QUESTION = st.fixed_dictionaries(
    {
        "tags": st.sets(st.sampled_from(["flask", "http", "flask/cli"])),
        "difficulty": st.sampled_from([None, "easy", "medium"]),
        "answered": st.booleans(),
        "warned": st.booleans(),
        "steps": st.lists(
            st.sampled_from(["publish", "edit", "submit", "retire", "unretire", "care"]), max_size=4
        ),
    }
)


def build(session: Session, number: int, drawn: dict[str, Any]) -> Question:
    """Make a question and lead it through its steps, as far as they fit its state."""
    uids = sorted(tag.uid for tag in resolve(session, drawn["tags"], by=None, at=AT).values())
    text = content(f"Question {number}?", tags=uids, difficulty=drawn["difficulty"])
    if not drawn["answered"]:
        text.answers = []
    question = create(session, text, by=None, at=AT)
    session.commit()
    if drawn["warned"]:
        make_warning(session, question)
    for step in drawn["steps"]:
        if step == "edit":
            edit(session, question, f"Edit {question.latest_number}.")
        elif step == "care":
            do(session, "review_by", [question], review_by="2027-05-05")
        else:
            do(session, step, [question])
    return question


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(QUESTION, min_size=1, max_size=3),
    verb=st.sampled_from(sorted(VERBS)),
)
def test_any_operation_on_any_bank_is_taken_back(
    app: Flask, session: Session, drawn: list[dict[str, Any]], verb: str
) -> None:
    try:
        session.add(User(name="Edith", role="editor", created_at=AT))
        resolve(session, ["flask", "http"], by=None, at=AT)
        questions = [build(session, number, each) for number, each in enumerate(drawn)]
        before, shown = working(session), public(session)
        base, held = release_number(session), shelf(session)["questions"]
        operation = do(session, verb, questions, **VERBS[verb])
        if not any(row.action == RowAction.update for row in operation.rows):
            return
        between, met = release_number(session), shelf(session)["questions"]
        undo(session, operation)
        assert working(session) == before
        assert public(session) == shown
        # A reader who was there before the operation, or between the two, catches up.
        for since, copy in ((base, held), (between, met)):
            step = shelf(session, since=since)
            replayed = {uid: each for uid, each in copy.items() if uid not in step["withdrawn"]}
            assert replayed | step["questions"] == shelf(session)["questions"]
    finally:
        empty(session)
