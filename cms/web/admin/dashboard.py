"""The desk's first page: my work, what waits, the bank in figures, where an empty one begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, BaseView, expose
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Autosave, Correction, Notification, Question, User
from cms.services import autosaves, figures, inbox, mywork, queues
from cms.services.permissions import may
from cms.vocabulary import Role
from cms.web.admin.base import GuardedView, actor, now, transaction
from cms.web.admin.charts import charts_of
from cms.web.admin.inbox import WORDS, operations_of
from cms.web.admin.kept import form_of
from cms.web.admin.lately import lately
from cms.web.admin.navigation import Entry, queue_entries
from cms.web.admin.savedviews import counted_views

# Rows of each pile of my work; a list has the others.
SHOWN = 8
COUNTED = "Counted."
UP_TO_DATE = "The figures are up to date, or were counted less than a minute ago."


class Unsaved(NamedTuple):
    """A text that is kept while it is not saved; a new question's has none yet."""

    kept: Autosave
    question: Question | None
    stem: str


@dataclass(frozen=True, slots=True)
class Pile:
    """One kind of my work: its first rows, how many there are (at most 100), and their list.

    `returned` are the keys of drafts that somebody gave back.
    """

    kind: str
    title: str
    url: str
    count: int
    rows: Sequence[Question] | Sequence[Correction] | Sequence[Notification] | Sequence[Unsaved]
    returned: set[int] = field(default_factory=set)

    @property
    def shown_count(self) -> str:
        return f"{queues.COUNTED - 1}+" if self.count == queues.COUNTED else str(self.count)


class Dashboard(GuardedView, AdminIndexView):
    """The index of the desk."""

    def __init__(self) -> None:
        # Past AdminIndexView, which would serve Flask-Admin's own style sheets and scripts.
        BaseView.__init__(self, name="Dashboard", endpoint="admin", url="/admin")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        session = db.session()
        waiting = queue_entries(session, actor())
        work = piles(session, actor())
        counted = figures.current(session, at=now())
        small = figures.is_small(session)
        notes = [row for pile in work for row in pile.rows if isinstance(row, Notification)]
        return self.render(
            "admin/dashboard.html",
            empty=not session.scalar(select(exists().select_from(Question))),
            work=work,
            fullest=_fullest(waiting),
            words=WORDS,
            operations=operations_of(notes),
            waiting=waiting,
            lately=lately(session),
            editor=may(actor(), Role.editor),
            views=counted_views(session, counting=small),
            counted=counted,
            charts=charts_of(counted) if counted else None,
            small=small,
        )

    @expose("/count", methods=("POST",))
    def count(self) -> ResponseReturnValue:
        """Count a large bank anew: for whoever cannot wait, or has no worker."""
        with transaction() as session:
            if due := figures.is_due(session, at=now()):
                figures.keep(session, figures.count(session, at=now()), at=now())
        flash(COUNTED if due else UP_TO_DATE, "success" if due else "info")
        return redirect(f"{self.get_url('.index')}#figures", 303)


def piles(session: Session, user: User) -> list[Pile]:
    """Return what is this person's to do, in a bounded number of queries."""
    found = [
        _questions(session, "Assigned to me", mywork.is_assigned_to(user), assignee="me"),
        _questions(
            session,
            "To review by me",
            mywork.is_to_review_by(user),
            reviewer="me",
            status="in_review",
        ),
        _notes(session, user),
        _unsaved(session, user),
        _drafts(session, user),
        _corrections(session, user),
    ]
    return [pile for pile in found if pile.rows]


def _questions(
    session: Session, title: str, condition: ColumnElement[bool], **filters: Any
) -> Pile:
    rows = mywork.questions_of(session, condition, SHOWN + 1)
    count = len(rows) if len(rows) <= SHOWN else mywork.count(session, condition)
    url = url_for("desk_questions.index_view", **filters)
    return Pile("questions", title, url, count, rows[:SHOWN])


def _drafts(session: Session, user: User) -> Pile:
    pile = _questions(session, "My drafts", mywork.is_draft_of(user), mine="drafts")
    drafts = [row for row in pile.rows if isinstance(row, Question)]
    pile.returned.update(mywork.returned_of(session, user, drafts))
    return pile


def _notes(session: Session, user: User) -> Pile:
    rows = inbox.notes(session, user, unread=True, limit=SHOWN)
    count = len(rows) if len(rows) < SHOWN else inbox.count_unread(session, user, queues.COUNTED)
    url = url_for("desk_inbox.index_view", show="unread")
    return Pile("notes", "Not read yet", url, count, rows)


def _unsaved(session: Session, user: User) -> Pile:
    found = autosaves.mine(session, user, SHOWN + 1)
    rows = [Unsaved(kept, question, form_of(kept).stem) for kept, question in found]
    mine = select(Autosave.id).where(Autosave.user_id == user.id)
    count = len(rows) if len(rows) <= SHOWN else queues.capped(session, mine)
    url = url_for("desk_questions.unsaved_texts")
    return Pile("unsaved", "Not saved yet", url, count, rows[:SHOWN])


def _corrections(session: Session, user: User) -> Pile:
    rows = mywork.corrections_of(session, user, SHOWN + 1)
    mine = select(Correction.id).where(mywork.is_open_correction_by(user))
    count = len(rows) if len(rows) <= SHOWN else queues.capped(session, mine)
    url = url_for("desk_corrections.index_view", mine="undecided")
    return Pile("corrections", "My corrections, not decided yet", url, count, rows[:SHOWN])


def _fullest(waiting: Sequence[Entry]) -> Entry | None:
    """Return the queue with the most in it, for whoever has nothing to do."""
    fullest = max(waiting, key=lambda entry: entry.count or 0, default=None)
    return fullest if fullest and fullest.count else None
