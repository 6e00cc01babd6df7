"""Corrections at the desk: filed, laid over today's text, decided one at a time, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cms.models import AuditEvent, Correction, Question
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.questions import save
from cms.vocabulary import CorrectionKind, CorrectionStatus, Origin, Role, TextPart
from cms.web.admin import deciding
from cms.web.admin.corrections import LATE
from tests.factories import AT, make_published, make_question
from tests.web.pages import fields_of, notes_of, reread, revision_of, submit

AsRole = Callable[[Role | None], FlaskClient]
Send = Callable[..., Any]

BODY = "The port is 8000. It can be changed.\n\nThe host is local."
FIXED = BODY.replace("8000", "5000")
FILED = {
    "kind": "outdated",
    "claim": "The port is `8000`.",
    "explanation": "It is 5000.",
    "fix": "Port 5000.",
    "sources[0].url": "https://example.org/port",
    "sources[0].title": "Ports",
    "credit": "A reader",
}


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def only_correction(session: Session) -> Correction:
    found = session.scalars(select(Correction).execution_options(populate_existing=True)).one()
    session.commit()
    return found


def proposed(session: Session, question: Question, text: str = FIXED, **fields: Any) -> Correction:
    values: dict[str, Any] = {
        "kind": CorrectionKind.factual,
        "claim": "The port is 8000.",
        "part": TextPart.body,
        "answer_uid": reread(session, question).answers[0].uid,
        "proposed": text,
    }
    correction = open_correction(session, question, **(values | fields), by=None, at=AT)
    session.commit()
    return correction


def rewrite(session: Session, question: Question, body: str) -> None:
    content = content_of(question)
    content.answers[0].body = body
    save(session, question, content, seen_version=question.latest_number, by=None, at=AT)
    session.commit()


def address(correction: Correction) -> str:
    return f"/admin/corrections/{correction.id}/"


def text_of(page: str) -> str:
    """The words of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", "", page).split()).replace("&#39;", "'")


# --- the whole way --------------------------------------------------------------------


def test_a_correction_is_filed_with_its_text_accepted_and_public(
    as_role: AsRole, desk: FlaskClient, session: Session
) -> None:
    question = reread(session, make_published(session, body=BODY))
    uid = question.answers[0].uid
    reporter = as_role(Role.contributor)
    filing = f"/admin/corrections/new/?question={question.id}"
    filed = submit(
        reporter, filing, form="form", **FILED, **{f"proposed.body:{uid}": FIXED, "op": "file"}
    )
    assert filed.location == f"/admin/questions/{question.id}/#corrections"
    correction = only_correction(session)
    assert (correction.part, correction.answer_uid, correction.seen_in) == (TextPart.body, uid, 1)
    assert correction.proposed == FIXED, "the text that was typed over says where"
    assert "An editor will decide." in reporter.get(address(correction)).text

    page = desk.get("/admin/corrections/next", follow_redirects=True).text
    assert re.search(r"<del>8000</del><ins>5000</ins>", page)
    assert "1 of 1" in text_of(page)
    accepted = submit(desk, address(correction), form="decide", op="publish", credit="Grace")
    assert notes_of(desk.get(accepted.location).text) == [
        "Accepted in revision 2. Look at it",
        "Published in release 2.",
        "No correction is open.",
    ]
    correction = only_correction(session)
    assert (correction.status, correction.fixed_in, correction.number) == ("accepted", 2, 1)
    assert reread(session, question).answers[0].body == FIXED
    history = desk.get(f"/admin/questions/{question.id}/revisions/").text
    for named in (history, desk.get(f"/admin/questions/{question.id}/revisions/2/").text):
        assert "correction 1: The port is <code>8000</code>." in named
    decided = desk.get(address(correction)).text
    assert 'href="/corrections/1"' in decided
    assert "<del>8000</del><ins>5000</ins>" in decided, "what was proposed can still be read"
    for path in ("/corrections/1", "/corrections/", f"/questions/{question.slug}"):
        assert "Grace" in desk.get(path).text
    [item] = desk.get("/export/bank.json").json["questions"]  # type: ignore[index]
    assert [(c["number"], c["fixed_in"]) for c in item["corrections"]] == [(1, 2)]


# --- filing ------------------------------------------------------------------------------


LACKING: list[tuple[dict[str, str], str]] = [
    ({"claim": ""}, "Say what was wrong."),
    ({"kind": "silly"}, "Choose what kind of error it is."),
    ({"sources[0].url": "ftp://x"}, "is not a web address"),
    ({"where": "body:00000000-0000-0000-0000-000000000000"}, "no such answer any more"),
    ({"where": "context", "proposed.stem": "Other?"}, "but changed the stem"),
    ({"proposed.stem": ""}, "It is empty. Write the question."),
    ({"proposed.stem": "Other?", "proposed.context": "New."}, "for each text"),
    ({"uid": "mine"}, "is not a UUID"),
    ({"seen_in": "99999999999", "claim": ""}, "Say what was wrong."),
    ({"op": "add-source"}, "Source 2, address"),
]


def test_what_a_filed_correction_lacks_is_said_and_nothing_is_lost(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session)
    filing = f"/admin/corrections/new/?question={question.id}"
    opened = fields_of(desk.get(filing).text, "form")
    for fields, message in LACKING:
        refused = desk.post(filing, data=opened | FILED | fields)
        assert refused.status_code == 200, fields
        assert message in text_of(refused.text), fields
        again = fields_of(refused.text, "form")
        assert (again["explanation"], again["sources[0].title"]) == ("It is 5000.", "Ports")
    assert session.scalar(select(func.count()).select_from(Correction)) == 0


def test_a_form_that_is_sent_twice_files_once_and_as_it_was_opened(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body=BODY)
    filing = f"/admin/corrections/new/?question={question.id}&where=stem"
    form = fields_of(desk.get(filing).text, "form") | FILED | {"proposed.stem": "Which port?"}
    rewrite(session, question, FIXED)
    for _ in range(2):
        assert desk.post(filing, data=form).status_code == 303
    correction = only_correction(session)
    assert (correction.seen_in, correction.proposed) == (1, "Which port?")


@pytest.mark.parametrize("page", ["new/?question=1", "1/"])
def test_who_is_logged_out_gets_back_what_they_typed(
    app: Flask, as_role: AsRole, session: Session, send: Send, page: str
) -> None:
    proposed(session, make_question(session, body=BODY))
    kept = send(as_role(None), f"/admin/corrections/{page}", op="accept", text="Typed for long.")
    assert kept.status_code == 401
    assert "Typed for long." in kept.text
    assert only_correction(session).status == CorrectionStatus.open


# --- deciding -----------------------------------------------------------------------------


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"op": "reject"}, "Say why: the reporter will want to know."),
    ({"op": "hold", "reason": " "}, "Say what it waits for"),
    ({"op": "accept", "text": ""}, "It is empty. Write the answer"),
    ({"op": "accept", "text": BODY}, "reads like this already"),
    ({"op": "accept", "fixed_in": "9"}, "no revision 9"),
    ({"op": "accept", "fixed_in": "x"}, "Choose the revision"),
    ({"op": "accept", "fixed_in": "1", "text": "Mine."}, "You edited the text."),
    ({"op": "accept", "credit": "x" * 501}, "the limit is 500"),
    ({"op": "duplicate", "duplicate_of": "77"}, "There is no such correction."),
    ({"op": "duplicate", "duplicate_of": "/admin/corrections/1/"}, "no duplicate of itself"),
    ({"op": "reopen"}, "This correction is open."),
    ({"op": "purge"}, "Press one of the buttons below"),
]


def test_a_decision_that_is_refused_says_why_and_keeps_what_was_typed(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body=BODY)
    correction = proposed(session, question)
    opened = fields_of(desk.get(address(correction)).text, "decide") | {"fix": "Kept."}
    for fields, message in REFUSED:
        refused = desk.post(address(correction), data=opened | fields)
        assert refused.status_code == 200, fields
        assert message in text_of(refused.text), fields
        assert fields_of(refused.text, "decide")["fix"] == "Kept."
    assert only_correction(session).status == CorrectionStatus.open


def test_an_edited_text_is_compared_and_is_what_is_saved(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body=BODY)
    correction = proposed(session, question)
    compared = submit(desk, address(correction), form="decide", op="compare", text="Port 5000.")
    assert fields_of(compared.text, "decide")["text"] == "Port 5000."
    assert "can be changed" in "".join(re.findall(r"<del>[^<]*</del>", compared.text))
    assert only_correction(session).status == CorrectionStatus.open
    submit(desk, address(correction), form="decide", op="accept", text="Port 5000.\r\n")
    kept = revision_of(session, question, 2)
    assert kept.answers[0].body == "Port 5000."
    actions = select(AuditEvent.action, AuditEvent.data).order_by(AuditEvent.id.desc()).limit(2)
    accepted, saved = session.execute(actions).all()
    assert (accepted.action, accepted.data["fixed_in"]) == ("correction.accept", 2)
    assert (saved.action, saved.data["origin"]) == ("question.save", Origin.correction)


def test_a_question_that_changed_under_a_decision_shows_both_changes_and_saves_them(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body=BODY)
    correction = proposed(session, question)
    form = fields_of(desk.get(address(correction)).text, "decide")
    rewrite(session, reread(session, question), BODY.replace("local", "127.0.0.1"))
    stale = desk.post(
        address(correction),
        data=form | {"op": "accept", "text": FIXED + " Mine.", "reason": "Kept."},
    )
    assert "saved the question meanwhile" in text_of(stale.text)
    again = fields_of(stale.text, "decide")
    assert (again["seen_version"], again["reason"]) == ("2", "Kept.")
    assert "5000" in again["text"]
    assert only_correction(session).status == CorrectionStatus.open
    mended = FIXED.replace("local", "127.0.0.1")
    desk.post(address(correction), data=again | {"op": "accept", "text": mended})
    assert only_correction(session).fixed_in == 3
    assert reread(session, question).answers[0].body == mended


def test_a_correction_that_somebody_decided_meanwhile_says_so_and_gives_back_the_reason(
    desk: FlaskClient, session: Session
) -> None:
    correction = proposed(session, make_question(session, body=BODY))
    form = fields_of(desk.get(address(correction)).text, "decide")
    for _ in range(2):
        page = desk.post(address(correction), data=form | {"op": "reject", "reason": "Long word."})
    assert "This correction was rejected already." in text_of(page.text)
    assert page.text.count("Long word.") == 2, "as the reason, and as what was typed"
    reopened = submit(desk, address(correction), form=address(correction), op="reopen")
    assert reopened.location == address(correction)
    assert only_correction(session).status == CorrectionStatus.open


def test_accepting_publishes_no_text_that_was_not_seen(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, body=BODY)
    correction = proposed(session, question)
    form = fields_of(desk.get(address(correction)).text, "decide")
    rewrite(session, reread(session, question), "Not looked at by anybody.")
    decided = desk.post(address(correction), data=form | {"op": "publish", "fixed_in": "1"})
    assert notes_of(desk.get(decided.location).text) == [
        "Accepted in revision 1. Look at it",
        "Not published. The command line saved revision 2 since you looked. "
        "Nothing goes public before you have seen that, too.",
        "No correction is open.",
    ]
    assert only_correction(session).status == CorrectionStatus.accepted
    assert reread(session, question).published_number is None


def test_a_decision_about_a_question_that_was_deleted_meanwhile_is_given_back(
    desk: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    correction = proposed(session, make_question(session, body=BODY))
    page, key = address(correction), correction.question_id
    form = fields_of(desk.get(page).text, "decide")
    perform = deciding._perform

    def late(session: Session, *given: Any) -> None:
        session.expire_on_commit = False
        session.execute(delete(Question).where(Question.id == key))
        session.commit()
        perform(session, *given)

    monkeypatch.setattr(deciding, "_perform", late)
    gone = desk.post(page, data=form | {"op": "reject", "reason": "Long word."})
    assert gone.status_code == 404
    assert "Somebody deleted this" in gone.text
    assert "Long word." in gone.text


STATES = {
    "applies": ([], "What readers will see"),
    "rebased": ([BODY.replace("local", "far")], "Rebased: the question changed since r1"),
    "there": ([FIXED], "The question reads like this already, since revision 2."),
    "overlaps": ([BODY.replace("8000", "80")], "Both changed the same place."),
}


@pytest.mark.parametrize("name", STATES)
def test_the_page_says_how_a_proposal_stands_to_the_text_of_today(
    desk: FlaskClient, session: Session, name: str
) -> None:
    since, words = STATES[name]
    question = make_question(session, body=BODY)
    correction = proposed(session, question)
    for body in since:
        rewrite(session, reread(session, question), body)
    page = desk.get(address(correction)).text
    assert words in text_of(page)
    chosen = fields_of(page, "decide")["fixed_in"]
    assert chosen == ("2" if name == "there" else "new")
    submit(desk, address(correction), form="decide", op="accept")
    assert only_correction(session).fixed_in == (1 + len(since) + (name != "there"))


def test_a_proposal_for_an_answer_that_is_gone_can_still_be_read_and_decided(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body=BODY)
    correction = proposed(session, question)
    content = content_of(reread(session, question))
    content.answers = [content.answers[0].__class__(body="Another.")]
    save(session, question, content, seen_version=1, by=None, at=AT)
    session.commit()
    page = desk.get(address(correction)).text
    assert "This text is gone" in text_of(page)
    assert FIXED.splitlines()[0] in page
    submit(desk, address(correction), form="decide", op="accept", fixed_in="2")
    assert only_correction(session).fixed_in == 2


def test_a_duplicate_is_marked_by_the_address_of_its_original(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body=BODY)
    original, again = proposed(session, question), proposed(session, question, credit="Grace")
    submit(
        desk,
        address(again),
        form="decide",
        op="duplicate",
        duplicate_of=f"http://localhost{address(original)}",
        credit_too="1",
    )
    session.expire_all()
    assert (again.status, again.duplicate_of_id) == (CorrectionStatus.duplicate, original.id)
    assert original.credit == "Grace"
    session.commit()
    assert f'href="{address(original)}"' in desk.get(address(again)).text


# --- the queue ------------------------------------------------------------------------------


def test_the_queue_leads_from_the_oldest_to_the_newest_and_back(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body=BODY)
    made = [proposed(session, question, claim=f"Claim {n}.") for n in range(3)]
    made[0].created_at = AT + timedelta(days=1)
    held = proposed(session, question, claim="Held.")
    held.status = CorrectionStatus.held
    session.commit()
    in_order = [made[1], made[2], made[0]]
    assert desk.get("/admin/corrections/next").location == address(made[1])
    for position, correction in enumerate(in_order, start=1):
        page = desk.get(address(correction)).text
        assert f"{position} of 3" in text_of(page)
        found = re.findall(r'rel="(prev|next)" href="([^"]+)"', page)
        beside = {
            "prev": address(in_order[position - 2]) if position > 1 else None,
            "next": address(in_order[position]) if position < 3 else None,
        }
        assert dict(found) == {name: link for name, link in beside.items() if link}
    assert "1 of 1" in text_of(desk.get(address(held)).text)
    listed = desk.get("/admin/corrections/?status=open").text
    assert re.findall(r"Claim \d", listed) == ["Claim 1", "Claim 2", "Claim 0"]
    done = submit(desk, address(made[1]), form="decide", op="reject", reason="No.")
    assert done.location == address(made[2])
    done = submit(desk, address(made[0]), form="decide", op="reject", reason="No.")
    assert done.location == address(made[2]), "after the newest, the oldest"
    back = f"/admin/questions/{question.id}/"
    done = submit(desk, f"{address(made[2])}?url={back}", form="decide", op="reject", reason="No.")
    assert done.location == back


def test_corrections_are_filtered_and_searched_and_late_ones_are_marked(
    desk: FlaskClient, session: Session
) -> None:
    question, now = make_question(session), datetime.now(UTC)
    for kind, at in (
        (CorrectionKind.factual, now - LATE - timedelta(hours=1)),
        (CorrectionKind.editorial, now),
    ):
        open_correction(session, question, kind=kind, claim=f"A {kind} claim", by=None, at=at)
    session.commit()

    def claims(query: str) -> list[str]:
        return re.findall(r"A \w+ claim", desk.get(f"/admin/corrections/?{query}").text)

    assert len(claims("status=open")) == 2
    assert claims("status=accepted") == []
    assert claims("kind=factual") == ["A factual claim"]
    assert claims("search=EDITORIAL") == ["A editorial claim"]
    assert len(claims("search=view")) == 2
    assert claims("age=old") == ["A factual claim"]
    assert desk.get("/admin/corrections/?status=open").text.count("when hot") == 1
    assert "There is no age ‘x’" in desk.get("/admin/corrections/?age=x").text
    assert desk.get("/admin/corrections/new/").status_code == 404


def test_a_contributor_does_not_decide(
    as_role: AsRole, csrf: Callable[[FlaskClient], str], session: Session
) -> None:
    correction = proposed(session, make_question(session, body=BODY))
    other = proposed(session, make_question(session, "Another?", body=BODY))
    client = as_role(Role.contributor)
    form = {"csrf_token": csrf(client), "fixed_in": "1", "duplicate_of": str(other.id)}
    for verb in ("accept", "publish", "reject", "hold", "duplicate", "reopen"):
        refused = client.post(address(correction), data=form | {"op": verb, "reason": "No."})
        assert refused.status_code == 403, verb
        assert "Only an editor may decide on corrections" in text_of(refused.text)
    session.expire_all()
    assert correction.status == CorrectionStatus.open


@pytest.fixture
def four_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMS_FOUR_EYES", "on")


def test_four_eyes_leave_the_acceptance_to_somebody_else(
    four_eyes: None, as_role: AsRole, csrf: Callable[[FlaskClient], str], session: Session
) -> None:
    question = make_question(session, body=BODY)
    mine, theirs = as_role(Role.editor), as_role(Role.admin)
    filing = f"/admin/corrections/new/?question={question.id}"
    submit(mine, filing, form="form", **FILED, **{"proposed.stem": "Which port?"})
    page = address(only_correction(session))
    told = "You filed this correction, so somebody else has to accept it."
    assert told in text_of(mine.get(page).text)
    assert 'value="accept"' not in mine.get(page).text
    form = {"csrf_token": csrf(mine), "op": "accept", "fixed_in": "1"}
    refused = mine.post(page, data=form)
    assert (refused.status_code, told in text_of(refused.text)) == (403, True)
    submit(theirs, page, form="decide", op="accept")
    assert only_correction(session).fixed_in == 2


def test_a_form_that_says_something_else_when_it_is_sent_again_is_shown_again(
    desk: FlaskClient, session: Session
) -> None:
    question = reread(session, make_published(session, body=BODY))
    filing = f"/admin/corrections/new/?question={question.id}"
    form = fields_of(desk.get(filing).text, "form") | FILED
    assert desk.post(filing, data=form).status_code == 303
    assert desk.post(filing, data=form).status_code == 303
    again = desk.post(filing, data=form | {"claim": "The host is local."})
    assert "This form was sent before, in other words" in text_of(again.text)
    assert fields_of(again.text, "form")["claim"] == "The host is local."
    assert only_correction(session).claim == FILED["claim"]


def test_accepting_publishes_nothing_that_was_saved_since_the_page_was_shown(
    desk: FlaskClient, session: Session
) -> None:
    question = reread(session, make_published(session, body=BODY))
    correction = proposed(session, question)
    form = fields_of(desk.get(address(correction)).text, "decide")
    rewrite(session, reread(session, question), "Nobody has looked at this yet.")
    answer = desk.post(address(correction), data=form | {"op": "publish", "fixed_in": "1"})
    told = notes_of(desk.get(answer.location).text)
    assert told[:2] == [
        "Accepted in revision 1. Look at it",
        "Not published. The command line saved revision 2 since you looked. "
        "Nothing goes public before you have seen that, too.",
    ]
    assert reread(session, question).published_number == 1
