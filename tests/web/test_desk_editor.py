"""The question's editor, as a browser without scripts uses it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload

from cms.extensions import db
from cms.models import LoginSession, Question, Revision, Tag
from cms.models.engine import BUSY_TIMEOUT
from cms.services.content import content_of
from cms.vocabulary import Role, Stage
from tests.factories import AT, make_published, make_question
from tests.web.pages import fields_of, notes_of, reread, revision_of, submit

AsRole = Callable[[Role | None], FlaskClient]


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def editor_of(question: Question) -> str:
    return f"/admin/questions/{question.id}/"


# --- writing -------------------------------------------------------------------


def test_a_new_question_is_saved_with_all_that_was_typed(
    desk: FlaskClient, session: Session
) -> None:
    done = submit(
        desk,
        "/admin/questions/new/",
        **{
            "stem": "What does `g` hold?",
            "context": "In Flask.",
            "tags": "flask/contexts, Python",
            "difficulty": "medium",
            "summary": "First try",
            "answers[0].body": "Data of one request.",
            "answers[0].label": "Short",
            "answers[0].applies_to": "Flask >= 2.2",
            "answers[0].sources[0].url": "https://example.org/g",
            "answers[0].sources[0].title": "On g",
            "answers[0].sources[0].accessed_on": "2026-11-20",
        },
    )
    question = reread(session, session.scalars(select(Question)).one())
    assert (done.status_code, done.location) == (303, f"/admin/questions/{question.id}/")
    content = content_of(question)
    assert (content.stem, content.context, content.difficulty) == (
        "What does `g` hold?",
        "In Flask.",
        "medium",
    )
    assert [tag.slug for tag in question.tags] == ["flask/contexts", "python"]
    (answer,) = content.answers
    assert (answer.label, answer.body, answer.applies_to) == (
        "Short",
        "Data of one request.",
        "Flask >= 2.2",
    )
    assert str(answer.sources[0].accessed_on) == "2026-11-20"
    revision = session.scalars(select(Revision).options(joinedload(Revision.author))).one()
    session.commit()
    assert revision.summary == "First try"
    assert revision.author is not None
    assert revision.author.name == "The editor"
    assert notes_of(desk.get(done.location).text) == ["Saved as revision 1."]


def test_a_new_question_offers_an_answer_even_after_a_refusal(desk: FlaskClient) -> None:
    assert "answers[0].body" in fields_of(desk.get("/admin/questions/new/").text)
    refused = submit(desk, "/admin/questions/new/", stem="")
    assert "answers[0].body" in fields_of(refused.text)


def test_opening_and_saving_unchanged_makes_no_revision(
    desk: FlaskClient, session: Session
) -> None:
    body = "\nA line.\n\n```python\n\tindented\n```"
    question = make_question(session, body=body, tags=["a/b", "c"], difficulty="hard")
    done = submit(desk, editor_of(question))
    assert done.status_code == 303
    assert notes_of(desk.get(done.location).text) == ["Nothing was changed, so nothing was saved."]
    assert reread(session, question).latest_number == 1


def test_a_browsers_line_ends_make_no_difference(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, body="One\n\nTwo")
    submit(desk, editor_of(question), **{"answers[0].body": "One\r\n\r\nTwo"})
    assert reread(session, question).latest_number == 1


def test_saving_appends_a_revision_and_leaves_the_public_text(
    desk: FlaskClient, session: Session
) -> None:
    question = make_published(session)
    submit(desk, editor_of(question), **{"answers[0].body": "Another."})
    reread(session, question)
    assert (question.latest_number, question.published_number) == (2, 1)
    assert revision_of(session, question, 1).answers[0].body == "A function."
    page = desk.get(editor_of(question)).text
    assert "unpublished changes" in page
    assert "What publishing will change" in page


@pytest.mark.parametrize(
    ("fields", "name", "message"),
    [
        ({"stem": " "}, "stem", "It is empty. Write the question."),
        ({"stem": "x" * 501}, "stem", "the limit is 500"),
        ({"slug": "Not A Slug"}, "slug", "small letters a to z"),
        ({"tags": "Bad Tag!"}, "tags", "is not a tag"),
        ({"answers[0].body": ""}, "answers[0].body", "It is empty. Write the answer"),
        ({"answers[0].body": "x" * 200_001}, "answers[0].body", "the limit is 200,000"),
        ({"answers[0].sources[0].url": "javascript:alert(1)"}, "answers[0].sources[0].url", "http"),
        (
            {"answers[0].sources[0].accessed_on": "yesterday"},
            "answers[0].sources[0].accessed_on",
            "Write the date as 2026-11-22",
        ),
        ({"difficulty": "brutal"}, "difficulty", "Choose one of easy, medium, hard"),
    ],
)
def test_a_fault_stands_beside_its_field_and_nothing_typed_is_lost(
    desk: FlaskClient, session: Session, fields: dict[str, str], name: str, message: str
) -> None:
    question = make_question(session)
    typed = {"summary": "kept", "context": "kept too"} | fields
    refused = submit(desk, editor_of(question), **typed)
    assert refused.status_code == 200
    shown = fields_of(refused.text)
    assert {key: shown[key] for key in typed} == typed
    assert f'id="{name}-error"' in refused.text
    assert f'<a href="#{name}">' in refused.text
    assert message in refused.text.replace("&#39;", "'")
    assert reread(session, question).latest_number == 1


def test_a_refused_save_makes_no_tag(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    submit(desk, editor_of(question), stem="", tags="brand/new")
    assert session.scalars(select(Tag)).all() == []


def test_blank_answers_and_sources_are_dropped(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    submit(
        desk,
        editor_of(question),
        **{
            "stem": "Changed",
            "answers[1].label": " ",
            "answers[1].body": "",
            "answers[0].sources[3].url": "",
            "answers[0].sources[3].title": "",
        },
    )
    content = content_of(reread(session, question))
    assert (len(content.answers), len(content.answers[0].sources)) == (1, 1)


@pytest.mark.parametrize(
    ("step", "labels"),
    [
        ("answers[1].up", ["B", "A", "C"]),
        ("answers[0].down", ["B", "A", "C"]),
        ("answers[0].up", ["A", "B", "C"]),
        ("answers[2].down", ["A", "B", "C"]),
        ("answers[1].remove", ["A", "C"]),
        ("add-answer", ["A", "B", "C", ""]),
        ("answers[9].remove", ["A", "B", "C"]),
        ("no such step", ["A", "B", "C"]),
    ],
)
def test_answers_are_moved_by_buttons_without_saving(
    desk: FlaskClient, session: Session, step: str, labels: list[str]
) -> None:
    question = make_question(session)
    typed = {f"answers[{i}].label": label for i, label in enumerate("ABC")}
    typed |= {f"answers[{i}].body": f"Text {label}" for i, label in enumerate("ABC")}
    shown = fields_of(submit(desk, editor_of(question), op=step, **typed).text)
    found = [shown[f"answers[{i}].label"] for i in range(len(labels))]
    assert found == labels
    assert f"answers[{len(labels)}].label" not in shown
    assert reread(session, question).latest_number == 1


def test_sources_are_added_and_removed_by_buttons(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    more = fields_of(submit(desk, editor_of(question), op="answers[0].add-source").text)
    assert more["answers[0].sources[1].url"] == ""
    fewer = fields_of(submit(desk, editor_of(question), op="answers[0].sources[0].remove").text)
    assert "answers[0].sources[0].url" not in fewer


def test_reordered_answers_keep_their_identity(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    submit(desk, editor_of(question), **{"answers[1].body": "Second."})
    before = [answer.uid for answer in content_of(reread(session, question)).answers]
    moved = submit(desk, editor_of(question), op="answers[1].up")
    desk.post(editor_of(question), data=fields_of(moved.text))
    after = [answer.uid for answer in content_of(reread(session, question)).answers]
    assert after == before[::-1]


def test_the_preview_is_the_servers_rendering_and_runs_nothing(desk: FlaskClient) -> None:
    typed = {
        "stem": "Why `x`?",
        "answers[0].body": "**Bold** <script>alert(1)</script>\n\n```python\nimport os\n```",
        "answers[0].sources[0].url": "javascript:alert(1)",
    }
    fields = fields_of(desk.get("/admin/questions/new/").text) | typed
    part = desk.post("/admin/questions/preview", data=fields)
    assert part.status_code == 200
    assert "Why <code>x</code>?" in part.text
    assert "<strong>Bold</strong>" in part.text
    assert '<span class="k">import' in part.text
    assert "<script" not in part.text
    assert 'href="javascript' not in part.text
    whole = submit(desk, "/admin/questions/new/", op="preview", **typed)
    assert "<strong>Bold</strong>" in whole.text


def test_the_preview_waits_for_no_writer(app: Flask, desk: FlaskClient) -> None:
    fields = fields_of(desk.get("/admin/questions/new/").text) | {"stem": "Why?"}
    with app.app_context():
        engine = db.engine
    with engine.begin() as writer:
        writer.execute(text("UPDATE account SET role = role"))
        before = time.monotonic()
        assert desk.post("/admin/questions/preview", data=fields).status_code == 200
        assert time.monotonic() - before < BUSY_TIMEOUT / 1_000 / 2


# --- forms that are stale, sent twice, or made up -----------------------------------


def test_the_same_form_sent_twice_is_one_revision(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    sent = fields_of(desk.get(editor_of(question)).text) | {"stem": "Once?"}
    assert desk.post(editor_of(question), data=sent).status_code == 303
    assert desk.post(editor_of(question), data=sent).status_code == 303
    assert reread(session, question).latest_number == 2


@pytest.mark.parametrize("seen", ["", "x", "-1", "9" * 40])
def test_a_form_that_does_not_say_what_it_saw_is_refused(
    desk: FlaskClient, session: Session, seen: str
) -> None:
    question = make_question(session)
    refused = submit(desk, editor_of(question), stem="New?", seen_version=seen)
    assert refused.status_code == 200
    assert "does not say which revision" in refused.text
    assert reread(session, question).latest_number == 1


def test_answers_of_another_question_cannot_be_taken_over(
    desk: FlaskClient, session: Session
) -> None:
    question, other = make_question(session), make_question(session, "Another?")
    uid = reread(session, other).answers[0].uid
    refused = submit(desk, editor_of(question), **{"answers[0].uid": uid})
    assert refused.status_code == 200
    assert "Another question&#39;s answer has this uid." in refused.text


# --- status is an action ------------------------------------------------------------


def test_publish_saves_and_publishes(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    done = submit(desk, editor_of(question), op="publish", stem="Public?")
    assert notes_of(desk.get(done.location).text) == [
        "Saved as revision 2.",
        "Published in release 1.",
    ]
    assert reread(session, question).published_number == 2
    assert "Public?" in desk.get(f"/questions/{question.slug}").text


def test_the_life_of_a_question_goes_by_actions(
    desk: FlaskClient, session: Session, send: Callable[..., Any]
) -> None:
    question = make_question(session)
    url = editor_of(question)
    submit(desk, url, op="submit")
    assert reread(session, question).stage == Stage.in_review
    send(desk, f"{url}return")
    assert reread(session, question).stage == Stage.draft
    submit(desk, url, op="publish")
    send(desk, f"{url}retire", reason="Outdated.")
    assert reread(session, question).retired_at is not None
    assert desk.get(f"/questions/{question.slug}").status_code == 410
    send(desk, f"{url}unretire")
    assert reread(session, question).retired_at is None
    # It was public: its history stays.
    refused = send(desk, f"{url}delete")
    assert "Retire it instead." in desk.get(refused.location).text
    assert reread(session, question).stage == Stage.draft


def test_a_draft_that_was_never_public_can_be_deleted(
    desk: FlaskClient, session: Session, send: Callable[..., Any]
) -> None:
    question = make_question(session)
    url = editor_of(question)
    # A page of before somebody saved, and one that does not say what it showed.
    for seen in ({"seen_version": "0"}, {}):
        assert send(desk, f"{url}delete", **seen).location.endswith(url)
        assert "since you opened it, so it was not deleted" in desk.get(url).text
    done = send(desk, f"{url}delete", seen_version="1")
    assert done.location == "/admin/questions/"
    assert session.scalars(select(Question)).all() == []
    session.commit()
    assert desk.get(url).status_code == 404
    assert send(desk, f"{url}delete").status_code == 404


@pytest.mark.parametrize("key", ["0", "999", "abc", "9" * 30, "-1", "1e3"])
def test_a_question_that_is_not_there_is_a_404(desk: FlaskClient, key: str) -> None:
    assert desk.get(f"/admin/questions/{key}/").status_code == 404


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/admin/questions/?status=draft", "/admin/questions/?status=draft"),
        ("https://evil.example/", "/admin/questions/"),
        ("//evil.example/", "/admin/questions/"),
        ("javascript:alert(1)", "/admin/questions/"),
        ("/\\evil.example", "/admin/questions/"),
    ],
)
def test_the_way_back_leads_to_this_site_alone(
    desk: FlaskClient, session: Session, url: str, shown: str
) -> None:
    question = make_question(session)
    page = desk.get(editor_of(question), query_string={"url": url}).text
    bar = page.partition('<div class="bar">')[2].partition("<h1>")[0]
    assert re.findall(r'href="([^"]*)">', bar)[-1] == shown


# --- roles -----------------------------------------------------------------------------


def test_a_contributor_drafts_and_submits_but_does_not_publish(
    as_role: AsRole, session: Session
) -> None:
    question = make_question(session)
    client = as_role(Role.contributor)
    page = client.get(editor_of(question)).text
    assert 'value="publish"' not in page
    done = submit(client, editor_of(question), op="publish", stem="Mine?")
    assert notes_of(client.get(done.location).text)[-1].startswith("Not published. Only an editor")
    assert (reread(session, question).stem, question.published_number) == ("Mine?", None)
    submit(client, editor_of(question), op="submit")
    assert reread(session, question).stage == Stage.in_review


def test_a_contributor_reads_a_public_question_and_cannot_save_it(
    as_role: AsRole, session: Session
) -> None:
    question = make_published(session)
    client = as_role(Role.contributor)
    page = client.get(editor_of(question))
    assert 'form="editor"' not in page.text
    assert "File a correction" in page.text
    refused = submit(client, editor_of(question), stem="Mine?")
    assert refused.status_code == 403
    assert "File a correction instead." in refused.text
    assert reread(session, question).latest_number == 1


@pytest.mark.parametrize("verb", ["retire", "unretire"])
def test_a_contributor_is_turned_away_from_an_editors_verb(
    as_role: AsRole, session: Session, send: Callable[..., Any], verb: str
) -> None:
    question = make_published(session)
    client = as_role(Role.contributor)
    assert send(client, f"{editor_of(question)}{verb}").status_code == 403
    assert reread(session, question).retired_at is None


# --- history ----------------------------------------------------------------------------


def test_each_revision_has_a_page_with_what_it_changed(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, body="Port 5000 is used.")
    submit(desk, editor_of(question), **{"answers[0].body": "Port 8000 is used.", "tags": "ports"})
    page = desk.get(f"{editor_of(question)}revisions/2/").text
    assert "<del>5000</del><ins>8000</ins>" in page
    assert "<ins>ports</ins>" in page
    first = desk.get(f"{editor_of(question)}revisions/1/").text
    assert "There is nothing before it" in first
    back = desk.get(f"{editor_of(question)}revisions/1/?against=2").text
    assert "<del>8000</del><ins>5000</ins>" in back
    listed = desk.get(f"{editor_of(question)}revisions/").text
    assert "Revision 2" in listed
    assert "Revision 1" in listed
    assert "Revision 1" in desk.get(f"{editor_of(question)}revisions/?before=2").text
    for wrong in ("3", "0", "x", "9" * 30):
        assert desk.get(f"{editor_of(question)}revisions/{wrong}/").status_code == 404


def test_restoring_makes_a_new_revision(
    desk: FlaskClient, session: Session, send: Callable[..., Any]
) -> None:
    question = make_question(session, body="Old.")
    submit(desk, editor_of(question), **{"answers[0].body": "New."})
    url = f"{editor_of(question)}revisions/1/"
    stale = send(desk, f"{url}restore", seen_version="1")
    assert "saved this question while you were editing" in desk.get(stale.location).text
    done = submit(desk, url, form="restore", to=f"{url}restore")
    assert notes_of(desk.get(done.location).text) == ["Restored as revision 3."]
    assert content_of(reread(session, question)).answers[0].body == "Old."
    again = send(desk, f"{url}restore", seen_version="3")
    assert "nothing was saved" in desk.get(again.location).text


# --- when the log-in goes away -------------------------------------------------------------


def end_sessions(session: Session) -> None:
    for each in session.scalars(select(LoginSession)):
        each.ended_at = AT
    session.commit()


def test_an_expired_log_in_keeps_the_text_until_one_is_back(
    app: Flask, as_role: AsRole, session: Session
) -> None:
    question = make_question(session)
    client = as_role(Role.editor)
    form = fields_of(client.get(editor_of(question)).text)
    typed = form | {"stem": "Typed for an hour?", "answers[0].body": "<b>Long</b> text"}
    end_sessions(session)
    kept = client.post(editor_of(question), data=typed)
    assert kept.status_code == 401
    assert "your text is kept" in kept.text
    assert "&lt;b&gt;Long&lt;/b&gt; text" in kept.text
    waiting = fields_of(kept.text, editor_of(question))
    assert waiting["stem"] == "Typed for an hour?"
    # Logged in again, in another tab of the same browser; the token of this page is old.
    again = as_role(Role.editor)
    shown = again.post(editor_of(question), data=waiting | {"op": "preview"})
    assert shown.status_code == 400
    assert "nothing is lost" in shown.text
    done = again.post(editor_of(question), data=fields_of(shown.text))
    assert done.status_code == 303
    assert reread(session, question).stem == "Typed for an hour?"


def test_other_pages_of_the_desk_lead_to_the_log_in_and_back(as_role: AsRole) -> None:
    nobody = as_role(None)
    asked = nobody.get("/admin/questions/?status=draft")
    assert asked.status_code == 302
    assert asked.location == "/login?next=/admin/questions/?status%3Ddraft"


def test_a_post_without_a_token_changes_nothing(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    form = fields_of(desk.get(editor_of(question)).text) | {"stem": "Forged?"}
    del form["csrf_token"]
    shown = desk.post(editor_of(question), data=form)
    assert shown.status_code == 400
    assert reread(session, question).stem == "What is a view?"
    assert desk.post(f"{editor_of(question)}delete").status_code == 400
