"""The desk's side bar: the queues with their counts, one's own views, the bank, the house."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask import current_app, g, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.models import AuditEvent, SavedView, User
from cms.services import duplicates, inbox, queues, savedviews
from cms.services.imports import uploads
from cms.services.permissions import may
from cms.text import normalize_line
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
    ("Images", "desk_images", Role.contributor),
    ("Imports", "desk_imports", Role.editor),
    ("Operations", "desk_operations", Role.contributor),
)
HOUSE = (
    ("Accounts", "desk_accounts", Role.admin),
    ("Audit", "desk_audit", Role.editor),
)
# Views of the side bar; a page of their own has the others.
SHOWN_VIEWS = 20

QUEUE_LENGTHS = "desk_queue_lengths"
"""Where an app keeps what was counted last, among its extensions."""

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
    kept = current_app.extensions.setdefault(QUEUE_LENGTHS, {})
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


def own_views(session: Session, user: User) -> list[SavedView]:
    """Return this person's saved views, read once in a request."""
    if "own_views" not in g:
        g.own_views = savedviews.views_of(session, user)
    views: list[SavedView] = g.own_views
    return views


def view_url(view: SavedView) -> str:
    """Return the address of the list that a view saves."""
    return f"{url_for(f'{view.page}.index_view')}?{view.query}"


def view_entries(session: Session, user: User) -> list[Entry]:
    """Return this person's views of lists that their role opens, and the page that has them all."""
    views = own_views(session, user)
    if not views:
        return []
    open_to = {endpoint for _, endpoint, role in (*BANK, *HOUSE) if may(user, role)}
    shown = ((name, normalize_line(value)) for name, value in request.args.items())
    here = sorted((name, value) for name, value in shown if value and name != "page")
    found = [
        Entry(
            view.name,
            view_url(view),
            current=request.endpoint == f"{view.page}.index_view"
            and here == sorted(parse_qsl(view.query)),
        )
        for view in views
        if view.page in open_to
    ][:SHOWN_VIEWS]
    url = url_for("desk_views.index_view")
    return [*found, Entry("All my views", url, current=request.blueprint == "desk_views")]


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
    views = view_entries(session, user)
    elsewhere = any(entry.current for entry in (*waiting, *views))

    def tables(rows: tuple[tuple[str, str, Role], ...]) -> list[Entry]:
        return [
            Entry(
                title,
                url_for(f"{endpoint}.index_view"),
                current=request.blueprint == endpoint and not elsewhere,
            )
            for title, endpoint, role in rows
            if may(user, role)
        ]

    found = [
        ("", [dashboard, notes]),
        ("Queues", waiting),
        ("My views", views),
        ("Bank", tables(BANK)),
        ("House", tables(HOUSE)),
    ]
    return [(heading, entries) for heading, entries in found if entries]
