"""The intake of readers' corrections: only where it is switched on, bounded, kept by nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms import create_app
from cms.extensions import db
from cms.models import AuditEvent, Correction, LoginAttempt, Question
from cms.services import intake
from cms.services.publishing import publish, retire
from cms.services.questions import save
from cms.vocabulary import CorrectionStatus, Role, TextPart
from cms.web.admin.lately import lately
from tests.conftest import SECRET, dispose
from tests.factories import AT, content, make_published, make_question
from tests.web.pages import fields_of, reread
from tests.web.test_desk_corrections import text_of

WRONG = {
    "claim": "A function.",
    "kind": "factual",
    "explanation": "Classes can be views, too.",
    "sources[0].url": "https://example.org/views",
    "credit": "Grace",
}


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app = create_app(
        {
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "TESTING": True,
            "SITE_NAME": "Test bank",
            "PUBLIC_CORRECTIONS": True,
        }
    )
    yield app
    dispose(app)


@pytest.fixture
def question(session: Session) -> Question:
    return reread(session, make_published(session))


def address(question: Question) -> str:
    return f"/questions/{question.slug}/correct"


def send(client: FlaskClient, question: Question, **fields: str) -> Any:
    page = client.get(address(question))
    form = fields_of(page.text, "report") | WRONG | fields
    return client.post(address(question), data=form)


def filed(session: Session) -> list[Correction]:
    found = session.scalars(select(Correction).execution_options(populate_existing=True)).all()
    session.commit()
    return list(found)


def test_it_is_off_unless_it_is_configured(database_url: str) -> None:
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "TESTING": True})
    with app.app_context(), Session(db.engine, expire_on_commit=False) as session:
        question = make_published(session)
    client = app.test_client()
    assert client.get(address(question)).status_code == 404
    assert client.post(address(question)).status_code in {400, 404, 405}
    assert "Something wrong here?" not in client.get(f"/questions/{question.slug}").text
    dispose(app)


def test_a_reader_reports_an_error_and_nothing_is_public_before_it_is_decided(
    app: Flask, client: FlaskClient, session: Session, question: Question, as_role: Any
) -> None:
    assert address(question) in client.get(f"/questions/{question.slug}").text
    uid = question.answers[0].uid
    page = client.get(address(question))
    assert page.headers["Cache-Control"] == "no-store"
    assert '<meta name="robots" content="noindex">' in page.text
    sent = send(client, question, **{f"proposed.body:{uid}": "A function, or a class."})
    assert sent.status_code == 303
    assert "Thank you" in client.get(sent.location).text
    [correction] = filed(session)
    assert (correction.reporter_id, correction.reporter_name) == (None, "Grace")
    assert (correction.part, correction.proposed) == (TextPart.body, "A function, or a class.")
    assert (correction.seen_in, correction.status) == (1, CorrectionStatus.open)
    event = session.scalars(select(AuditEvent).filter_by(action="correction.open")).one()
    assert (event.actor_id, event.data["from"]) == (None, "reader")
    session.commit()
    with app.app_context():
        assert lately(db.session())[0].who == "A reader"
    session.commit()
    assert "A function." not in client.get("/corrections/").text
    assert "Grace, a reader" in as_role(Role.editor).get("/admin/corrections/?status=open").text


def test_what_a_reader_reports_is_of_a_text_that_was_public(
    client: FlaskClient, session: Session, question: Question
) -> None:
    form = fields_of(client.get(address(question)).text, "report") | WRONG
    draft = content("What is a view, secretly?")
    save(session, question, draft, seen_version=1, by=None, at=AT)
    session.commit()
    secret = client.post(address(question), data=form | {"seen_in": "2", "claim": ""})
    assert "secretly" not in secret.text
    send(client, question, seen_in="2")
    publish(session, [reread(session, question)], by=None, at=AT)
    session.commit()
    client.post(address(question), data=form)
    assert [correction.seen_in for correction in filed(session)] == [1, 1]


LACKING: list[tuple[dict[str, str], str]] = [
    ({"claim": " "}, "It is empty. Say what was wrong."),
    ({"claim": "x" * 2_001}, "It has 2,001 characters, the limit is 2,000. Shorten it."),
    ({"explanation": "x" * 5_001}, "the limit is 5,000"),
    ({"credit": "x" * 101}, "the limit is 100"),
    ({"kind": "silly"}, "Choose what kind of error it is."),
    ({"sources[0].url": "javascript:alert(1)"}, "is not a web address"),
    ({"where": "body:x"}, "no such answer any more"),
    ({"proposed.stem": "x" * 501}, "the limit is 500. Move the details"),
    ({"proposed.context": "x" * 10_001}, "It adds more than 10,000 characters."),
    ({"uid": "x"}, "is not a UUID"),
]


def test_what_a_report_lacks_is_said_and_nothing_is_lost(
    client: FlaskClient, session: Session, question: Question
) -> None:
    opened = fields_of(client.get(address(question)).text, "report")
    for fields, message in LACKING:
        refused = client.post(address(question), data=opened | WRONG | fields)
        assert refused.status_code == 200, fields
        assert message in text_of(refused.text), fields
        again = fields_of(refused.text, "report")
        for name, text in (WRONG | fields).items():
            assert again[name].strip() == text.strip()
    assert filed(session) == []
    assert session.scalar(select(func.count()).select_from(LoginAttempt)) == 0


def test_too_many_reports_wait_and_keep_what_was_typed(
    client: FlaskClient, session: Session, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = intake.FROM_ADDRESS.times
    for number in range(times):
        assert send(client, question, claim=f"Claim {number}").status_code == 303
    refused = send(client, question, claim="One too many")
    assert refused.status_code == 429
    assert 3_000 < int(refused.headers["Retry-After"]) <= 3_600
    assert "Too many corrections were sent lately." in text_of(refused.text)
    assert fields_of(refused.text, "report")["claim"] == "One too many"
    assert len(filed(session)) == times
    monkeypatch.setattr(intake, "OF_ALL", intake.Limit("reports", times, intake.HOUR))
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    form = fields_of(client.get(address(question)).text, "report") | WRONG
    assert client.post(address(question), data=form, environ_overrides=elsewhere).status_code == 429
    assert len(filed(session)) == times


def test_a_form_that_is_sent_twice_is_one_report_and_a_trap_catches_programs(
    client: FlaskClient, session: Session, question: Question
) -> None:
    form = fields_of(client.get(address(question)).text, "report") | WRONG
    for _ in range(2):
        assert client.post(address(question), data=form).status_code == 303
    assert len(filed(session)) == 1
    trapped = send(client, question, website="https://spam.example")
    assert trapped.status_code == 303, "it is told nothing"
    assert len(filed(session)) == 1
    del form["csrf_token"]
    forged = client.post(address(question), data=form)
    assert forged.status_code == 400
    assert WRONG["explanation"] in forged.text


def test_only_live_questions_are_reported(client: FlaskClient, session: Session) -> None:
    draft, gone = make_question(session, "Draft?"), make_published(session, "Gone?")
    moved = make_published(session, "Moved?")
    retire(session, [gone], by=None, at=AT)
    changed = content("Moved?", slug="moved-on")
    save(session, moved, changed, seen_version=1, by=None, at=AT)
    publish(session, [moved], by=None, at=AT)
    session.commit()
    statuses = {
        path: client.get(f"/questions/{path}/correct").status_code
        for path in (draft.slug, gone.slug, "moved", "'; --")
    }
    assert list(statuses.values()) == [404, 410, 301, 404]
    assert client.get("/questions/moved/correct").location == "/questions/moved-on/correct"


def test_no_page_of_the_intake_is_kept_and_looking_writes_nothing(
    client: FlaskClient, session: Session, question: Question
) -> None:
    tokens = {
        re.findall(r'name="uid" value="([^"]+)"', client.get(address(question)).text)[0]
        for _ in range(2)
    }
    assert len(tokens) == 2
    kept = client.get(f"/questions/{question.slug}")
    assert "Set-Cookie" not in kept.headers
    assert client.get(f"{address(question)}/thanks").headers["Cache-Control"] == "no-store"
    assert filed(session) == []
