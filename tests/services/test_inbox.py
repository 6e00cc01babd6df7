"""The inbox: whom notes reach, what is read, and what goes after a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.models import Notification, User
from cms.services import accounts, inbox
from cms.services.inbox import notify
from cms.vocabulary import NotificationKind, Role
from tests.conftest import add_user
from tests.factories import AT, make_question

MENTION = NotificationKind.mention


def test_a_note_reaches_others_once_and_neither_its_actor_nor_a_disabled_account(
    session: Session, editor: User, contributor: User
) -> None:
    gone = add_user(session, "Gone", Role.editor)
    accounts.disable(session, gone, by=None, at=AT)
    everybody = [editor.id, contributor.id, contributor.id, gone.id, None]
    notify(session, everybody, MENTION, by=editor, at=AT, question=make_question(session))
    assert list(session.scalars(select(Notification.user_id))) == [contributor.id]
    notify(session, [editor.id], MENTION, by=None, at=AT)
    assert inbox.count_unread(session, editor, 10) == 1


def test_notes_are_read_one_by_one_or_all_that_were_seen(
    session: Session, editor: User, contributor: User
) -> None:
    for number in range(4):
        notify(session, [editor.id], MENTION, by=None, at=AT, words=str(number))
    newest, *_, oldest = inbox.notes(session, editor, limit=10)
    assert (newest.words, oldest.words) == ("3", "0")
    assert [n.words for n in inbox.notes(session, editor, before=newest.id, limit=2)] == ["2", "1"]
    inbox.mark_read(session, oldest, at=AT)
    inbox.mark_read(session, oldest, at=AT + timedelta(days=1))
    assert oldest.read_at == AT
    assert inbox.count_unread(session, editor, 2) == 2
    # What came after the page was opened stays unread.
    assert inbox.mark_all_read(session, editor, until=newest.id - 1, at=AT) == 2
    assert inbox.notes(session, editor, unread=True, limit=10) == [newest]
    with pytest.raises(NotFound, match="There is no such note in your inbox"):
        inbox.find_note(session, contributor, newest.id)


def test_what_was_read_long_ago_goes_when_something_new_comes(
    session: Session, editor: User, contributor: User
) -> None:
    for user in (editor, contributor):
        for words in ("old", "unread"):
            notify(session, [user.id], MENTION, by=None, at=AT, words=words)
        inbox.mark_read(session, inbox.notes(session, user, limit=2)[1], at=AT)
    notify(session, [editor.id], MENTION, by=None, at=AT + inbox.KEPT, words="new")
    assert session.scalar(select(func.count()).select_from(Notification)) == 5
    later = AT + inbox.KEPT + timedelta(seconds=1)
    notify(session, [editor.id], MENTION, by=None, at=later, words="newer")
    assert [n.words for n in inbox.notes(session, editor, limit=9)] == ["newer", "new", "unread"]
    # Other people's notes go when something comes for them.
    assert len(inbox.notes(session, contributor, limit=9)) == 2
