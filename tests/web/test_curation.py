"""Two editors and a contributor at one desk, in any order, against a simple model.

They hold forms that went stale, send the same thing twice, and do what their
role or the question's state forbids. Whatever happens: no text is lost, no
forbidden step is made, the history is complete, the shelf is what was
published last, and whoever follows the changes has what a full export has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
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

from cms.extensions import db
from cms.models import Correction, Question, Revision, new_uid
from cms.services.accounts import add_user
from cms.services.content import decode
from cms.services.jobs import work_one
from cms.services.releases import release_number
from cms.services.work import HANDLERS
from cms.vocabulary import Role, Stage
from tests.factories import AT, empty
from tests.services.operations.test_undoing import shelf
from tests.web.conftest import Csrf, LogIn

pytestmark = pytest.mark.each_database

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
    scheduled: int | None = None
    retired: bool = False
    merged_into: Known | None = None
    was_public: bool = False
    deleted: bool = False

    @property
    def latest(self) -> int:
        return len(self.texts)

    @property
    def body(self) -> str:
        return self.texts[-1][1]


def options_with(body: str) -> dict[str, str]:
    """Two options, as the editor's form has them; the right one is the answer."""
    right = {"options[0].text": body, "options[0].correct": "yes", "options[0].feedback": "Yes."}
    return {**right, "options[1].text": "Something else"}


@dataclass
class Form:
    """A question's form as somebody opened it, with what they typed since."""

    who: str
    question: Known
    seen: int
    body: str


@dataclass
class Report:
    """What the model knows of a correction: whose text is to be what, and what became of it."""

    id: int
    uid: str
    question: Known
    body: str
    status: str = "open"
    fixed_in: int | None = None
    whole: bool = True
    """Whether it still says which text is wrong: after a merge it does not."""


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


DAYS = timedelta(days=2)
people = st.sampled_from(["Conrad", "Edith", "Edith", "Emil", "Emil"])


def seen_of(question: Known) -> st.SearchStrategy[int]:
    """The revision that somebody looked at: mostly the newest one."""
    newest = question.latest
    return st.sampled_from([newest, newest, newest, max(1, newest - 1)])


class Machine(RuleBasedStateMachine):
    desk: Curation

    def __init__(self) -> None:
        super().__init__()
        self.desk.questions = []
        self.forms: list[Form] = []
        self.reports: list[Report] = []
        self.words = 0
        self.copies: list[tuple[int, dict[str, Any]]] = [(0, {})]

    # --- what people do to a text ----------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.write("Edith")

    @precondition(lambda self: len(self.desk.questions) < 3)
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
            **options_with(body),
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
        question = self.some_question(data, lambda each: not each.merged_into)
        self.forms.append(Form(who, question, question.latest, self.new_word()))

    @precondition(lambda self: self.forms)
    @rule(data=st.data(), op=st.sampled_from(["save", "save", "submit", "publish"]))
    def send(self, data: st.DataObject, op: str) -> None:
        """Send a form, fresh or stale, for the first time or again."""
        form = data.draw(st.sampled_from(self.forms[-4:]))
        question = form.question
        page = self.desk.post(
            form.who,
            f"/admin/questions/{question.id}/",
            op=op,
            seen_version=str(form.seen),
            stem=question.stem,
            **{"answers[0].uid": question.answer, "answers[0].body": form.body},
            **options_with(form.body),
        )
        same = form.body == question.body
        if question.deleted:
            assert page.status_code == 404
        elif not self.may_write(form.who, question):
            assert page.status_code == (200 if self.desk.editor(form.who) else 403)
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
                self.published(question, question.latest)
            return
        assert form.body in page.text, "what was typed is gone"

    @rule(who=people, data=st.data())
    def restore(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data, lambda each: each.latest > 1 and not each.merged_into)
        number = data.draw(st.integers(1, question.latest + 1))
        seen = data.draw(seen_of(question))
        self.desk.post(
            who,
            f"/admin/questions/{question.id}/revisions/{number}/restore",
            seen_version=str(seen),
        )
        fresh = number <= question.latest and seen == question.latest
        if question.deleted or not fresh or not self.may_write(who, question):
            return
        body = question.texts[number - 1][1]
        if body != question.body:
            question.texts.append((who, body))

    # --- what people do to a question -------------------------------------------------

    @rule(who=people, data=st.data())
    def return_to_draft(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data, lambda each: each.in_review)
        self.desk.post(who, f"/admin/questions/{question.id}/return")
        if not question.deleted and not question.retired:
            question.in_review = False

    @rule(who=people, data=st.data())
    def retire(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data, lambda each: bool(each.published))
        self.desk.post(who, f"/admin/questions/{question.id}/retire", reason="Old.")
        if self.desk.editor(who) and question.published:
            question.published = question.scheduled = None
            question.retired = True

    @rule(who=people, data=st.data())
    def unretire(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data, lambda each: each.retired and not each.merged_into)
        self.desk.post(who, f"/admin/questions/{question.id}/unretire")
        if self.desk.editor(who) and question.retired and not question.merged_into:
            question.retired = question.in_review = False

    @rule(who=people, data=st.data())
    def delete(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(data, lambda each: not each.was_public)
        seen = data.draw(seen_of(question))
        self.desk.post(who, f"/admin/questions/{question.id}/delete", seen_version=str(seen))
        allowed = seen == question.latest and (self.desk.editor(who) or not question.retired)
        if allowed and not question.was_public and not self.stands_in(question):
            question.deleted = True

    @rule(who=people, data=st.data())
    def merge(self, who: str, data: st.DataObject) -> None:
        duplicate = self.some_question(data, lambda each: not each.merged_into)
        into = self.some_question(data, lambda each: not each.retired and each is not duplicate)
        seen = data.draw(seen_of(into))
        self.desk.post(
            who,
            f"/admin/questions/{duplicate.id}/merge",
            into=str(into.id),
            seen=str(duplicate.latest),
            seen_into=str(seen),
        )
        gone = duplicate.deleted or into.deleted or duplicate.merged_into or into.retired
        if gone or duplicate is into or seen != into.latest or not self.desk.editor(who):
            return
        duplicate.retired, duplicate.merged_into = True, into
        duplicate.published = duplicate.scheduled = None
        for report in self.reports:
            if report.question is duplicate:
                report.question, report.whole = into, False
                if report.status == "accepted":
                    report.fixed_in = into.published or into.latest

    @rule(who=people, data=st.data())
    def schedule(self, who: str, data: st.DataObject) -> None:
        question = self.some_question(
            data, lambda each: not each.retired and each.published != each.latest
        )
        number = data.draw(seen_of(question))
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        self.desk.post(
            who,
            f"/admin/questions/{question.id}/publish",
            op="schedule",
            number=str(number),
            when=tomorrow.strftime("%Y-%m-%dT%H:%M"),
        )
        gone = question.deleted or question.retired
        if self.desk.editor(who) and not gone and question.published != number == question.latest:
            question.scheduled = number

    @precondition(lambda self: any(each.scheduled for each in self.desk.questions))
    @rule()
    def a_day_passes(self) -> None:
        """A worker keeps every schedule, with the revision that it means."""
        self.desk.session.rollback()
        with self.desk.app.app_context():
            while work_one(db.engine, HANDLERS, clock=lambda: datetime.now(UTC) + DAYS):
                pass
        for question in self.desk.questions:
            if question.scheduled and not question.deleted:
                self.published(question, question.scheduled)

    # --- what people do about an error ------------------------------------------------

    @rule(who=people, data=st.data(), twice=st.booleans())
    def report(self, who: str, data: st.DataObject, twice: bool) -> None:
        question = self.some_question(data, lambda each: not each.merged_into)
        seen = data.draw(st.integers(1, question.latest))
        fields = {
            "uid": new_uid(),
            "kind": "factual",
            "claim": "It is wrong.",
            "where": f"body:{question.answer}",
            f"proposed.body:{question.answer}": self.new_word(),
            "seen_in": str(seen),
        }
        for _ in range(1 + twice):
            page = self.desk.post(who, f"/admin/corrections/new/?question={question.id}", **fields)
        body = fields[f"proposed.body:{question.answer}"]
        if question.deleted or question.merged_into:
            assert body in page.text, "what was typed is gone"
            return
        uid = fields["uid"]
        key = self.desk.session.scalars(select(Correction.id).where(Correction.uid == uid)).one()
        self.reports.append(Report(key, uid, question, body))

    @precondition(lambda self: self.reports)
    @rule(
        who=people,
        data=st.data(),
        verb=st.sampled_from(["accept", "accept", "accept", "reject", "hold", "reopen"]),
    )
    def decide(self, who: str, data: st.DataObject, verb: str) -> None:
        undecided = [each for each in self.reports if each.status in {"open", "held"}]
        anyhow = not undecided or data.draw(st.integers(0, 3)) == 0
        report = data.draw(st.sampled_from(self.reports if anyhow else undecided))
        question = report.question
        seen = data.draw(seen_of(question))
        page = self.desk.post(
            who,
            f"/admin/corrections/{report.id}/",
            op=verb,
            fixed_in="new",
            text=report.body,
            reason="So it is.",
            seen_version=str(seen),
        )
        if question.deleted or not self.desk.editor(who):
            assert page.status_code == (404 if question.deleted else 403)
            assert report.body in page.text, "what was typed is gone"
        elif verb == "accept":
            fresh = seen == question.latest and report.body != question.body
            if (
                report.status in {"open", "held"}
                and fresh
                and report.whole
                and not question.merged_into
            ):
                question.texts.append((who, report.body))
                report.status, report.fixed_in = "accepted", question.latest
        elif verb == "reopen":
            if report.status in {"held", "rejected"}:
                report.status = "open"
        elif report.status == "open" or (report.status == "held" and verb == "reject"):
            report.status = {"reject": "rejected", "hold": "held"}[verb]

    @rule()
    def carry_away(self) -> None:
        """A reader takes a copy, to be brought up to date later."""
        number = release_number(self.desk.session)
        self.copies.append((number, shelf(self.desk.session)["questions"]))

    # --- what holds whatever happens -----------------------------------------------------

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        self.desk.session.rollback()
        self.desk.session.expire_all()
        live = shelf(self.desk.session)["questions"]
        self.the_bank_is_as_the_model_says()
        self.the_history_is_complete()
        self.the_shelf_is_what_was_published_last(live)
        self.readers_see_the_errata_of_what_they_read(live)

    def the_bank_is_as_the_model_says(self) -> None:
        session = self.desk.session
        found = {each.id: each for each in session.scalars(select(Question))}
        assert set(found) == {known.id for known in self.desk.questions if not known.deleted}
        for known in self.desk.questions:
            if known.deleted:
                continue
            question = found[known.id]
            assert (
                question.latest_number,
                question.published_number,
                question.scheduled_number,
                question.merged_into_id is not None,
                question.retired_at is not None,
                question.stage,
            ) == (
                known.latest,
                known.published,
                known.scheduled,
                known.merged_into is not None,
                known.retired,
                Stage.in_review if known.in_review else Stage.draft,
            )

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

    def the_shelf_is_what_was_published_last(self, live: dict[str, Any]) -> None:
        published = select(Revision).join(
            Question,
            (Question.id == Revision.question_id) & (Question.published_number == Revision.number),
        )
        for row in self.desk.session.scalars(published):
            content = decode(row)
            assert live[content.uid or ""]["options"] == msgspec.to_builtins(content.options)
        assert {uid: each["answers"][0]["body"] for uid, each in live.items()} == {
            known.uid: known.texts[known.published - 1][1]
            for known in self.desk.questions
            if known.published
        }

    def readers_see_the_errata_of_what_they_read(self, live: dict[str, Any]) -> None:
        rows = self.desk.session.scalars(select(Correction)).all()
        kept = [report for report in self.reports if not report.question.deleted]
        assert {row.uid: (row.question_id, row.status, row.fixed_in) for row in rows} == {
            report.uid: (report.question.id, report.status, report.fixed_in) for report in kept
        }
        shown = {uid: {each["uid"] for each in item["corrections"]} for uid, item in live.items()}
        assert shown == {
            known.uid: {
                report.uid
                for report in kept
                if report.question is known and 0 < (report.fixed_in or 0) <= known.published
            }
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

    def some_question(self, data: st.DataObject, fits: Callable[[Known], bool]) -> Known:
        """A question to do a thing to: mostly one that it fits, sometimes any."""
        fitting = [each for each in self.desk.questions if not each.deleted and fits(each)]
        anyhow = not fitting or data.draw(st.integers(0, 5)) == 0
        return data.draw(st.sampled_from(self.desk.questions if anyhow else fitting))

    def may_write(self, who: str, question: Known) -> bool:
        if question.merged_into:
            return False
        return self.desk.editor(who) or not (question.published or question.retired)

    def stands_in(self, question: Known) -> bool:
        """Whether a question that is still there was merged into this one."""
        return any(
            each.merged_into is question and not each.deleted for each in self.desk.questions
        )

    def submitted(self, question: Known) -> None:
        if not question.retired and question.published != question.latest:
            question.in_review = True

    def published(self, question: Known, number: int) -> None:
        if question.retired or question.published == number:
            return
        question.published, question.scheduled, question.was_public = number, None, True
        if number == question.latest:
            question.in_review = False


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
    # Rules make the difference here, not the database: the slower one gets fewer walks.
    on_sqlite = desk.session.get_bind().dialect.name == "sqlite"
    walks = settings().max_examples // (1 if on_sqlite else 2)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=walks,
            stateful_step_count=50,
            suppress_health_check=list(HealthCheck),
        ),
    )
