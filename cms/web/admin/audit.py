"""The audit: who did what, read-only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, cast, select
from sqlalchemy.orm import joinedload

from cms.extensions import db
from cms.models import (
    AuditEvent,
    BulkOperation,
    Correction,
    Deck,
    ImportBatch,
    Question,
    User,
)
from cms.services.operations.bulk import VERBS
from cms.vocabulary import Role
from cms.web.admin.base import ListFilter, Row, TableView

COMMAND_LINE = "-"


def _by(name: str) -> ColumnElement[bool]:
    if name == COMMAND_LINE:
        return AuditEvent.actor_id.is_(None)
    return AuditEvent.actor_id.in_(select(User.id).where(User.name == name))


class AuditView(TableView):
    """Every event, the newest first; there is no door to change one."""

    title = "Audit"
    noun = "event"
    role = Role.editor
    list_template = "admin/audit/list.html"
    column_list = ("at", "actor", "action", "object", "data")
    column_labels = {"at": "When", "actor": "Who", "object": "What"}
    column_sortable_list = (("at", AuditEvent.at),)
    column_filters = (
        ListFilter("who", "Who", _by),
        ListFilter("action", "Action", lambda value: AuditEvent.action == value),
        ListFilter("object", "Object", lambda value: AuditEvent.object == value),
    )
    loading = (joinedload(AuditEvent.actor),)

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        self._template_args["subjects"] = subjects(row.object for row in rows)
        return count, rows


class Subject(NamedTuple):
    """What an event is about: its kind, how people call it, and the key of its page."""

    kind: str
    words: str
    key: int


def subjects(objects: Iterable[str]) -> dict[str, Subject]:
    """Return what 'question:<uid>', 'correction:<uid>' or 'deck:<id>', among others, names.

    A query for each kind, however many objects; what was deleted since is left out.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for about in objects:
        kind, _, key = about.partition(":")
        wanted[kind].append(key)
    asked = {
        "question": select(Question.uid, Question.stem, Question.id).where(
            Question.uid.in_(wanted["question"])
        ),
        "correction": select(Correction.uid, Correction.claim, Correction.id).where(
            Correction.uid.in_(wanted["correction"])
        ),
        "deck": _named(Deck.id, Deck.title, wanted["deck"]),
        "import": _named(ImportBatch.id, ImportBatch.file_name, wanted["import"]),
    }
    found = {
        f"{kind}:{name}": Subject(kind, words, key)
        for kind, statement in asked.items()
        if wanted[kind]
        for name, words, key in db.session.execute(statement)
    }
    operations = select(BulkOperation).where(BulkOperation.id.in_(map(int, wanted["operation"])))
    for each in db.session.scalars(operations) if wanted["operation"] else ():
        told = VERBS[each.verb].tell(each.arguments)
        found[f"operation:{each.id}"] = Subject("operation", told, each.id)
    return found


def _named(id: Any, words: Any, keys: Iterable[str]) -> Select[str, str, int]:
    return select(cast(id, String), words, id).where(id.in_(map(int, keys)))
