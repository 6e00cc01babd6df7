"""The desk's first page: what waits, what happened, and where an empty bank begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, BaseView, expose
from sqlalchemy import exists, select
from sqlalchemy.orm import joinedload

from cms.extensions import db
from cms.models import AuditEvent, Question
from cms.services import queues
from cms.services.permissions import may
from cms.vocabulary import Role
from cms.web.admin.audit import subjects
from cms.web.admin.base import GuardedView, actor
from cms.web.admin.navigation import queue_entries

# Events that are read, and lines that are shown of them.
READ_EVENTS = 200
SHOWN_DEEDS = 10
# What one account did to several things in such a time is one line.
ONE_SITTING = timedelta(minutes=30)

# What people read of an event: what somebody did, and to what, if to several.
DEEDS = {
    "question.create": ("wrote", "questions"),
    "question.save": ("changed", "questions"),
    "question.submit": ("submitted", "questions"),
    "question.return": ("returned", "questions"),
    "question.publish": ("published", "questions"),
    "question.retire": ("retired", "questions"),
    "question.unretire": ("brought back", "questions"),
    "question.undo": ("undid a change of", "questions"),
    "correction.open": ("filed a correction:", "corrections"),
    "correction.accept": ("accepted a correction:", "corrections"),
    "correction.reject": ("rejected a correction:", "corrections"),
}


@dataclass(slots=True)
class Deed:
    """One line of what happened lately: one event, or several alike."""

    who: str
    action: str
    about: set[str]
    at: datetime
    subject: tuple[str, str, int] | None = None

    @property
    def count(self) -> int:
        return len(self.about)

    @property
    def words(self) -> str:
        verb, _ = DEEDS[self.action]
        return verb.removesuffix(" a correction:") if self.count > 1 else verb

    @property
    def things(self) -> str:
        return DEEDS[self.action][1]


class Dashboard(GuardedView, AdminIndexView):
    """The index of the desk."""

    def __init__(self) -> None:
        # Past AdminIndexView, which would serve Flask-Admin's own style sheets and scripts.
        BaseView.__init__(self, name="Dashboard", endpoint="admin", url="/admin")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        session = db.session()
        events = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.action.in_(DEEDS))
            .options(joinedload(AuditEvent.actor))
            .order_by(AuditEvent.id.desc())
            .limit(READ_EVENTS)
        ).all()
        lately = deeds(events)[:SHOWN_DEEDS]
        named = [deed for deed in lately if deed.count == 1]
        found = subjects(about for deed in named for about in deed.about)
        for deed in named:
            deed.subject = found.get(next(iter(deed.about)))
        return self.render(
            "admin/dashboard.html",
            empty=not session.scalar(select(exists().select_from(Question))),
            waiting=list(zip(queue_entries(session), queues.QUEUES.values(), strict=True)),
            lately=lately,
            auditor=may(actor(), Role.editor),
        )


def deeds(events: Iterable[AuditEvent]) -> list[Deed]:
    """Return events, the newest first, with runs of the same deed by one account as one."""
    found: list[Deed] = []
    for event in events:
        who = event.actor.name if event.actor else "The command line"
        last = found[-1] if found else None
        same = last is not None and (last.who, last.action) == (who, event.action)
        if last is not None and same and last.at - event.at < ONE_SITTING:
            last.about.add(event.object)
        else:
            found.append(Deed(who, event.action, {event.object}, event.at))
    return found
