"""Working together at the desk: care, threads, the inbox, my work, any two revisions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Comment, Notification, Question, User, new_uid
from cms.services import accounts, autosaves, comments, inbox
from cms.services.care import set_care
from cms.services.operations import bulk
from cms.services.publishing import publish
from cms.services.questions import save, submit
from cms.services.queues import today
from cms.vocabulary import NotificationKind, Role
from cms.web.admin.inbox import WORDS
from tests.conftest import sent_statements
from tests.factories import AT, content, make_published, make_question
from tests.web.conftest import Send
from tests.web.pages import fields_of, notes_of, reread
from tests.web.pages import submit as send_form

AsRole = Callable[[Role | None], FlaskClient]


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def person(session: Session, role: Role) -> User:
    """The account behind `as_role`, made where nobody has logged in as it yet."""
    name = f"The {role.value}"
    user = session.scalar(select(User).where(User.name == name))
    user = user or accounts.add_user(session, name, role, by=None, at=AT)
    session.commit()
    return user


def tell(session: Session, user: User, question: Question, **more: str) -> Notification:
    inbox.notify(
        session, [user.id], NotificationKind.assigned, by=None, at=AT, question=question, **more
    )
    [note] = inbox.notes(session, user, limit=1)
    session.commit()
    return note


# --- care ------------------------------------------------------------------------------


def test_the_care_is_set_beside_the_text_without_a_revision(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session)
    other = person(session, Role.contributor)
    page = f"/admin/questions/{question.id}/"
    care = {"assignee": other.name, "due_on": "2026-12-01", "reviewer": "The editor"}
    send_form(desk, page, form=f"{question.id}/care", to=f"{page}care", **care)
    told = desk.get(page).text
    assert notes_of(told) == ["Saved who takes care of it."]
    assert "1 Dec 2026" in told
    found = reread(session, question)
    assert (found.assignee_id, found.due_on) == (other.id, date(2026, 12, 1))
    assert found.latest_number == 1
    # Sent again as it stands, nothing changes.
    send_form(desk, page, form=f"{question.id}/care", to=f"{page}care")
    assert notes_of(desk.get(page).text) == ["That is how it was; nothing was changed."]


REFUSED = {
    "assignee": ("Nobody'%\"<b>", "There is no active account ‘Nobody&#39;%&#34;&lt;b&gt;’."),
    "due_on": ("soon", "‘soon’ is not a day. Write it like 2027-01-31."),
    "seen": ("1,2", "The form does not say what it was opened with."),
}


def test_a_refused_care_says_why_and_keeps_what_was_chosen(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session)
    page = f"/admin/questions/{question.id}/"
    for name, (value, message) in REFUSED.items():
        changes = {"review_by": "2027-01-31", name: value}
        answer = send_form(desk, page, form=f"{question.id}/care", to=f"{page}care", **changes)
        assert answer.status_code == 200
        assert message in answer.text, name
        assert fields_of(answer.text, "/care")["review_by"] == "2027-01-31"
    assert reread(session, question).review_by is None


def test_a_care_that_somebody_else_changed_meanwhile_is_replaced_by_saving_again(
    desk: FlaskClient, session: Session
) -> None:
    question, other = make_question(session), person(session, Role.contributor)
    page = f"/admin/questions/{question.id}/"
    mine = fields_of(desk.get(page).text, "/care") | {"due_on": "2026-12-01"}
    theirs = {"assignee": other, "reviewer": None, "due_on": date(2026, 11, 30), "review_by": None}
    set_care(session, reread(session, question), **theirs, by=None, at=AT)
    session.commit()
    refused = desk.post(f"{page}care", data=mine)
    assert "Somebody else changed the due date meanwhile." in refused.text
    again = fields_of(refused.text, "/care")
    assert (again["due_on"], again["assignee"]) == ("2026-12-01", other.name)
    assert desk.post(f"{page}care", data=again).status_code == 303
    found = reread(session, question)
    assert (found.due_on, found.assignee_id) == (date(2026, 12, 1), other.id)


def test_a_contributor_is_offered_what_they_may_take(as_role: AsRole, session: Session) -> None:
    client = as_role(Role.contributor)
    free, live = make_question(session, "Free?"), make_published(session, "Live?")
    page = f"/admin/questions/{free.id}/"
    send_form(client, page, form="/care", to=f"{page}care", assignee="The contributor")
    assert reread(session, free).assignee_id is not None
    assert 'name="reviewer"' not in client.get(page).text
    shown = client.get(f"/admin/questions/{live.id}/").text
    assert f"/admin/questions/{live.id}/care" not in shown


def test_a_question_is_returned_with_a_reason_that_its_author_reads(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    author = person(session, Role.contributor)
    question = make_question(session, by=author)
    submit(session, question, by=author, at=AT)
    session.commit()
    send(desk, f"/admin/questions/{question.id}/return", reason="Cite a source.")
    [note] = inbox.notes(session, author, limit=5)
    assert (note.kind, note.words) == (NotificationKind.returned, "Cite a source.")
    session.rollback()


# --- threads ------------------------------------------------------------------------------


def test_people_talk_about_a_question_on_a_page_of_its_own(
    desk: FlaskClient, as_role: AsRole, session: Session, send: Send
) -> None:
    question = make_question(session)
    page = f"/admin/questions/{question.id}/comments"
    person(session, Role.contributor)
    assert "Nobody said anything" in desk.get(page).text
    said = send(desk, page, body="Is it *so*, @The contributor? <script>x</script>")
    first = session.scalars(select(Comment)).one()
    session.rollback()
    assert said.location == f"{page}?thread={first.id}#comment-{first.id}"
    shown = desk.get(page).text
    assert "Is it <em>so</em>, @The contributor? &lt;script&gt;" in shown
    assert "1 open thread" in desk.get(f"/admin/questions/{question.id}/").text

    other = as_role(Role.contributor)
    assert "named you in a comment on" in other.get("/admin/inbox/").text
    send(other, page, body="It is.", thread=str(first.id))
    assert "replied to you about" in desk.get("/admin/inbox/").text
    send(other, f"{page}/{first.id}/resolve")
    shown = desk.get(page).text
    assert "by The contributor" in shown
    assert "0 open threads" in shown
    send(desk, f"{page}/{first.id}/resolve")
    assert notes_of(desk.get(page).text) == ["This thread is resolved already."]
    send(desk, f"{page}/{first.id}/reopen")
    assert notes_of(desk.get(page).text) == ["The thread is open again."]


def test_a_refused_comment_stands_in_its_form_again(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    question, other = make_question(session), make_question(session, "Other?")
    thread = comments.post(session, question, "Begun.", by=None, at=AT)
    elsewhere = comments.post(session, other, "There.", by=None, at=AT)
    session.commit()
    page = f"/admin/questions/{question.id}/comments"
    long = "Much. " * 2_000
    refused = send(desk, page, body=long, thread=str(thread.id))
    assert "A comment has at most 10,000 characters; this one has 11,99" in refused.text
    assert long.strip() in refused.text
    assert "Write something first." in send(desk, page, body=" ").text
    for hostile in (str(elsewhere.id), "9" * 9, "x", "0"):
        answer = send(desk, page, body="Kept words", thread=hostile)
        assert answer.status_code == 200, hostile
        assert "no such thread" in answer.text
        assert "Kept words" in answer.text
    for address in ("?before=x", "?before=99999999999", f"?thread={thread.id}&before=-1"):
        assert desk.get(page + address).status_code == 200
    assert desk.get(f"{page}?thread={elsewhere.id}").status_code == 404
    assert session.scalar(select(func.count()).select_from(Comment)) == 2
    session.rollback()


def test_a_comment_of_somebody_logged_out_is_given_back(
    app: Flask, session: Session, as_role: AsRole, send: Send
) -> None:
    question = make_question(session)
    answer = send(as_role(None), f"/admin/questions/{question.id}/comments", body="Kept words")
    assert answer.status_code == 401
    assert "You were logged out, so nothing was said yet." in answer.text
    assert "Kept words" in answer.text


def test_a_comment_on_what_was_deleted_meanwhile_is_given_back(
    desk: FlaskClient, session: Session, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = make_question(session)

    def cross(during: Session, *_: object, **__: object) -> None:
        during.execute(delete(Question))
        during.commit()
        raise IntegrityError("", {}, Exception())

    monkeypatch.setattr(comments, "post", cross)
    answer = send(desk, f"/admin/questions/{question.id}/comments", body="Kept words")
    assert answer.status_code == 404
    assert "Somebody deleted this question meanwhile" in answer.text
    assert "Kept words" in answer.text
    again = send(desk, f"/admin/questions/{question.id}/comments", body="Kept words")
    assert (again.status_code, "Kept words" in again.text) == (404, True)


def test_no_public_page_and_no_export_has_a_comment(
    app: Flask, client: FlaskClient, desk: FlaskClient, session: Session
) -> None:
    question = make_published(session)
    comments.post(session, question, "Xylophone", by=None, at=AT)
    publish(session, [question], by=None, at=AT)
    session.commit()
    slug = question.slug
    addresses = [
        *("/", "/questions/", f"/questions/{slug}", f"/questions/{slug}.json"),
        *(f"/questions/{slug}.md", "/questions/?q=xylophone", "/corrections/"),
        *("/export/bank.json", "/export/bank.csv", "/export/bank.jsonl"),
    ]
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "Xylophone" not in answer.text, address
    assert "Xylophone" not in desk.get("/admin/questions/export?format=json").text


# --- the inbox ----------------------------------------------------------------------------


def test_every_kind_of_note_has_words() -> None:
    assert set(WORDS) == set(NotificationKind)


def test_notes_are_opened_and_read_by_post_alone(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    me, question = person(session, Role.editor), make_question(session)
    notes = [tell(session, me, question) for _ in range(3)]
    page = desk.get("/admin/inbox/").text
    assert page.count("The command line assigned") == 3
    assert '<span class="count hot">3</span>' in page
    assert desk.get("/admin/inbox/?show=unread&before=x").status_code == 200
    opened = send(desk, f"/admin/inbox/{notes[0].id}/open")
    assert opened.location == f"/admin/questions/{question.id}/"
    assert send(desk, f"/admin/inbox/{notes[1].id}/read").location == "/admin/inbox/"
    assert desk.get("/admin/inbox/?show=unread").text.count("The command line assigned") == 1
    send(desk, "/admin/inbox/read", until=str(notes[2].id))
    assert notes_of(desk.get("/admin/inbox/?show=unread").text) == ["Marked 1 note as read."]
    for hostile in ("x", "9" * 12, "0"):
        assert send(desk, f"/admin/inbox/{hostile}/open").status_code == 404
        assert send(desk, "/admin/inbox/read", until=hostile).status_code == 303


def test_a_note_of_many_questions_leads_to_their_operation(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    person(session, Role.editor)
    ids = [make_question(session, f"Number {n}?").id for n in range(3)]
    operation = bulk.begin(session, "assign", ids, {"assignee": "The editor"}, by=None, at=AT)
    bulk.perform(session, operation, at=AT)
    session.commit()
    page = desk.get("/admin/inbox/").text
    assert re.search(r"The command line assigned\s+<button[^>]*>3 questions</button> to you", page)
    key, done = session.scalars(select(Notification.id)).one(), operation.id
    session.commit()
    opened = send(desk, f"/admin/inbox/{key}/open")
    assert opened.location == f"/admin/operations/{done}/"


# --- my work --------------------------------------------------------------------------------


def test_the_first_page_begins_with_my_work_and_each_pile_leads_to_all_of_it(
    desk: FlaskClient, session: Session
) -> None:
    me, other = person(session, Role.editor), person(session, Role.contributor)
    make_question(session, "Somebody's?")
    mine = [make_question(session, f"Mine {n}?", by=other) for n in range(10)]
    for n, question in enumerate(mine):
        due = today() + timedelta(days=n - 1) if n < 2 else None
        set_care(
            session,
            question,
            assignee=me,
            reviewer=me if n == 9 else None,
            due_on=due,
            review_by=None,
            by=me,
            at=AT,
        )
    submit(session, mine[9], by=other, at=AT)
    make_question(session, "My draft?", by=me)
    for n in range(9):
        fields = [("stem", f"Begun {n}?")]
        autosaves.keep(session, me, None, form_id=new_uid(), version=0, fields=fields, at=AT)
    session.commit()
    page = desk.get("/admin/").text
    assert "Begun 8?" in page[page.index("Not saved yet") : page.index("All 9")]
    assigned = page[page.index("Assigned to me") : page.index("To review by me")]
    assert re.findall(r">(Mine \d\?)</a>", assigned)[:2] == ["Mine 0?", "Mine 1?"]
    assert len(re.findall(r">Mine \d\?</a>", assigned)) == 8
    assert 'class="hot">was due' in assigned
    assert "was due" not in assigned.partition("Mine 1?")[2]
    for address, count in re.findall(r'<p><a href="([^"]+)">All (\d+)</a></p>', page):
        listed = desk.get(address.replace("&amp;", "&")).text
        if "unsaved" in address:
            assert listed.count("Begun ") >= int(count)
        else:
            assert f'<span class="quiet number">{count} found</span>' in listed
    assert "My draft?" in page[page.index("My drafts") :]
    for name in ("assignee=me", "reviewer=me&status=in_review", "mine=drafts"):
        assert desk.get(f"/admin/questions/?{name}").status_code == 200
    assert desk.get("/admin/corrections/?mine=undecided").status_code == 200


def test_whoever_has_nothing_to_do_is_shown_the_fullest_queue(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session)
    assert "Nothing waits for anybody else either" in desk.get("/admin/").text
    comments.post(session, question, "Is it so?", by=None, at=AT)
    session.commit()
    page = desk.get("/admin/").text
    assert "Nothing waits for you." in page
    assert re.search(r'<a href="[^"]*queue=comments">Unresolved comments</a> has 1', page)


def test_reading_the_desk_writes_nothing(app: Flask, desk: FlaskClient, session: Session) -> None:
    me, question = person(session, Role.editor), make_question(session)
    tell(session, me, question)
    comments.post(session, question, "Is it so?", by=None, at=AT)
    session.commit()
    with app.app_context():
        engine = db.engine
    key = question.id
    with sent_statements(engine) as sent:
        for address in (
            *("/admin/", "/admin/inbox/", "/admin/audit/", f"/admin/questions/{key}/"),
            *(f"/admin/questions/{key}/comments", f"/admin/questions/{key}/revisions/"),
        ):
            assert desk.get(address).status_code == 200
    written = [each for each in sent if re.match(r"\s*(INSERT|UPDATE|DELETE)", each, re.I)]
    assert written == []


# --- any two revisions ------------------------------------------------------------------------


def test_any_two_revisions_are_compared_and_one_is_restored_with_a_reason(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    question = make_published(session)
    added = content("What is a view?", uid=question.uid, slug=question.slug, context="New.")
    save(session, question, added, seen_version=1, by=None, at=AT)
    session.commit()
    page = f"/admin/questions/{question.id}"
    listed = desk.get(f"{page}/revisions/").text
    assert f'href="{page}/revisions/2/?against=1"' in listed
    assert 'aria-label="From revision 1" checked' in listed
    compared = desk.get(f"{page}/compare?from=2&to=1")
    assert compared.location == f"{page}/revisions/2/?against=1"
    shown = desk.get(compared.location).text
    assert '<span class="pill live">added</span>' in shown
    assert '<span class="pill error">removed</span>' in shown
    for wrong in ("", "?from=1&to=1", "?from=x&to=2"):
        assert desk.get(f"{page}/compare{wrong}").location == f"{page}/revisions/"
    assert desk.get(f"{page}/compare?from=1&to=99", follow_redirects=True).status_code == 404
    send(desk, f"{page}/revisions/1/restore", seen_version="2", summary="It was right.")
    listed = desk.get(f"{page}/revisions/").text
    assert "Restored revision 1: It was right." in listed
    assert "identical to revision 1" in listed
    assert "identical to" in desk.get(f"{page}/revisions/3/").text


def test_the_revisions_of_a_merged_question_still_read(desk: FlaskClient, session: Session) -> None:
    question, survivor = make_question(session, "Old?"), make_question(session, "New?")
    question.merged_into_id, question.retired_at = survivor.id, AT
    session.commit()
    page = desk.get(f"/admin/questions/{question.id}/revisions/1/").text
    assert "Old?" in page
    assert "Restore" not in page
