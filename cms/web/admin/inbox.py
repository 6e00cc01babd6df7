"""The inbox: what concerns whoever is logged in, in words, each note one step from its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import select

from cms.extensions import db
from cms.models import BulkOperation, Notification
from cms.services import inbox
from cms.vocabulary import NotificationKind
from cms.web.admin.base import PAGE_SIZE, GuardedView, actor, now, transaction
from cms.web.admin.comments import thread_url
from cms.web.pages import count_of


class Told(NamedTuple):
    """How a note reads: who, `before`, what it is about, `after`; `nobody` has no account."""

    before: str
    after: str = ""
    nobody: str = "The command line"


WORDS: dict[NotificationKind, Told] = {
    NotificationKind.assigned: Told("assigned", "to you"),
    NotificationKind.review: Told("asks you to review"),
    NotificationKind.mention: Told("named you in a comment on"),
    NotificationKind.reply: Told("replied to you about"),
    NotificationKind.returned: Told("returned", "to draft"),
    NotificationKind.published: Told("published"),
    NotificationKind.correction: Told("filed a correction of", nobody="A reader"),
    NotificationKind.decided: Told("decided on your correction of"),
    NotificationKind.unscheduled: Told("did not publish", "as it was scheduled", nobody="The bank"),
}

READ = "Marked {} as read."


class InboxView(GuardedView):
    """Notes to whoever is logged in. Reading a page changes nothing; a button does."""

    def __init__(self) -> None:
        super().__init__(name="Inbox", endpoint="desk_inbox", url="inbox")

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List the notes, the newest first: `?show=unread`, from `?before=` on."""
        session = db.session()
        unread = request.args.get("show") == "unread"
        before = request.args.get("before", "")
        rows = inbox.notes(
            session,
            actor(),
            unread=unread,
            before=int(before) if before.isdecimal() and len(before) < 10 else None,
            limit=PAGE_SIZE + 1,
        )
        shown = rows[:PAGE_SIZE]
        return self.render(
            "admin/inbox/list.html",
            notes=shown,
            more=len(rows) > PAGE_SIZE,
            unread_only=unread,
            first_page=not before,
            words=WORDS,
            operations=operations_of(shown),
        )

    @expose("/<key>/open", methods=("POST",))
    def open(self, key: str) -> ResponseReturnValue:
        """Mark a note as read, and lead to what it is about."""
        return redirect(self._target(self._read(key)), 303)

    @expose("/<key>/read", methods=("POST",))
    def read(self, key: str) -> ResponseReturnValue:
        self._read(key)
        return redirect(self._back(), 303)

    @expose("/read", methods=("POST",))
    def read_all(self) -> ResponseReturnValue:
        """Mark as read what the page showed, and what is older."""
        until = request.form.get("until", "")
        with transaction() as session:
            count = inbox.mark_all_read(
                session,
                actor(),
                until=int(until) if until.isdecimal() and len(until) < 10 else 0,
                at=now(),
            )
        flash(READ.format(count_of(count, "note")), "success" if count else "info")
        return redirect(self._back(), 303)

    def _read(self, key: str) -> Notification:
        number = int(key) if key.isdecimal() and len(key) < 10 else 0
        with transaction() as session:
            note = inbox.find_note(session, actor(), number)
            inbox.mark_read(session, note, at=now())
        return note

    def _back(self) -> str:
        show = "unread" if request.form.get("show") == "unread" else None
        url: str = self.get_url(".index_view", show=show)
        return url

    def _target(self, note: Notification) -> str:
        """Return the address of what a note is about; the inbox where that is gone."""
        if note.comment is not None:
            return thread_url(self, note.comment)
        url: str
        if note.correction_id is not None:
            url = self.get_url("desk_corrections.details_view", id=note.correction_id)
        elif note.question_id is not None:
            url = self.get_url("desk_questions.edit_view", id=note.question_id)
        elif operation := operations_of([note]).get(note.id):
            url = self.get_url("desk_operations.details_view", id=operation.id)
        else:
            url = self.get_url("desk_questions.index_view")
        return url


def operations_of(notes: Sequence[Notification]) -> dict[int, BulkOperation]:
    """Return the operations of which these notes tell, by the notes' keys.

    A note of many questions names none of them; it has the time of its
    operation, to the microsecond.
    """
    many = [note for note in notes if note.question_id is None and note.correction_id is None]
    if not many:
        return {}
    done = select(BulkOperation).where(BulkOperation.done_at.in_({note.at for note in many}))
    found = {(each.done_at, each.by_id): each for each in db.session.scalars(done)}
    return {
        note.id: found[note.at, note.actor_id] for note in many if (note.at, note.actor_id) in found
    }
