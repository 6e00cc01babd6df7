"""Two people and one question: texts that are put together, kept text, who else is there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Autosave, LoginSession, Presence, Question
from cms.models.engine import BUSY_TIMEOUT
from cms.services.content import content_of
from cms.vocabulary import Role
from cms.web.auth import SEEN
from tests.factories import AT, make_published, make_question, make_warning
from tests.web.pages import fields_of, notes_of, reread, revision_of, submit

pytestmark = pytest.mark.each_database

AsRole = Callable[[Role | None], FlaskClient]
BODY = "The host is 127.0.0.1.\n\nThe port is 5000.\n\nBoth can be changed."


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


@pytest.fixture
def other(as_role: AsRole) -> FlaskClient:
    return as_role(Role.admin)


@pytest.fixture
def question(session: Session) -> Question:
    return make_question(session, "Where does it listen?", BODY)


def editor_of(question: Question) -> str:
    return f"/admin/questions/{question.id}/"


def conflict(
    desk: FlaskClient,
    other: FlaskClient,
    question: Question,
    theirs: dict[str, str],
    mine: dict[str, str],
) -> str:
    """The page that a stale save leads to."""
    stale = fields_of(desk.get(editor_of(question)).text)
    saved = submit(other, editor_of(question), **theirs)
    assert saved.status_code == 303
    page = desk.post(editor_of(question), data=stale | mine)
    assert page.status_code == 200
    return page.text


def answered(body: str) -> dict[str, str]:
    return {"answers[0].body": body}


def steps_of(page: str, verb: str) -> list[str]:
    return re.findall(rf'value="({verb}:[^"]+)"', page)


def kept(session: Session) -> list[Autosave]:
    rows = list(session.scalars(select(Autosave).execution_options(populate_existing=True)))
    session.commit()
    return rows


def bring_back(client: FlaskClient, question: Question, row: Autosave) -> Any:
    """Open the question and press the button of the notice."""
    address = f"/admin/questions/unsaved/{row.id}/open"
    return submit(client, editor_of(question), form="/open", to=address)


# --- texts that are put together ------------------------------------------------------


def test_changes_in_different_places_are_one_text_that_is_saved_deliberately(
    desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    page = conflict(
        desk,
        other,
        question,
        answered(BODY.replace("5000", "8000")) | {"tags": "theirs", "context": "Theirs."},
        answered(BODY.replace("Both", "All of it")) | {"tags": "mine", "summary": "My reason"},
    )
    assert "The admin saved this question while you were editing it" in page
    assert "merged: your changes and theirs" in page
    assert "To decide" not in page
    shown = fields_of(page)
    both = BODY.replace("5000", "8000").replace("Both", "All of it")
    assert (shown["answers[0].body"], shown["tags"]) == (both, "mine, theirs")
    assert (shown["context"], shown["summary"]) == ("Theirs.", "My reason")
    assert content_of(reread(session, question)).answers[0].body != both
    done = desk.post(editor_of(question), data=shown)
    assert done.status_code == 303
    assert notes_of(desk.get(done.location).text) == ["Saved as revision 3."]
    saved = reread(session, question)
    assert (saved.context, content_of(saved).answers[0].body) == ("Theirs.", both)
    assert [tag.slug for tag in saved.tags] == ["mine", "theirs"]


def test_a_stale_save_overwrites_nothing_and_asks_where_both_changed_the_same(
    desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    theirs, mine = BODY.replace("127.0.0.1", "::1"), BODY.replace("127.0.0.1", "localhost")
    page = conflict(desk, other, question, answered(theirs), answered(mine))
    assert "<del>127.0.0.1</del><ins>::1</ins>" in page
    assert "<del>127.0.0.1</del><ins>localhost</ins>" in page
    shown = fields_of(page)
    assert shown["answers[0].body"] == mine
    assert content_of(reread(session, question)).answers[0].body == theirs
    # Saving again is deliberate: the form now says that theirs was seen.
    assert desk.post(editor_of(question), data=shown).status_code == 303
    assert content_of(reread(session, question)).answers[0].body == mine
    assert revision_of(session, question, 2).answers[0].body == theirs


@pytest.mark.parametrize(
    ("verb", "merged"),
    [
        ("theirs", "The host is ::1.\n\nThe port is mine."),
        ("mine", "The host is localhost.\n\nThe port is mine."),
        ("both", "The host is ::1.\nThe host is localhost.\n\nThe port is mine."),
    ],
)
def test_each_place_is_decided_by_a_button_and_asked_about_no_more(
    desk: FlaskClient, other: FlaskClient, question: Question, verb: str, merged: str
) -> None:
    theirs = "The host is ::1.\n\nThe port is theirs."
    mine = "The host is localhost.\n\nThe port is mine."
    page = conflict(desk, other, question, answered(theirs), answered(mine))
    # The two paragraphs with their gap are one stretch to nobody: each is asked by itself.
    places = steps_of(page, verb)
    assert len(places) == 2
    decided = desk.post(editor_of(question), data=fields_of(page) | {"op": places[0]})
    assert decided.status_code == 200
    assert fields_of(decided.text)["answers[0].body"] == merged
    open_still = decided.text.partition("Together in the form")[0]
    assert steps_of(open_still, verb) == places[1:]
    # What is decided stays decided while the form goes on, and a part is added to it.
    more = desk.post(
        editor_of(question), data=fields_of(decided.text) | {"op": "answers[0].add-source"}
    ).text
    assert "answers[0].sources[1].url" in fields_of(more)
    assert steps_of(more.partition("Together in the form")[0], verb) == places[1:]


def test_an_answer_that_one_removed_and_the_other_changed_is_asked_about(
    desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    submit(desk, editor_of(question), **{"answers[1].body": "Second."})
    stale = fields_of(desk.get(editor_of(question)).text)
    removed = fields_of(submit(other, editor_of(question), op="answers[1].remove").text)
    assert other.post(editor_of(question), data=removed).status_code == 303
    untouched = desk.post(editor_of(question), data=stale | {"stem": "Mine?"}).text
    assert "answers[1].body" not in fields_of(untouched)
    changed = stale | {"answers[1].body": "Second, by me."}
    page = desk.post(editor_of(question), data=changed).text
    assert "removed by The admin, changed by you" in page
    assert fields_of(page)["answers[1].body"] == "Second, by me."
    [step] = steps_of(page, "theirs")
    gone = desk.post(editor_of(question), data=fields_of(page) | {"op": step}).text
    assert "answers[1].body" not in fields_of(gone)
    assert "Your text and theirs now say the same" in gone


def test_a_second_conflict_starts_from_what_was_seen_last(
    desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    page = conflict(desk, other, question, {"context": "First."}, {"stem": "Mine?"})
    submit(other, editor_of(question), context="Second.")
    again = fields_of(desk.post(editor_of(question), data=fields_of(page)).text)
    assert (again["stem"], again["context"], again["base"]) == ("Mine?", "Second.", "2")
    assert desk.post(editor_of(question), data=again).status_code == 303


def test_import_warnings_stand_on_the_page_too_and_can_be_acknowledged_there(
    desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    make_warning(session, question, "The port is 5000")
    page = conflict(desk, other, question, {"stem": "Theirs?"}, {"stem": "Mine?"})
    assert "A word is missing." in page
    [step] = steps_of(page, "acknowledge")
    done = desk.post(editor_of(question), data=fields_of(page) | {"op": step}).text
    assert "Acknowledged." in notes_of(done)
    assert steps_of(done, "theirs")
    assert fields_of(done)["stem"] == "Mine?"


@pytest.mark.parametrize(
    "fields",
    [
        {"base": "x"},
        {"base": "99"},
        {"seen_version": "99"},
        {"seen_version": ""},
        {"op": "theirs:stem#000000000000"},
        {"op": "theirs:no/such#part"},
        {"op": "both:"},
        {"settled": "\0nonsense"},
        {"form_id": "'; DROP TABLE"},
    ],
    ids=str,
)
def test_a_form_that_was_tampered_with_loses_nothing_and_saves_nothing(
    desk: FlaskClient,
    other: FlaskClient,
    session: Session,
    question: Question,
    fields: dict[str, str],
) -> None:
    page = conflict(desk, other, question, {"stem": "Theirs?"}, {"stem": "Mine?"})
    shown = desk.post(editor_of(question), data=fields_of(page) | {"op": "preview"} | fields)
    assert shown.status_code == 200
    assert fields_of(shown.text)["stem"] == "Mine?"
    assert reread(session, question).latest_number == 2


# --- kept text ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [
        ({"stem": "Typed?", "op": "add-answer"}, True),
        ({"stem": "Typed?", "slug": "Not A Slug"}, True),
        ({"stem": "Typed?", "seen_version": "0"}, False),
        ({"stem": "Typed?"}, False),
    ],
    ids=["a step", "a refusal", "a form that says nothing", "a save"],
)
def test_what_a_post_did_not_save_is_kept_and_offered(
    desk: FlaskClient,
    other: FlaskClient,
    session: Session,
    question: Question,
    fields: dict[str, str],
    is_kept: bool,
) -> None:
    submit(desk, editor_of(question), **fields)
    opened = desk.get(editor_of(question)).text
    assert ("You typed text that was never saved." in opened) is is_kept
    assert "never saved" not in other.get(editor_of(question)).text
    if not is_kept:
        return
    [row] = kept(session)
    back = submit(
        desk, editor_of(question), form="/open", to=f"/admin/questions/unsaved/{row.id}/open"
    )
    assert fields_of(back.text)["stem"] == "Typed?"
    saved = desk.post(editor_of(question), data=fields_of(back.text) | {"slug": "typed"})
    assert saved.status_code == 303
    assert reread(session, question).stem == "Typed?"
    assert kept(session) == []


def test_kept_text_of_an_older_revision_comes_back_beside_the_newer_one(
    desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    mine = BODY.replace("Both", "All of it").replace("127.0.0.1", "localhost")
    submit(desk, editor_of(question), op="preview", **answered(mine))
    theirs = BODY.replace("5000", "8000").replace("127.0.0.1", "::1")
    submit(other, editor_of(question), **answered(theirs))
    opened = desk.get(editor_of(question)).text
    assert "begun on revision 1; the question is at revision 2 now" in opened
    [row] = kept(session)
    page = bring_back(desk, question, row).text
    assert "The admin saved this question while you were editing it" in page
    assert fields_of(page)["answers[0].body"] == mine.replace("5000", "8000")
    assert len(steps_of(page, "theirs")) == 1
    # What the conflict has come to is kept in its turn, and comes back as it was.
    step = steps_of(page, "mine")[0]
    decided = desk.post(editor_of(question), data=fields_of(page) | {"op": step})
    again = submit(
        desk, editor_of(question), form="/open", to=f"/admin/questions/unsaved/{row.id}/open"
    ).text
    assert fields_of(again) == fields_of(decided.text) | {
        "csrf_token": fields_of(again)["csrf_token"]
    }
    assert "everything is decided" in again


def test_unsaved_texts_are_listed_for_their_writer_and_discarded(
    desk: FlaskClient,
    other: FlaskClient,
    session: Session,
    question: Question,
    send: Callable[..., Any],
) -> None:
    submit(desk, editor_of(question), op="preview", stem="Typed `here`?")
    submit(desk, "/admin/questions/new/", op="preview", stem="A new one?")
    listed = desk.get("/admin/questions/unsaved/").text
    assert "Typed <code>here</code>?" in listed
    assert "A new one?" in listed
    assert "Everything that you typed is saved." in other.get("/admin/questions/unsaved/").text
    for row in kept(session):
        for verb in ("open", "discard"):
            gone = send(other, f"/admin/questions/unsaved/{row.id}/{verb}")
            assert gone.status_code == 404
            assert "there is nothing to bring back" in gone.text
        if row.question_id is None:
            back = send(desk, f"/admin/questions/unsaved/{row.id}/open")
            assert fields_of(back.text)["stem"] == "A new one?"
        done = send(desk, f"/admin/questions/unsaved/{row.id}/discard")
        assert "Discarded." in notes_of(desk.get(done.location).text)
        assert send(desk, f"/admin/questions/unsaved/{row.id}/open").status_code == 404
    assert kept(session) == []


def autosave(client: FlaskClient, page: str, address: str, **changes: str) -> Any:
    """Send what a page's script sends."""
    found = re.search(r'data-writer="(\d+)"', page)
    assert found
    return client.post(f"{address}autosave", data={"writer": found[1]} | fields_of(page) | changes)


def test_what_is_typed_is_kept_while_it_is_typed(
    as_role: AsRole, session: Session, question: Question
) -> None:
    desk = as_role(Role.contributor)
    page = desk.get(editor_of(question)).text
    first = autosave(desk, page, editor_of(question), stem="Ty")
    second = autosave(desk, page, editor_of(question), stem="Typed?")
    assert datetime.fromisoformat(first.json["kept_at"]) <= datetime.fromisoformat(
        second.json["kept_at"]
    )
    [row] = kept(session)
    assert ["stem", "Typed?"] in row.fields
    assert "csrf_token" not in dict(row.fields)
    # What says the same as the bank again is not kept.
    assert autosave(desk, page, editor_of(question)).json == {"kept_at": None}
    assert kept(session) == []
    new = desk.get("/admin/questions/new/").text
    autosave(desk, new, "/admin/questions/new/", stem="Typed?")
    assert "You typed text" in desk.get("/admin/questions/new/").text
    saved = desk.post(
        "/admin/questions/new/", data=fields_of(new) | answered("So.") | {"stem": "Typed?"}
    )
    assert saved.status_code == 303
    assert kept(session) == []


def test_typed_text_is_kept_for_no_other_account_and_for_no_question_that_is_gone(
    as_role: AsRole,
    desk: FlaskClient,
    other: FlaskClient,
    session: Session,
    question: Question,
    csrf: Callable[[FlaskClient], str],
) -> None:
    page = desk.get(editor_of(question)).text
    address = editor_of(question)
    tokens = {client: csrf(client) for client in (desk, other)}
    assert autosave(other, page, address, csrf_token=tokens[other]).status_code == 409
    assert autosave(other, page, address).status_code == 400
    assert autosave(desk, page, address, form_id="x", stem="T?").status_code == 422
    assert autosave(desk, page, "/admin/questions/999/").status_code == 404
    for each in session.scalars(select(LoginSession)):
        each.ended_at = AT
    session.commit()
    late = autosave(desk, page, address, csrf_token=tokens[desk], stem="Late?")
    assert (late.status_code, late.json) == (401, {"error": "You are logged out."})
    assert autosave(desk, page, address).status_code == 401
    assert kept(session) == []


def test_a_conflict_outlives_an_expired_log_in(
    as_role: AsRole, desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    page = conflict(desk, other, question, {"stem": "Theirs?"}, {"stem": "Mine?"})
    for each in session.scalars(select(LoginSession)):
        each.ended_at = AT
    session.commit()
    waiting = fields_of(
        desk.post(editor_of(question), data=fields_of(page)).text, editor_of(question)
    )
    again = as_role(Role.editor)
    shown = again.post(editor_of(question), data=waiting | {"op": "preview"})
    assert shown.status_code == 400
    assert "Your log-in was renewed" in shown.text
    assert steps_of(shown.text, "theirs")
    assert fields_of(shown.text)["stem"] == "Mine?"


def test_text_of_a_question_that_was_deleted_meanwhile_becomes_a_new_one(
    desk: FlaskClient,
    other: FlaskClient,
    session: Session,
    question: Question,
    send: Callable[..., Any],
) -> None:
    typed = fields_of(desk.get(editor_of(question)).text) | {"stem": "Typed for an hour?"}
    seen = typed["seen_version"]
    send(other, f"{editor_of(question)}delete", seen_version=seen)
    shown = desk.post(editor_of(question), data=typed)
    assert shown.status_code == 404
    assert "This question was deleted while you were writing." in shown.text
    assert 'action="/admin/questions/new/"' in shown.text
    done = desk.post("/admin/questions/new/", data=fields_of(shown.text))
    assert done.status_code == 303
    made = session.scalars(select(Question)).one()
    session.commit()
    assert made.stem == "Typed for an hour?"
    assert kept(session) == []


def test_the_page_of_an_answer_keeps_offers_and_puts_together_too(
    desk: FlaskClient, other: FlaskClient, session: Session, question: Question
) -> None:
    address = f"/admin/answers/{reread(session, question).answers[0].id}/"
    page = desk.get(address).text
    mine = BODY.replace("Both", "All of it")
    autosave(desk, page, editor_of(question), **answered(mine))
    assert "You typed text that was never saved." in desk.get(address).text
    submit(other, editor_of(question), **answered(BODY.replace("5000", "8000")))
    merged = desk.post(editor_of(question), data=fields_of(page) | answered(mine))
    assert fields_of(merged.text)["answers[0].body"] == mine.replace("5000", "8000")
    [row] = kept(session)
    assert row.version == 1


# --- who else is there --------------------------------------------------------------------


def test_others_are_told_who_has_a_question_open_and_what_was_saved(
    as_role: AsRole,
    desk: FlaskClient,
    other: FlaskClient,
    session: Session,
    question: Question,
    send: Callable[..., Any],
) -> None:
    def beat(client: FlaskClient, typed: str = "0", seen: str = "1") -> dict[str, Any]:
        answer = send(client, f"{editor_of(question)}presence", typed=typed, seen_version=seen)
        assert answer.status_code == 200
        return dict(answer.json)

    contributor = as_role(Role.contributor)
    nobody = {"others": "", "news": "", "latest_number": 1}
    assert beat(desk) == nobody
    assert beat(other, typed="1")["others"] == "The editor has it open"
    assert beat(desk)["others"] == "The admin is writing"
    assert (
        ">The admin is writing; The editor has it open</span>"
        in contributor.get(editor_of(question)).text
    )
    submit(other, editor_of(question), stem="Theirs?")
    told = beat(desk)
    assert told["news"].startswith("The admin saved revision 2 just now: saving yours will show")
    assert told["latest_number"] == 2
    assert beat(other)["news"].startswith("You saved revision 2 just now")
    assert beat(desk, seen="2")["news"] == ""
    assert send(other, f"{editor_of(question)}presence/leave").status_code == 204
    assert beat(desk, seen="2")["others"] == ""
    assert beat(desk, seen="hostile")["others"] == ""
    assert send(desk, "/admin/questions/999/presence").status_code == 404


def test_a_beat_waits_for_no_writer_and_keeps_no_session_alive(
    app: Flask, desk: FlaskClient, session: Session, question: Question, send: Callable[..., Any]
) -> None:
    def seen_at() -> datetime:
        found = session.scalar(select(Presence.seen_at))
        session.commit()
        assert found
        return found

    send(desk, f"{editor_of(question)}presence")
    first = seen_at()
    token = fields_of(desk.get(editor_of(question)).text)["csrf_token"]
    with app.app_context():
        engine = db.engine
    with engine.begin() as writer:
        writer.execute(text("UPDATE presence SET typed = typed"))
        before = time.monotonic()
        send(desk, f"{editor_of(question)}presence")
        assert time.monotonic() - before < BUSY_TIMEOUT / 1_000 / 2
    assert seen_at() == first
    idle = int((datetime.now(UTC) - timedelta(minutes=20)).timestamp())
    with desk.session_transaction("/login") as cookie:
        cookie[SEEN] = idle
    assert (
        desk.post(f"{editor_of(question)}presence", data={"csrf_token": token}).status_code == 200
    )
    with desk.session_transaction("/login") as cookie:
        assert cookie[SEEN] == idle
    assert desk.get(editor_of(question)).status_code == 200
    with desk.session_transaction("/login") as cookie:
        assert cookie[SEEN] > idle


def test_a_contributor_who_may_only_read_is_not_said_to_have_it_open(
    as_role: AsRole, session: Session
) -> None:
    question = make_published(session)
    page = as_role(Role.contributor).get(editor_of(question)).text
    assert 'id="company"' not in page
    assert "data-keep" not in page
