"""The imports: what came in, row by row. Files come in by the command line."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from cms.extensions import db
from cms.models import ImportBatch, ImportRow, Question
from cms.vocabulary import Role, RowAction
from cms.web.admin.base import PAGE_SIZE, Row, TableView, find


class ImportsView(TableView):
    """Every import; nothing here is changed."""

    title = "Imports"
    noun = "import"
    role = Role.editor
    list_template = "admin/imports/list.html"
    column_list = ("file_name", "format", "result", "by", "at")
    column_labels = {"file_name": "File", "at": "When"}
    column_sortable_list = (("at", ImportBatch.at),)
    loading = (joinedload(ImportBatch.by),)

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        self._template_args["tallies"] = tallies([row.id for row in rows])
        return count, rows

    @expose("/<id>/")
    def details_view(self, id: str) -> ResponseReturnValue:
        """Show a batch's rows, by `?action=` and from `?after=` on."""
        batch = find(ImportBatch, id, "import")
        action = request.args.get("action", "")
        after = request.args.get("after", "")
        statement = select(ImportRow).where(ImportRow.batch_id == batch.id)
        if action in RowAction.__members__:
            statement = statement.where(ImportRow.action == RowAction(action))
        if after.isdecimal() and len(after) < 10:
            statement = statement.where(ImportRow.id > int(after))
        rows = db.session.scalars(
            statement.options(joinedload(ImportRow.question).load_only(Question.stem))
            .order_by(ImportRow.id)
            .limit(PAGE_SIZE + 1)
        ).all()
        return self.render(
            "admin/imports/details.html",
            batch=batch,
            action=action,
            tally=tallies([batch.id])[batch.id],
            rows=rows[:PAGE_SIZE],
            more=len(rows) > PAGE_SIZE,
        )


def tallies(batches: list[int]) -> dict[int, dict[RowAction, int]]:
    """Return how many rows of each batch met which action, in one query."""
    found: dict[int, dict[RowAction, int]] = {batch: {} for batch in batches}
    statement = (
        select(ImportRow.batch_id, ImportRow.action, func.count())
        .where(ImportRow.batch_id.in_(batches))
        .group_by(ImportRow.batch_id, ImportRow.action)
    )
    for batch, action, count in db.session.execute(statement):
        found[batch][action] = count
    return found
