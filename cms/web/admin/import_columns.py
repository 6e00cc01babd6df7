"""A step of an import: what the columns of somebody's table mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from werkzeug.datastructures import MultiDict

from cms.errors import CmsError, InvalidInput
from cms.extensions import db
from cms.formats.columns import MEANINGS, Columns, Meaning, mapping_guess
from cms.models import ImportBatch
from cms.services.imports.tablecolumns import columns, read_columns
from cms.services.imports.uploads import TableColumns
from cms.web.admin.base import GuardedView, actor, find, now, transaction


@dataclass(frozen=True, slots=True)
class ColumnsForm:
    """The columns of a table, by position, and what each is chosen to mean."""

    table: Columns
    chosen: list[Meaning]
    header: bool
    problem: str = ""
    meanings: dict[Meaning, str] = field(default_factory=lambda: MEANINGS)

    @classmethod
    def guessed(cls, table: Columns) -> ColumnsForm:
        guess = mapping_guess(table)
        return cls(table, [guess[column.key] for column in table.columns], table.has_header)

    @classmethod
    def posted(cls, table: Columns, data: MultiDict[str, str]) -> ColumnsForm:
        words = [data.get(f"column-{number}", "") for number in range(1, len(table.columns) + 1)]
        known = [Meaning(word) if word in list(Meaning) else Meaning.ignore for word in words]
        return cls(table, known, "header" in data)

    def mapping(self) -> TableColumns:
        numbered = {str(n): meaning.value for n, meaning in enumerate(self.chosen, start=1)}
        return TableColumns(mapping=numbered, header=self.header)


class ImportColumnPages(GuardedView):
    """The step in which columns get their meanings; `ImportsView` adds the import around it."""

    def columns_form(self, batch: ImportBatch) -> ColumnsForm:
        return ColumnsForm.guessed(columns(db.session(), batch))

    @expose("/<id>/columns", methods=("POST",))
    def choose_columns(self, id: str) -> ResponseReturnValue:
        """Take what the columns mean, and have the file read on."""
        batch = find(ImportBatch, id, "import")
        here = self.get_url(".details_view", id=batch.id)
        try:
            form = ColumnsForm.posted(columns(db.session(), batch), request.form)
            try:
                with transaction() as session:
                    read_columns(session, batch, form.mapping(), by=actor(), at=now())
            except InvalidInput as error:
                shown = replace(form, problem=str(error))
                page: str = self.details(find(ImportBatch, id, "import"), shown)
                return page
        except CmsError as error:
            flash(str(error), "error")
        return redirect(here, 303)
