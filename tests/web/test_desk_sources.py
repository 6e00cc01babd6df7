"""Sources that are checked from a form, code that ran, a question as its readers see it."""

from __future__ import annotations

import html
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from cms.extensions import db
from cms.formats.item import AnswerItem, SourceItem
from cms.markup import samples
from cms.models import Question, SampleRun, Source
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.publishing import publish
from cms.services.questions import save
from cms.services.verify.guarded_http import Manners
from cms.vocabulary import CorrectionKind, Role
from cms.web.admin import sources
from tests.factories import AT, make_published, make_question
from tests.services.verify.test_guarded_http import Server, only_local, serving
from tests.web.pages import fields_of, notes_of, reread, submit

AsRole = Callable[[Role | None], FlaskClient]
Send = Callable[..., TestResponse]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web in which this machine may be asked, and nobody else."""
    manners = Manners(only_local, ssl.create_default_context(), seconds=1)
    monkeypatch.setattr(sources, "public_manners", lambda: manners)
    with serving(Server()) as server:
        yield server


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def cited(session: Session, *urls: str) -> Question:
    items = [SourceItem(url=url) for url in urls]
    return make_question(session, answers=[AnswerItem(body="Yes.", sources=items)])


def editor_of(question: Question) -> str:
    return f"/admin/questions/{question.id}/"


def said(page: str, index: int = 0) -> str:
    """What stands under a source, in words."""
    found = re.findall(r'<p class="check"[^>]*>(.*?)</p>', page.partition("<template")[0])[index]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", found)).split())


def test_a_source_is_checked_in_its_form_and_nothing_typed_is_lost(
    desk: FlaskClient, session: Session, web: Server
) -> None:
    gone, fine = f"{web.root}/status/404", f"{web.root}/"
    question, other = cited(session, fine, gone), cited(session, gone)
    assert said(desk.get(editor_of(question)).text) == "Not checked yet."
    typed = {"stem": "Typed?", "op": "answers[0].sources[1].check"}
    page = submit(desk, editor_of(question), **typed).text
    assert fields_of(page)["stem"] == "Typed?"
    assert said(page, 1) == "It answered with status 404. Checked just now."
    assert re.findall(r'value="([^"]*)"[^>]* autofocus', page) == ["answers[0].sources[1].check"]
    assert reread(session, question).latest_number == 1
    # What came holds for every source of the address, and is there the next time.
    assert said(desk.get(editor_of(other)).text) == "It answered with status 404. Checked just now."
    submit(desk, editor_of(question), op="answers[0].sources[0].check")
    assert said(desk.get(editor_of(question)).text) == "It answered just now."
    rows = session.execute(select(Source.url, Source.last_status).order_by(Source.id)).all()
    session.rollback()
    assert rows == [(fine, 200), (gone, 404), (gone, 404)]
    submit(desk, editor_of(question), stem="Saved?")
    assert said(desk.get(editor_of(question)).text, 1).startswith("It answered with status 404.")


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/", 200, "It answered just now."),
        ("/status/403", 200, "It may turn away programs alone: open it and look."),
        ("/slow", 200, "It did not answer within"),
        (
            "http://10.0.0.1/",
            200,
            "It leads to an address that is not public",
        ),
        ("ftp://example.org/", 200, "It is no address of http or https."),
        ("", 422, "There is no address to check. Type one first."),
    ],
)
def test_a_script_is_told_what_came_of_a_check(
    desk: FlaskClient,
    session: Session,
    web: Server,
    send: Send,
    address: str,
    status: int,
    words: str,
) -> None:
    question = make_question(session)
    url = f"{web.root}{address}" if address.startswith("/") else address
    for query in (f"?question={question.id}", ""):
        told = send(desk, f"/admin/questions/check{query}", url=url)
        assert told.status_code == status
        assert words in re.sub(r"<[^>]+>", "", told.text)
        assert "<html" not in told.text


def test_a_contributor_checks_only_what_they_may_write(
    as_role: AsRole, session: Session, web: Server, send: Send
) -> None:
    draft, public = make_question(session), make_published(session, "What is HTTP?")
    client = as_role(Role.contributor)
    checks = "/admin/questions/check?question="
    assert send(client, f"{checks}{draft.id}", url=f"{web.root}/").status_code == 200
    refused = send(client, f"{checks}{public.id}", url=f"{web.root}/secret")
    assert refused.status_code == 403
    assert "Only an editor may change a question" in refused.text
    assert "/secret" not in {path for _, path in web.asked}


def test_whoever_checks_too_much_waits(
    desk: FlaskClient, session: Session, web: Server, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = sources.Limit("link", 2, timedelta(minutes=1))
    monkeypatch.setattr(sources, "LIMIT", limit)
    question = cited(session, f"{web.root}/")
    for expected in (200, 200, 429):
        told = send(desk, "/admin/questions/check", url=f"{web.root}/")
        assert told.status_code == expected
    assert "Sources are asked for one by one, and these were many. Wait" in told.text
    page = submit(desk, editor_of(question), op="answers[0].sources[0].check").text
    assert notes_of(page)[0].startswith("Sources are asked for one by one, and these were many.")


def test_nobody_waits_for_a_source_that_is_slow(
    app: Flask, desk: FlaskClient, session: Session, web: Server
) -> None:
    """On SQLite an open transaction of the check would hold up every other writer."""
    question = cited(session, f"{web.root}/slow")
    form = fields_of(desk.get(editor_of(question)).text)
    form["op"] = "answers[0].sources[0].check"
    checking = threading.Thread(target=lambda: desk.post(editor_of(question), data=form))
    checking.start()
    while not web.asked:
        assert checking.is_alive()
    with app.app_context():
        engine = db.engine
    with engine.begin() as writer:
        writer.execute(text("UPDATE account SET role = role"))
        assert checking.is_alive()
    checking.join()


# --- code that ran --------------------------------------------------------------------

CODE = "Look:\n\n```python run\nprint(1)\n```\n"


def test_code_that_ran_stands_beside_the_text(desk: FlaskClient, session: Session) -> None:
    question = make_published(session, answers=[AnswerItem(label="Short", body=CODE)])
    assert 'id="code"' not in desk.get(editor_of(question)).text
    answer = content_of(question).answers[0]
    run = SampleRun(
        question_id=question.id,
        answer_uid=answer.uid,
        position=0,
        code_hash=samples(CODE)[0].hash,
        passed=False,
        message="It raised NameError: name 'x'",
        python="3.13.1",
        packages={"Flask": "3.1.3"},
        ran_at=AT,
    )
    session.add(run)
    session.commit()
    rail = desk.get(editor_of(question)).text.partition('<section id="code">')[2]
    words = " ".join(re.sub(r"<[^>]+>", " ", rail.partition("</section>")[0]).split())
    assert 'href="#answers[0].body" data-go-to-line="4"' in rail
    assert words.startswith(
        "Code Short, sample 1 failed It raised NameError: name &#39;x&#39; Line 4,"
    )
    assert words.endswith("with Flask 3.1.3, Python 3.13.1")
    submit(desk, editor_of(question), **{"answers[0].body": "No code."})
    assert "It reads otherwise by now; the public text ran" in desk.get(editor_of(question)).text


# --- as candidates see it ---------------------------------------------------------------


def test_a_draft_reads_as_its_public_page_will(desk: FlaskClient, session: Session) -> None:
    question = make_published(session, tags=["http"])
    claim = {"kind": CorrectionKind.factual, "claim": "It was *wrong*.", "by": None, "at": AT}
    changed = content_of(question)
    changed.answers[0].body = "**New** text."
    save(session, question, changed, seen_version=1, by=None, at=AT)
    correction = open_correction(session, question, **claim)
    accept(session, correction, fixed_in=2, by=None, at=AT)
    session.commit()
    address = f"{editor_of(question)}as-candidate"
    assert html.escape(address) in desk.get(editor_of(question)).text
    shown = desk.get(address)
    assert shown.headers["Cache-Control"] == "no-store"
    assert '<meta name="robots" content="noindex">' in shown.text
    assert "Revision 2, not public: this is how it will read." in shown.text
    assert "What publishing will change" in shown.text
    publish(session, [question], by=None, at=AT)
    session.commit()
    public = desk.get(f"/questions/{question.slug}").text

    def article(page: str) -> str:
        shown = page.partition("<article>")[2].partition("</article>")[0]
        # What only a public page can tell: when it changed, and how it is cited.
        shown = re.sub(
            r'<li><a href="[^"]*/history">.*?</li>|<div class="cite">.*', "", shown, flags=re.S
        )
        text_ = re.sub(r"<[^>]+>", " ", shown)
        return " ".join(text_.split()).replace("Correction 1 · factual", "Factual")

    assert "It was wrong ." in article(public)
    assert article(shown.text) == article(public)
    assert "which is public: this is how it reads." in desk.get(address).text


@pytest.mark.parametrize("answers", [[], None], ids=["no answer", "a draft"])
def test_what_was_never_public_can_be_seen_so_too(
    desk: FlaskClient, session: Session, answers: list[AnswerItem] | None
) -> None:
    fields = {} if answers is None else {"answers": answers}
    question = make_question(session, **fields)
    page = desk.get(f"{editor_of(question)}as-candidate").text
    assert "Revision 1, not public: this is how it will read." in page
    assert ("Nothing is answered yet." in page) == (answers == [])
    assert f"/questions/{question.slug}.json" not in page
