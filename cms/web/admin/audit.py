"""The audit: who did what, read-only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, String, cast, select
from sqlalchemy.orm import joinedload

from cms.extensions import db
from cms.models import AuditEvent, Correction, Deck, Question, User
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


def subjects(objects: Iterable[str]) -> dict[str, tuple[str, str, int]]:
    """Return what 'question:<uid>', 'correction:<uid>' and 'deck:<id>' name: kind, words, key.

    Three queries, however many objects; what was deleted since is left out.
    """
    wanted: dict[str, list[str]] = {"question": [], "correction": [], "deck": []}
    for about in objects:
        kind, _, uid = about.partition(":")
        if kind in wanted:
            wanted[kind].append(uid)
    asked = {
        "question": select(Question.uid, Question.stem, Question.id).where(
            Question.uid.in_(wanted["question"])
        ),
        "correction": select(Correction.uid, Correction.claim, Correction.id).where(
            Correction.uid.in_(wanted["correction"])
        ),
        "deck": select(cast(Deck.id, String), Deck.title, Deck.id).where(
            Deck.id.in_([int(key) for key in wanted["deck"]])
        ),
    }
    return {
        f"{kind}:{uid}": (kind, words, key)
        for kind, statement in asked.items()
        if wanted[kind]
        for uid, words, key in db.session.execute(statement)
    }
