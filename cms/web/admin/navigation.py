"""The desk's side bar: the queues with their counts, the bank, the house."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.models import AuditEvent, User
from cms.services import duplicates, inbox, queues
from cms.services.imports import uploads
from cms.services.permissions import may
from cms.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the side bar; `count` is None where nothing is counted, else at most 100.

    `hint` says what to do with what is counted.
    """

    title: str
    url: str
    count: int | None = None
    hint: str = ""
    current: bool = False
    warm: bool = False

    @property
    def shown_count(self) -> str:
        """The count in few characters: '99+' is where counting stopped."""
        return f"{queues.COUNTED - 1}+" if self.count == queues.COUNTED else str(self.count)


BANK = (
    ("Questions", "desk_questions", Role.contributor),
    ("Answers", "desk_answers", Role.contributor),
    ("Tags", "desk_tags", Role.contributor),
    ("Corrections", "desk_corrections", Role.contributor),
    ("Decks", "desk_decks", Role.contributor),
    ("Imports", "desk_imports", Role.editor),
    ("Operations", "desk_operations", Role.contributor),
)
HOUSE = (
    ("Accounts", "desk_accounts", Role.admin),
    ("Audit", "desk_audit", Role.editor),
)


DUPLICATES = "desk_duplicates.index_view"
DUPLICATES_HINT = "Merge what asks the same, or tell it apart."
IMPORTS_HINT = "Look through their rows, then import or discard them."


def queue_url(name: str) -> str:
    """Return the address of the list of what waits in a queue."""
    if name == "corrections":
        return url_for("desk_corrections.index_view", status="open")
    return url_for("desk_questions.index_view", queue=name)


def queue_lengths(session: Session) -> dict[str, int]:
    """Return how many questions wait in each queue, counted anew after every change and day.

    Every change writes an audit event, so the newest one's key tells whether
    something happened since this process counted last.
    """
    kept = current_app.extensions.setdefault("desk_queue_lengths", {})
    newest = session.scalar(select(func.max(AuditEvent.id)))
    # What is late changes with the day alone.
    state = newest, queues.today()
    lengths: dict[str, int]
    counted_at, lengths = kept.get("counted", (None, {}))
    if counted_at != state or not lengths:
        lengths = queues.counts(session)
        kept["counted"] = state, lengths
    return lengths | queues.counts(session, queues.CHECKED)


def queue_entries(session: Session, user: User) -> list[Entry]:
    """Return the queues that wait for this account, each with its length and its list."""
    here = request.full_path.rstrip("?")
    found = []
    for name, count in queue_lengths(session).items():
        queue, url = queues.QUEUES[name], queue_url(name)
        warm = name == "corrections" and count > 0
        found.append(Entry(queue.title, url, count, queue.hint, here == url, warm))
    pairs, url = duplicates.count_waiting(session, queues.COUNTED), url_for(DUPLICATES)
    found.append(Entry("Likely duplicates", url, pairs, DUPLICATES_HINT, here == url))
    if may(user, Role.editor):
        # Jobs read imports, and leave no event by which a count could be kept.
        count = uploads.count_waiting(session, queues.COUNTED)
        url = url_for("desk_imports.index_view", state="open")
        found.append(Entry("Imports to decide", url, count, IMPORTS_HINT, here == url))
    return found


def sections(session: Session, user: User) -> list[tuple[str, list[Entry]]]:
    """Return the side bar for this account, as (heading, entries)."""
    dashboard = Entry(
        "Dashboard", url_for("admin.index"), current=request.endpoint == "admin.index"
    )
    unread = inbox.count_unread(session, user, queues.COUNTED)
    notes = Entry(
        "Inbox",
        url_for("desk_inbox.index_view"),
        unread or None,
        current=request.blueprint == "desk_inbox",
        warm=unread > 0,
    )
    waiting = queue_entries(session, user)
    in_queue = any(entry.current for entry in waiting)

    def tables(rows: tuple[tuple[str, str, Role], ...]) -> list[Entry]:
        return [
            Entry(
                title,
                url_for(f"{endpoint}.index_view"),
                current=request.blueprint == endpoint and not in_queue,
            )
            for title, endpoint, role in rows
            if may(user, role)
        ]

    found = [
        ("", [dashboard, notes]),
        ("Queues", waiting),
        ("Bank", tables(BANK)),
        ("House", tables(HOUSE)),
    ]
    return [(heading, entries) for heading, entries in found if entries]
