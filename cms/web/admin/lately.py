"""What happened lately: the newest events of the audit in words, for the dashboard."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CompoundSelect, or_, select, union_all
from sqlalchemy.orm import Session, joinedload

from cms.models import AuditEvent, BulkOperation, ImportBatch
from cms.services.corrections import READER
from cms.services.operations.bulk import VERBS
from cms.vocabulary import RowAction
from cms.web.admin.subjects import Subject, subjects
from cms.web.pages import count_of

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
    "question.schedule": ("scheduled", "questions"),
    "question.unschedule": ("took back the schedule of", "questions"),
    "question.retire": ("retired", "questions"),
    "question.merge": ("merged away", "questions"),
    "question.purge": ("purged", "questions"),
    "question.unretire": ("brought back", "questions"),
    "question.undo": ("undid a change of", "questions"),
    "comment.post": ("commented on", "questions"),
    "comment.resolve": ("settled a thread on", "questions"),
    "correction.open": ("filed a correction:", "corrections"),
    "correction.accept": ("accepted a correction:", "corrections"),
    "correction.reject": ("rejected a correction:", "corrections"),
    "correction.hold": ("held a correction:", "corrections"),
    "correction.duplicate": ("set aside a correction:", "corrections"),
    "correction.reopen": ("reopened a correction:", "corrections"),
    "asset.upload": ("uploaded the image", "images"),
    "asset.delete": ("deleted the image", "images"),
    "deck.create": ("made the deck", "decks"),
    "deck.save": ("changed the deck", "decks"),
    "deck.delete": ("deleted the deck", "decks"),
    "tag.create": ("made the tag", "tags"),
    "tag.save": ("changed the tag", "tags"),
    "tag.merge": ("merged away the tag", "tags"),
    "tag.delete": ("deleted the tag", "tags"),
}
# What these were done to is known by the event alone.
GONE = frozenset({"deck.delete", "tag.delete", "tag.merge"})
# How a deed ends that was done to one thing.
_NAMES_ONE = re.compile(r" (?:a correction:|the deck|the image|the tag)$")
# What is a line of its own, and stands for the events of all its questions.
WHOLE = {
    "bulk": "",
    "bulk.undo": "undid an operation:",
    "import": "imported",
    "import.undo": "undid the import of",
}


@dataclass(slots=True)
class Deed:
    """One line: one event, or several alike. `subject` is None where what it names is gone."""

    who: str
    action: str
    words: str
    about: set[str]
    at: datetime
    subject: Subject | None = None

    @property
    def count(self) -> int:
        return len(self.about)

    @property
    def things(self) -> str:
        return DEEDS[self.action][1]


def lately(session: Session) -> list[Deed]:
    """Return what was done last, the newest first, each with what it was done to."""
    # Most events are told of: SQLite would find them all by the index of actions, and sort them.
    action = AuditEvent.action.concat("")
    events = session.scalars(
        select(AuditEvent)
        .where(or_(action.in_(WHOLE), action.in_(DEEDS) & AuditEvent.at.not_in(_times_of_whole())))
        .options(joinedload(AuditEvent.actor))
        .order_by(AuditEvent.id.desc())
        .limit(READ_EVENTS)
    ).all()
    found = deeds(events)[:SHOWN_DEEDS]
    named = [deed for deed in found if deed.count == 1]
    known = subjects(about for deed in named for about in deed.about)
    for deed in named:
        deed.subject = deed.subject or known.get(next(iter(deed.about)))
    return found


def deeds(events: Iterable[AuditEvent]) -> list[Deed]:
    """Return events, the newest first, with runs of the same deed by one account as one."""
    found: list[Deed] = []
    for event in events:
        who = event.actor.name if event.actor else _nobody(event)
        if event.action in WHOLE:
            found += _whole(event, who)
            continue
        last = found[-1] if found else None
        same = last is not None and (last.who, last.action) == (who, event.action)
        words, _ = DEEDS[event.action]
        if last is not None and same and last.at - event.at < ONE_SITTING:
            last.about.add(event.object)
            last.words = _NAMES_ONE.sub("", words)
        else:
            gone = Subject("", event.data["slug"], 0) if event.action in GONE else None
            found.append(Deed(who, event.action, words, {event.object}, event.at, gone))
    return found


def _nobody(event: AuditEvent) -> str:
    return "A reader" if event.data.get("from") == READER else "The command line"


def _whole(event: AuditEvent, who: str) -> list[Deed]:
    """Return the line of something that was done to many questions at once, if to any."""
    words, subject = WHOLE[event.action], None
    if event.action == "bulk":
        count = event.data["totals"].get(RowAction.update, 0)
        if not count:
            return []
        told = VERBS[event.data["verb"]].tell(event.data["arguments"])
        words = f"{told[0].lower()}{told[1:]}:"
        key = int(event.object.partition(":")[2])
        subject = Subject("operation", count_of(count, "question"), key)
    return [Deed(who, event.action, words, {event.object}, event.at, subject)]


def _times_of_whole() -> CompoundSelect[datetime]:
    """Select when operations and imports were done or undone.

    The events of their questions have the same times, to the microsecond.
    """
    times = (
        BulkOperation.done_at,
        BulkOperation.undone_at,
        ImportBatch.applied_at,
        ImportBatch.undone_at,
    )
    return union_all(*(select(time).where(time.is_not(None)) for time in times))
