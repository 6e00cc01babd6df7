"""The steps of a question's life at the desk, as a browser without scripts takes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms import create_app
from cms.models import Job, Question, User
from cms.services import questions
from cms.services.content import content_of
from cms.services.questions import save
from cms.services.scheduling import schedule
from cms.vocabulary import Role
from tests.conftest import SECRET, dispose
from tests.factories import AT, make_published, make_question, make_warning
from tests.web.conftest import AsRole, Send
from tests.web.pages import fields_of, notes_of, reread, submit


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def of(question: Question, page: str = "") -> str:
    return f"/admin/questions/{question.id}/{page}"


def change(session: Session, question: Question, stem: str, by: User | None = None) -> None:
    changed = replace(content_of(question), stem=stem)
    save(session, question, changed, seen_version=question.latest_number, by=by, at=AT)
    session.commit()


def page_after(desk: FlaskClient, done: object) -> str:
    assert done.status_code == 303, done.text[:400]  # type: ignore[attr-defined]
    return desk.get(done.location).text  # type: ignore[attr-defined]


# --- publishing with eyes open --------------------------------------------------


def test_the_page_shows_what_changes_for_readers_and_publishes_it(
    desk: FlaskClient, session: Session
) -> None:
    question = make_published(session, "What is a view?")
    change(session, question, "What is a good view?")
    page = desk.get(of(question, "publish")).text
    assert "<ins>good </ins>" in page
    assert "What changes for readers" in page
    done = submit(desk, of(question, "publish"), form=of(question, "publish"))
    assert "Published in release 2." in notes_of(page_after(desk, done))
    assert reread(session, question).published_number == 2
    # The same form again, and the page as it is now: there is nothing more to do.
    again = submit(desk, of(question), form="editor", to=of(question, "publish"), number="2")
    assert notes_of(page_after(desk, again)) == [
        "Readers see this text already; there was nothing to publish."
    ]
    assert "Nothing to publish" in desk.get(of(question, "publish")).text


def test_what_was_saved_since_is_shown_before_anything_goes_public(
    desk: FlaskClient, session: Session, editor: User
) -> None:
    question = make_question(session, "First?")
    fields = fields_of(desk.get(of(question, "publish")).text, of(question, "publish"))
    change(session, question, "Second?", by=editor)
    for op in ("now", "schedule"):
        page = desk.post(
            of(question, "publish"), data={**fields, "op": op, "when": "2999-01-01T09:00"}
        )
        assert page.status_code == 200
        assert "Edith saved revision 2 since you looked." in page.text
        assert "Second?" in page.text
    found = reread(session, question)
    assert (found.published_number, found.scheduled_at) == (None, None)
    assert fields_of(page.text, of(question, "publish"))["number"] == "2"


def test_what_keeps_a_question_from_going_public_is_said_with_where_to_mend_it(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session, body="It is , and so on.")
    make_warning(session, question)
    page = desk.get(of(question, "publish")).text
    assert "Import warnings are open. Mend or acknowledge them." in page
    assert f'<a href="{of(question)}#' in page
    assert "Publish now" not in page
    refused = submit(desk, of(question), form="editor", to=of(question, "publish"), number="1")
    assert "Nothing was published or scheduled" in refused.text
    assert reread(session, question).published_number is None


def test_a_schedule_is_made_shown_listed_and_taken_back(
    desk: FlaskClient, session: Session
) -> None:
    question, other = make_question(session, "Soon?"), make_question(session, "Other?")
    address = of(question, "publish")
    when = (datetime.now(UTC) + timedelta(days=400)).replace(second=0, microsecond=0)
    typed = {"op": "schedule", "when": when.strftime("%Y-%m-%dT%H:%M")}
    page = page_after(desk, submit(desk, address, form=address, **typed))
    words = f"{when.day} {when:%b %Y}, {when:%H:%M} UTC"
    assert notes_of(page) == [f"Revision 1 goes public {words}."]
    assert f"goes public {words} (revision 1)" in page
    [job] = session.scalars(select(Job))
    assert job.run_at == when
    session.commit()
    for filter in ("status", "queue"):
        listed = desk.get(f"/admin/questions/?{filter}=scheduled").text
        assert ("Soon?" in listed, "Other?" in listed) == (True, False)
    assert '<span class="pill review">scheduled</span>' in listed
    back = of(question, "unschedule")
    done = submit(desk, of(question), form=back, to=back)
    assert notes_of(page_after(desk, done)) == ["It does not go public by itself any more."]
    again = submit(desk, of(other), form="editor", to=of(other, "unschedule"))
    assert notes_of(page_after(desk, again)) == ["This question is not scheduled (any more)."]


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("", "Say when, with day and time"),
        ("2020-01-01T09:00", "That time is over."),
        ("<script>", "‘&lt;script&gt;’ is no time."),
        ("9" * 3000, "is no time."),
    ],
)
def test_a_time_that_cannot_be_is_refused_beside_its_field(
    desk: FlaskClient, session: Session, when: str, problem: str
) -> None:
    question = make_question(session)
    address = of(question, "publish")
    page = submit(desk, address, form=address, op="schedule", when=when)
    assert page.status_code == 200
    assert problem in page.text
    assert 'aria-invalid="true"' in page.text


def test_a_schedule_that_no_worker_kept_reads_as_overdue(
    desk: FlaskClient, session: Session
) -> None:
    question, hour, now = make_question(session), timedelta(hours=1), datetime.now(UTC)
    schedule(session, question, number=1, when=now - hour, by=None, at=now - 2 * hour)
    session.commit()
    assert "was to go public" in desk.get(of(question)).text
    listed = desk.get("/admin/questions/?queue=scheduled").text
    assert '<span class="pill warm">overdue</span>' in listed


def test_returning_a_scheduled_question_says_that_its_schedule_stands(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session)
    when = (datetime.now(UTC) + timedelta(days=400)).replace(second=0, microsecond=0)
    schedule(session, question, number=1, when=when, by=None, at=datetime.now(UTC))
    session.commit()
    submit(desk, of(question), form="editor", op="submit")
    back = of(question, "return")
    page = page_after(desk, submit(desk, of(question), form=back, to=back))
    assert notes_of(page)[-1].startswith(f"Returned to draft. Revision 1 goes public {when.day} ")
    assert "unless its schedule is taken back" in notes_of(page)[-1]
    assert "goes public" in page


def test_submitting_again_says_that_it_waits(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    told = []
    for stem in ("Once?", "Twice?"):
        done = submit(desk, of(question), form="editor", stem=stem, op="submit")
        told += notes_of(page_after(desk, done))
    assert told == [
        *("Saved as revision 2.", "Submitted for review."),
        *("Saved as revision 3.", "It waits for review already."),
    ]


# --- four eyes -----------------------------------------------------------------------


class TestFourEyes:
    @pytest.fixture
    def app(self, database_url: str) -> Iterator[Flask]:
        app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "FOUR_EYES": True})
        yield app
        dispose(app)

    def test_an_author_submits_and_somebody_else_publishes(
        self, as_role: AsRole, session: Session
    ) -> None:
        author, other = as_role(Role.editor), as_role(Role.admin)
        done = submit(
            author,
            "/admin/questions/new/",
            stem="Mine?",
            op="publish",
            **{"answers[0].body": "So."},
        )
        refusal = "Somebody else has to publish this: you wrote revision 1."
        page = page_after(author, done)
        assert notes_of(page) == ["Saved as revision 1.", f"Not published. {refusal}"]
        # Its author's first button is another one; a direct request is refused like the button.
        assert 'value="submit" data-publish' in page
        [question] = session.scalars(select(Question))
        session.commit()
        shown = author.get(of(question, "publish")).text
        assert refusal in shown
        assert "Publish now" not in shown
        for op in ("now", "schedule"):
            given = {"op": op, "when": "2999-01-01T09:00", "number": "1"}
            sent = submit(author, of(question), form="editor", to=of(question, "publish"), **given)
            assert refusal in sent.text
        assert reread(session, question).published_number is None
        assert 'value="publish" data-publish' in other.get(of(question)).text
        done = submit(other, of(question, "publish"), form=of(question, "publish"))
        assert "Published in release 1." in notes_of(page_after(other, done))


# --- stale forms, and forms sent twice --------------------------------------------------


@pytest.mark.parametrize(
    ("page", "state", "told"),
    [
        ("return", "draft", "This question is not in the stage 'in_review' any more."),
        ("retire", "draft", "‘{}’ is not published, so it cannot be retired."),
        ("unretire", "draft", "This question is not retired."),
        ("delete", "public", questions.WAS_PUBLIC),
    ],
)
def test_a_step_that_was_taken_already_is_refused_with_words(
    desk: FlaskClient, session: Session, send: Send, page: str, state: str, told: str
) -> None:
    question = make_published(session) if state == "public" else make_question(session)
    done = send(desk, of(question, page))
    [note] = notes_of(page_after(desk, done))
    assert note.replace("'What is a view?'", "‘{}’") == told
    assert reread(session, question).stem == "What is a view?"


@pytest.mark.parametrize("page", ["publish", "unschedule", "retire", "delete", "merge", "purge"])
def test_a_question_that_was_deleted_is_not_found(
    as_role: AsRole, session: Session, send: Send, page: str
) -> None:
    question = make_question(session)
    browser, address = as_role(Role.admin), of(question, page)
    session.delete(question)
    session.commit()
    answer = send(browser, address, number="1", into="1")
    assert answer.status_code == 404
    assert "There is no such question. It may have been deleted." in answer.text


# --- merging and purging ---------------------------------------------------------------


def test_a_duplicate_is_merged_by_way_of_both_texts(desk: FlaskClient, session: Session) -> None:
    duplicate = make_published(session, "What are views?", tags=["old"])
    survivor = make_published(session, "What is a view?", body="A callable.")
    page = desk.get(of(duplicate, "merge?q=callable")).text
    assert f'href="{of(duplicate, "merge")}?into={survivor.id}"' in page
    address = of(duplicate, f"merge?into={survivor.id}")
    page = desk.get(address).text
    assert "A callable." in page
    assert "old joins the tags" in page
    fields = fields_of(page, of(duplicate, "merge"))
    change(session, survivor, "What is a view, now?")
    stale = desk.post(of(duplicate, "merge"), data=fields)
    assert "Somebody changed one of the two questions since you looked." in stale.text
    fields = fields_of(stale.text, of(duplicate, "merge"))
    done = desk.post(of(duplicate, "merge"), data=fields)
    assert done.location == of(survivor)
    assert notes_of(page_after(desk, done)) == [
        f"Merged question {duplicate.id} into this one in release 3. "
        "Its new tags wait to be published."
    ]
    assert "It was merged into" in desk.get(of(duplicate)).text
    again = desk.post(of(duplicate, "merge"), data=fields)
    assert "This question was merged into another one already." in again.text
    moved = desk.get("/questions/what-are-views")
    assert (moved.status_code, moved.location) == (301, "/questions/what-is-a-view")


@pytest.mark.parametrize("asked", ["q=", "q=%00", "q=%27%22*(", "q=" + "9" * 500])
def test_any_search_for_a_survivor_is_answered(
    desk: FlaskClient, session: Session, asked: str
) -> None:
    page = desk.get(of(make_question(session), f"merge?{asked}"))
    assert page.status_code == 200
    assert desk.get(of(make_question(session, "B?"), "merge?into=x")).status_code == 404


def test_a_purge_is_meant_by_its_number_and_told_by_its_reason(
    as_role: AsRole, session: Session
) -> None:
    question = make_published(session)
    boss, address = as_role(Role.admin), of(question, "purge")
    page = submit(boss, address, form=address, reason="A wish.", number="7777")
    assert f"Type {question.id}, the number of this question." in page.text
    assert 'value="A wish."' in page.text
    page = submit(boss, address, form=address, number=str(question.id))
    assert "Say why: it is all that stays." in page.text
    done = submit(boss, address, form=address, reason="A wish.", number=str(question.id))
    assert notes_of(page_after(boss, done)) == [
        f"Purged question {question.id}: nothing of its text is left."
    ]
    gone = boss.get("/questions/what-is-a-view")
    assert gone.status_code == 410
    assert "The reason given: A wish." in gone.text
    make_question(session, "Another?")
    assert "The admin purged something that was deleted since" in boss.get("/admin/").text


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("return", {"reason": "Cite a source for <b>that</b>."}),
        ("revisions/1/restore", {"summary": "It had <b>that</b> right."}),
    ],
)
def test_what_was_written_into_a_small_form_comes_back_where_the_log_in_ended(
    as_role: AsRole, session: Session, send: Send, page: str, words: dict[str, str]
) -> None:
    question = make_question(session)
    [written] = words.values()
    kept = send(as_role(None), of(question, page), **words)
    assert kept.status_code == 401
    assert written.replace("<", "&lt;").replace(">", "&gt;") in kept.text
    nothing_written = send(as_role(None), of(question, page))
    assert nothing_written.location == "/login"
