"""The bulk operations: what was done to many questions, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from cms.errors import CmsError
from cms.extensions import db
from cms.models import BulkOperation, BulkRow, Question
from cms.services.operations import bulk
from cms.services.operations.bulk import VERBS
from cms.services.operations.undoing import undo_bulk
from cms.services.permissions import may
from cms.vocabulary import JobState, RowAction
from cms.web.admin.base import (
    PAGE_SIZE,
    ListFilter,
    Row,
    TableView,
    actor,
    find,
    now,
    transaction,
    way_back,
)

# What became of a question, in words, and in the order in which it is told.
FATES = {
    RowAction.update: "done",
    RowAction.error: "left alone",
    RowAction.unchanged: "unchanged",
}


def stage_of(operation: BulkOperation, tally: Mapping[RowAction, int]) -> tuple[str, str]:
    """Return how far an operation has come, as (class of a pill, words)."""
    if operation.undone_at is not None:
        return "gone", "undone"
    if operation.done_at is not None:
        return ("live", "done") if tally.get(RowAction.update) else ("gone", "changed nothing")
    if operation.job is not None and operation.job.state == JobState.failed:
        return "error", "failed"
    return "review", "at work" if operation.job and operation.job.attempts else "waiting"


class OperationsView(TableView):
    """Every bulk operation, with its undo."""

    title = "Operations"
    noun = "operation"
    list_template = "admin/operations/list.html"
    column_list = ("verb", "questions", "state", "by", "at")
    column_labels = {"verb": "What", "state": "State", "at": "When"}
    column_sortable_list = (("at", BulkOperation.at),)
    column_filters = (
        ListFilter(
            "verb",
            "What",
            lambda value: BulkOperation.verb == value,
            [(name, verb.words) for name, verb in VERBS.items()],
        ),
    )
    loading = (
        joinedload(BulkOperation.by),
        joinedload(BulkOperation.job),
        joinedload(BulkOperation.undone_by),
    )

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        tallies = bulk.totals(db.session(), [row.id for row in rows])
        self._template_args.update(tallies=tallies, VERBS=VERBS, FATES=FATES, stage_of=stage_of)
        return count, rows

    @expose("/<id>/")
    def details_view(self, id: str) -> ResponseReturnValue:
        """Show what became of each question, by `?action=` and from `?after=` on."""
        operation = find(BulkOperation, id, "operation")
        action = request.args.get("action", "")
        after = request.args.get("after", "")
        statement = select(BulkRow).where(BulkRow.operation_id == operation.id)
        if action in RowAction.__members__:
            statement = statement.where(BulkRow.action == RowAction(action))
        if after.isdecimal() and len(after) < 10:
            statement = statement.where(BulkRow.id > int(after))
        rows = db.session.scalars(
            statement.options(joinedload(BulkRow.question).load_only(Question.stem))
            .order_by(BulkRow.id)
            .limit(PAGE_SIZE + 1)
        ).all()
        verb = VERBS[operation.verb]
        tally = bulk.totals(db.session(), [operation.id])[operation.id]
        return self.render(
            "admin/operations/details.html",
            operation=operation,
            told=verb.tell(operation.arguments),
            stage=stage_of(operation, tally),
            busy=_busy(operation),
            undoable=operation.done_at and not operation.undone_at and may(actor(), verb.role),
            action=action,
            tally=tally,
            FATES=FATES,
            rows=rows[:PAGE_SIZE],
            more=len(rows) > PAGE_SIZE,
        )

    @expose("/<id>/undo", methods=("POST",))
    def undo(self, id: str) -> ResponseReturnValue:
        operation = find(BulkOperation, id, "operation")
        page = self.get_url(".details_view", id=id)
        told = VERBS[operation.verb].tell(operation.arguments)
        tally = bulk.totals(db.session(), [operation.id])[operation.id]
        large = tally.get(RowAction.update, 0) > bulk.LARGE
        try:
            with transaction() as session:
                if large:
                    bulk.hand_over(session, operation, by=actor(), at=now(), undo=True)
                else:
                    undo_bulk(session, operation, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
            return redirect(page, 303)
        if large:
            return redirect(page, 303)
        flash(f"Undone: {told}. Everything is as it was.", "success")
        return redirect(way_back() or page, 303)


def _busy(operation: BulkOperation) -> bool:
    """Whether a worker is at it, or soon will be."""
    waiting = {JobState.queued, JobState.running}
    return operation.job is not None and operation.job.state in waiting
