"""Two editors and a contributor at one desk, in any order, against a simple model.

They hold forms that went stale, send the same thing twice, and do what their
role or the question's state forbids. Whatever happens: no text is lost, no
forbidden step is made, the history is complete, the shelf is what was
published last, and whoever follows the changes has what a full export has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.test import TestResponse

from cms.models import Question, Revision
from cms.services.accounts import add_user
from cms.services.content import decode
from cms.services.releases import release_number
from cms.vocabulary import Role, Stage
from tests.factories import AT, empty
from tests.services.operations.test_undoing import shelf
from tests.web.conftest import Csrf, LogIn

PEOPLE = {"Edith": Role.editor, "Emil": Role.editor, "Conrad": Role.contributor}


@dataclass
class Known:
    """What the model knows of a question. `texts` are (author, body), revision 1 first."""

    id: int
    uid: str
    answer: str
    stem: str
    texts: list[tuple[str, str]]
    published: int | None = None
    in_review: bool = False
    retired: bool = False
    was_public: bool = False
    deleted: bool = False

    @property
    def latest(self) -> int:
        return len(self.texts)

    @property
    def body(self) -> str:
        return self.texts[-1][1]


@dataclass
class Form:
    """A question's form as somebody opened it, with what they typed since."""

    who: str
    question: Known
    seen: int
    body: str


@dataclass
class Curation:
    """The desk as the model drives it: posts alone, as forms send them."""

    app: Flask
    session: Session
    clients: dict[str, FlaskClient]
    tokens: dict[str, str]
    questions: list[Known] = field(default_factory=list)

    def post(self, who: str, address: str, **fields: str) -> TestResponse:
        self.session.rollback()
        return self.clients[who].post(address, data={"csrf_token": self.tokens[who]} | fields)

    def editor(self, who: str) -> bool:
        return PEOPLE[who].includes(Role.editor)


people = st.sampled_from(sorted(PEOPLE))


class Machine(RuleBasedStateMachine):
    desk: Curation

    def __init__(self) -> None:
        super().__init__()
        self.desk.questions = []
        self.forms: list[Form] = []
        self.words = 0
        self.copies: list[tuple[int, dict[str, Any]]] = [(0, {})]

    # --- what people do to a text ----------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.write("Edith")

    @rule(who=people)
    def write(self, who: str) -> None:
        stem, body = f"What is {self.new_word()}?", self.new_word()
        done = self.desk.post(
            who,
            "/admin/questions/new/",
            op="save",
            seen_version="0",
            stem=stem,
            **{"answers[0].body": body},
        )
        assert done.status_code == 303
        found = (
            self.desk.session.scalars(
                select(Question).where(Question.stem == stem).options(joinedload(Question.answers))
            )
            .unique()
            .one()
        )
        known = Known(found.id, found.uid, found.answers[0].uid, stem, [(who, body)])
        self.desk.questions.append(known)

    @rule(who=people, data=st.data())
    def open_form(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data)
        self.forms.append(Form(who, question, question.latest, self.new_word()))

    @precondition(lambda self: self.forms)
    @rule(data=st.data(), op=st.sampled_from(["save", "save", "submit", "publish"]))
    def send(self, data: st.DataObject, op: str) -> None:
        """Send a form, fresh or stale, for the first time or again."""
        form = data.draw(st.sampled_from(self.forms))
        question = form.question
        page = self.desk.post(
            form.who,
            f"/admin/questions/{question.id}/",
            op=op,
            seen_version=str(form.seen),
            stem=question.stem,
            **{"answers[0].uid": question.answer, "answers[0].body": form.body},
        )
        allowed = self.desk.editor(form.who) or not (question.published or question.retired)
        same = form.body == question.body
        if question.deleted:
            assert page.status_code == 404
        elif not allowed:
            assert page.status_code == 403
        elif not same and form.seen != question.latest:
            assert page.status_code == 200
            # The next time they send it, they have seen what came between.
            form.seen = question.latest
        else:
            assert page.status_code == 303
            if not same:
                question.texts.append((form.who, form.body))
            if op == "submit":
                self.submitted(question)
            elif op == "publish" and self.desk.editor(form.who):
                self.published(question)
            return
        assert form.body in page.text, "what was typed is gone"

    @rule(who=people, data=st.data())
    def restore(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data)
        number = data.draw(st.integers(1, question.latest + 1))
        seen = data.draw(st.integers(max(1, question.latest - 1), question.latest))
        self.desk.post(
            who,
            f"/admin/questions/{question.id}/revisions/{number}/restore",
            seen_version=str(seen),
        )
        allowed = self.desk.editor(who) or not (question.published or question.retired)
        if question.deleted or not allowed or number > question.latest or seen != question.latest:
            return
        body = question.texts[number - 1][1]
        if body != question.body:
            question.texts.append((who, body))

    # --- what people do to a question -------------------------------------------------

    @rule(who=people, data=st.data())
    def return_to_draft(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data)
        self.desk.post(who, f"/admin/questions/{question.id}/return")
        if not question.deleted and not question.retired:
            question.in_review = False

    @rule(who=people, data=st.data())
    def retire(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data)
        self.desk.post(who, f"/admin/questions/{question.id}/retire", reason="Old.")
        if self.desk.editor(who) and question.published:
            question.published, question.retired = None, True

    @rule(who=people, data=st.data())
    def unretire(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data)
        self.desk.post(who, f"/admin/questions/{question.id}/unretire")
        if self.desk.editor(who) and question.retired:
            question.retired = question.in_review = False

    @rule(who=people, data=st.data())
    def delete(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data)
        self.desk.post(who, f"/admin/questions/{question.id}/delete")
        if not question.was_public:
            question.deleted = True

    @rule()
    def carry_away(self) -> None:
        """A reader takes a copy, to be brought up to date later."""
        number = release_number(self.desk.session)
        self.copies.append((number, shelf(self.desk.session)["questions"]))

    # --- what holds whatever happens -----------------------------------------------------

    @invariant()
    def the_bank_is_as_the_model_says(self) -> None:
        session = self.desk.session
        session.rollback()
        session.expire_all()
        found = {each.id: each for each in session.scalars(select(Question))}
        assert set(found) == {known.id for known in self.desk.questions if not known.deleted}
        for known in self.desk.questions:
            if known.deleted:
                continue
            question = found[known.id]
            assert (
                question.latest_number,
                question.published_number,
                question.retired_at is not None,
                question.stage,
            ) == (
                known.latest,
                known.published,
                known.retired,
                Stage.in_review if known.in_review else Stage.draft,
            )

    @invariant()
    def the_history_is_complete(self) -> None:
        rows = self.desk.session.scalars(
            select(Revision)
            .options(joinedload(Revision.author))
            .order_by(Revision.question_id, Revision.number)
        ).all()
        told: dict[int, list[tuple[str, str]]] = {}
        for row in rows:
            assert row.author is not None
            text = (row.author.name, decode(row).answers[0].body)
            told.setdefault(row.question_id, []).append(text)
        assert told == {known.id: known.texts for known in self.desk.questions if not known.deleted}

    @invariant()
    def the_shelf_is_what_was_published_last(self) -> None:
        live = shelf(self.desk.session)["questions"]
        assert {uid: each["answers"][0]["body"] for uid, each in live.items()} == {
            known.uid: known.texts[known.published - 1][1]
            for known in self.desk.questions
            if known.published
        }

    def teardown(self) -> None:
        session = self.desk.session
        whole = shelf(session)["questions"]
        for since, copy in self.copies:
            step = shelf(session, since=since)
            kept = {uid: each for uid, each in copy.items() if uid not in step["withdrawn"]}
            assert kept | step["questions"] == whole, f"replayed from release {since}"
        empty(session, keep=("account", "login_session"))

    # --- the model's own steps --------------------------------------------------------------

    def new_word(self) -> str:
        """A word that nobody wrote before: it is found again, or it is lost."""
        self.words += 1
        return f"word{self.words:03}x"

    def some_question(self, data: st.DataObject) -> Known:
        return data.draw(st.sampled_from(self.desk.questions))

    def submitted(self, question: Known) -> None:
        if not question.retired and question.published != question.latest:
            question.in_review = True

    def published(self, question: Known) -> None:
        if not question.retired and question.published != question.latest:
            question.published, question.in_review = question.latest, False
            question.was_public = True


@pytest.fixture
def desk(app: Flask, session: Session, log_in: LogIn, csrf: Csrf) -> Curation:
    clients, tokens = {}, {}
    for name, role in PEOPLE.items():
        user = add_user(session, name, role, by=None, at=AT)
        session.commit()
        clients[name] = app.test_client()
        log_in(clients[name], user)
        tokens[name] = csrf(clients[name])
    return Curation(app, session, clients, tokens)


def test_whatever_people_do_at_the_desk_nothing_is_lost_and_nothing_forbidden_happens(
    desk: Curation,
) -> None:
    machine = type("Desk", (Machine,), {"desk": desk})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
