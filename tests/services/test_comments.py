"""Comments: threads about a question, whom they reach, and that they stay inside."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotFound, WrongState
from cms.formats import FORMATS
from cms.models import AuditEvent, Comment, Notification, Question, User
from cms.services import accounts, comments
from cms.services.draftexports import export_drafts
from cms.services.exporting import Head, Selection
from cms.services.operations import bulk
from cms.services.operations.undoing import undo_bulk
from cms.services.people import mentioned
from cms.vocabulary import Role
from tests.conftest import add_user
from tests.factories import AT, make_question


def say(
    session: Session,
    question: Question,
    body: str,
    by: User | None,
    thread: Comment | None = None,
    minutes: int = 0,
) -> Comment:
    at = AT + timedelta(minutes=minutes)
    return comments.post(session, question, body, thread=thread, by=by, at=at)


def told(session: Session) -> list[tuple[str, str]]:
    """To whom each note went, and of what kind."""
    statement = select(User.name, Notification.kind).join(User, User.id == Notification.user_id)
    rows = session.execute(statement.order_by(Notification.id)).all()
    return [(name, kind.value) for name, kind in rows]


def test_a_thread_is_opened_answered_settled_and_opened_again_by_a_reply(
    session: Session, editor: User, contributor: User
) -> None:
    question = make_question(session)
    first = say(session, question, " Is it *so*?\r\n", contributor)
    reply = say(session, question, "It is.", editor, thread=first)
    # A reply to a reply stands in the same thread.
    again = say(session, question, "Thanks.", contributor, thread=reply)
    assert first.body == " Is it *so*?"
    assert (reply.thread_id, again.thread_id) == (first.id, first.id)
    assert comments.count_open(session, question) == 1
    comments.resolve(session, first, by=editor, at=AT)
    assert (first.resolved_by, comments.count_open(session, question)) == (editor, 0)
    with pytest.raises(WrongState, match="This thread is resolved already"):
        comments.resolve(session, first, by=editor, at=AT)
    with pytest.raises(WrongState, match="This is a reply"):
        comments.resolve(session, reply, by=editor, at=AT)
    say(session, question, "But …", contributor, thread=first)
    assert comments.newest_open(session, question, 5) == [first]
    with pytest.raises(WrongState, match="This thread is open already"):
        comments.reopen(session, first, by=editor, at=AT)
    events = session.scalars(
        select(AuditEvent.action)
        .where(AuditEvent.action.startswith("comment."))
        .order_by(AuditEvent.id)
    )
    assert list(events) == [
        *["comment.post"] * 3,
        *("comment.resolve", "comment.reopen", "comment.post"),
    ]


def test_what_cannot_be_said_is_refused_with_the_remedy(session: Session, editor: User) -> None:
    question, other = make_question(session), make_question(session, "Other?")
    thread = say(session, other, "There.", editor)
    with pytest.raises(InvalidInput, match="Write something first"):
        say(session, question, " \n\x00", editor)
    with pytest.raises(InvalidInput, match="at most 10,000 characters; this one has 10,001"):
        say(session, question, "x" * 10_001, editor)
    with pytest.raises(NotFound, match="This question has no such thread"):
        say(session, question, "Here.", editor, thread=thread)
    accounts.disable(session, editor, by=None, at=AT)
    with pytest.raises(NotAllowed, match="Only a contributor may comment on questions"):
        say(session, question, "Here.", editor)


def test_a_form_sent_twice_says_it_once_and_later_the_same_words_count_again(
    session: Session, editor: User
) -> None:
    question = make_question(session)
    first = say(session, question, "Hm.", editor)
    assert say(session, question, "Hm.", editor, minutes=1) is first
    assert say(session, question, "Hm.", editor, thread=first, minutes=1).thread_id == first.id
    assert say(session, question, "Hm.", editor, minutes=30).thread_id is None
    assert len(session.scalars(select(Comment)).all()) == 3


MENTIONS = {
    "@Ada, look": ["Ada"],
    "ask @ada byron.": ["Ada Byron"],
    "@ADA Lovelace": ["Ada"],
    "(@Ada) and @Conrad and @ada": ["Ada", "Conrad"],
    "@Adam": [],
    "mail ada@ada": [],
    "`@ada` and\n```\n@conrad\n```": [],
    "@Gone": [],
    "@Ｃonrad": ["Conrad"],
    "@": [],
}


def test_an_at_names_the_longest_active_account_that_fits(
    session: Session, contributor: User
) -> None:
    add_user(session, "Ada", Role.admin)
    add_user(session, "Ada Byron", Role.editor)
    accounts.disable(session, add_user(session, "Gone", Role.editor), by=None, at=AT)
    found = {text: [user.name for user in mentioned(session, text)] for text in MENTIONS}
    assert found == MENTIONS


def test_those_who_are_named_and_those_of_the_thread_are_told_once_each(
    session: Session, editor: User, contributor: User, admin: User
) -> None:
    question = make_question(session)
    first = say(session, question, "@Edith and @Conrad, look", contributor)
    assert told(session) == [("Edith", "mention")]
    say(session, question, "I see. @Ada?", editor, thread=first)
    say(session, question, "@Conrad: yes.", admin, thread=first)
    assert told(session)[1:] == [
        *(("Ada", "mention"), ("Conrad", "reply")),
        *(("Conrad", "mention"), ("Edith", "reply")),
    ]


def test_a_page_has_the_newest_threads_and_of_each_the_newest_replies(
    session: Session, editor: User
) -> None:
    question = make_question(session)
    firsts = [say(session, question, f"Thread {n}", editor) for n in range(3)]
    for n in range(5):
        say(session, question, f"Reply {n}", None, thread=firsts[1])
    found = comments.threads(session, question, before=None, limit=2, replies=3)
    assert [(each.first.body, [r.body for r in each.replies], each.earlier) for each in found] == [
        ("Thread 2", [], 0),
        ("Thread 1", ["Reply 2", "Reply 3", "Reply 4"], 2),
    ]
    shown = found[1].replies
    older = comments.thread_of(session, question, firsts[1].id, before=shown[0].id, replies=3)
    assert ([each.body for each in older.replies], older.earlier) == (["Reply 0", "Reply 1"], 0)
    inside = comments.thread_of(session, question, shown[0].id, before=None, replies=3)
    assert inside.first is firsts[1]
    with pytest.raises(NotFound, match="no such thread"):
        comments.thread_of(session, question, 10_000, before=None, replies=3)


def test_a_deleted_draft_comes_back_with_its_threads(session: Session, editor: User) -> None:
    question = make_question(session)
    first = say(session, question, "Keep this.", editor)
    say(session, question, "Yes.", None, thread=first)
    session.commit()
    operation = bulk.begin(session, "delete", [question.id], {}, by=editor, at=AT)
    bulk.perform(session, operation, at=AT)
    session.commit()
    assert session.scalars(select(Comment)).all() == []
    undo_bulk(session, operation, by=editor, at=AT)
    bodies = session.execute(select(Comment.body, Comment.thread_id).order_by(Comment.id)).all()
    assert list(bodies) == [("Keep this.", None), ("Yes.", first.id)]


def test_no_export_of_the_desk_holds_a_comment(session: Session, editor: User) -> None:
    question = make_question(session)
    say(session, question, "Xylophone", editor)
    session.commit()
    for format in FORMATS.values():
        if format.write is None:
            continue
        head = Head("Test bank", "https://example.org")
        stream = export_drafts(session, format, Selection(), head, {})
        assert b"Xylophone" not in b"".join(stream.chunks), format.name
