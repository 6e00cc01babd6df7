"""The audit: who did what, when, to what. Read-only: the database itself lets nothing change."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import Session, joinedload

from cms.extensions import db
from cms.formats.csv import inert
from cms.models import AuditEvent, User
from cms.vocabulary import Role
from cms.web.admin.base import ListFilter, Row, TableView, now
from cms.web.admin.filters import DayFilter, PersonFilter
from cms.web.admin.lately import DEEDS
from cms.web.admin.subjects import objects_called, subjects
from cms.web.sending import send_chunks

COMMAND_LINE = "-"
# Events of the export that are read, and whose things are named, at once.
ROUND = 500
COLUMNS = ("at", "who", "action", "did", "object", "what", "data")

# What people read of an action that the dashboard does not tell of; its deeds say the others.
WORDS = {
    "account.add": "made the account",
    "account.disable": "disabled the account",
    "account.enable": "enabled the account",
    "account.link": "made a one-use link for",
    "account.login": "logged in",
    "account.logout": "logged out",
    "account.password": "set a new password",
    "account.role": "changed the role of",
    "bank.restore": "replaced the bank by a backup, in",
    "bulk": "carried out",
    "bulk.undo": "undid",
    "comment.reopen": "opened a thread again on",
    "correction.move": "moved a correction:",
    "import": "imported",
    "import.discard": "dropped the import",
    "import.undo": "undid the import of",
    "question.assign": "assigned",
    "question.delete": "deleted a draft",
    "question.due": "set the due date of",
    "question.review_by": "set the review date of",
    "question.reviewer": "named a reviewer for",
    "sample.record": "recorded runs of code",
    "warning.acknowledge": "acknowledged an import warning of",
    "warning.mend": "mended an import warning of",
    "warning.reopen": "brought back an import warning of",
    "warning.take_back": "took back an acknowledgement for",
}


def words_of(action: str) -> str:
    """Return an action as people read it; one that nobody has words for stays as it is."""
    told = WORDS.get(action) or (DEEDS[action][0] if action in DEEDS else action)
    return told.removesuffix(":")


class ActionFilter(ListFilter):
    """Events by what was done. Actions of later versions are known by their names alone."""

    def choices(self) -> Sequence[tuple[str, str]]:
        known = {action: words_of(action) for action in (*WORDS, *DEEDS)}
        return sorted((action, f"{action}: {words}") for action, words in known.items())

    def validate(self, value: str) -> bool:
        return re.fullmatch(r"[a-z_]{1,40}(?:\.[a-z_]{1,40})?", value) is not None


class ObjectFilter(ListFilter):
    """Events by what they are about, as people call it."""

    hint = "number, address, uid, name"

    def validate(self, value: str) -> bool:
        return bool(objects_called(value))

    def refusal(self, value: str) -> str:
        return (
            f"‘{value}’ names nothing: give a question's number, address or uid, "
            "a correction's address or uid, or the name of an account."
        )


def _day_begins(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _until(day: date) -> ColumnElement[bool]:
    """Whether an event was on a day or before it; no event is later than the last day there is."""
    following = min(day, date.max - timedelta(days=1)) + timedelta(days=1)
    return AuditEvent.at < _day_begins(following)


class AuditView(TableView):
    """Every event, the newest first; there is no door to change one."""

    title = "Audit"
    noun = "event"
    role = Role.editor
    list_template = "admin/audit/list.html"
    column_list = ("at", "actor", "action", "object", "data")
    column_labels = {"at": "When (UTC)", "actor": "Who", "action": "Did", "object": "What"}
    column_sortable_list = (("at", AuditEvent.at),)
    column_filters = (
        PersonFilter(
            "who", "Who", AuditEvent.actor_id, nobody=COMMAND_LINE, words="the command line"
        ),
        ActionFilter("action", "Action", lambda value: AuditEvent.action == value),
        ObjectFilter(
            "object",
            "About",
            lambda value: AuditEvent.object.in_(objects_called(value)),
        ),
        DayFilter("from", "From (UTC)", lambda day: AuditEvent.at >= _day_begins(day)),
        DayFilter("until", "Until, inclusive", _until),
    )
    loading = (joinedload(AuditEvent.actor),)

    def default_order(self, _search: str | None) -> list[Any]:
        # Every filter's index goes on by the time.
        return [AuditEvent.at.desc(), AuditEvent.id.desc()]

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        self._template_args["subjects"] = subjects(row.object for row in rows)
        self._template_args["words_of"] = words_of
        return count, rows

    @expose("/export")
    def export_events(self) -> ResponseReturnValue:
        """Send the events of the whole list, as it is filtered, as CSV."""
        columns = AuditEvent.at, User.name, AuditEvent.action, AuditEvent.object, AuditEvent.data
        chosen = (
            self.whole()
            .outerjoin(AuditEvent.actor)
            .with_only_columns(*columns)
            .order_by(*self.default_order(None))
        )
        with Session(db.engine) as session:
            return send_chunks(
                _csv(session, chosen), "text/csv; charset=utf-8", f"audit-{now():%Y-%m-%d}.csv"
            )


def _csv(session: Session, chosen: Select[Any]) -> Iterator[bytes]:
    """Yield the events as CSV, reading and naming them round by round."""
    yield _lines([COLUMNS])
    rows = session.execute(chosen.execution_options(yield_per=ROUND))
    for events in rows.partitions():
        known = subjects(event.object for event in events)
        yield _lines(
            [
                event.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                event.name or "",
                event.action,
                words_of(event.action),
                event.object,
                known[event.object].words if event.object in known else "",
                json.dumps(event.data, ensure_ascii=False) if event.data else "",
            ]
            for event in events
        )


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows of CSV in which no spreadsheet runs anything."""
    text = io.StringIO()
    csv.writer(text).writerows([inert(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
