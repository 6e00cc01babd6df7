"""One row of an import: what it says beside what the bank has, and a form to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from msgspec.structs import replace
from sqlalchemy import Select, select

from cms.errors import CmsError, InvalidInput
from cms.extensions import db
from cms.formats.item import Content
from cms.models import ImportBatch, ImportRow, Question
from cms.services import diff
from cms.services.imports import uploads
from cms.services.imports.planning import Comparison
from cms.services.rendered import Rendered
from cms.vocabulary import Difficulty, ImportState, RowAction
from cms.web.admin.base import GuardedView, actor, find, transaction
from cms.web.admin.editor import rendered
from cms.web.admin.forms import QuestionForm
from cms.web.admin.texts import follow_tags
from cms.web.admin.warnings import Notes, marked, notes_of

DAMAGED = "damaged"
"""The rows that carry warnings, among the kinds by which rows are shown."""


def shown_rows(batch: ImportBatch, show: str, after: int = 0) -> Select[ImportRow]:
    """Select the rows of a kind (an action, or DAMAGED; else all), in order, from `after` on."""
    statement = select(ImportRow).where(ImportRow.batch_id == batch.id, ImportRow.id > after)
    if show in RowAction.__members__:
        statement = statement.where(ImportRow.action == RowAction(show))
    elif show == DAMAGED:
        statement = statement.where(ImportRow.warnings > 0)
    return statement.order_by(ImportRow.id)


@dataclass(frozen=True, slots=True)
class Beside:
    """A row's text beside the bank's: what an update changes, or where the two disagree."""

    changes: list[diff.PartDiff]
    conflicts: list[diff.Conflict]

    @classmethod
    def of(cls, comparison: Comparison | None) -> Beside:
        wanted = comparison.planned.content if comparison else None
        if comparison is None or comparison.current is None or wanted is None:
            return cls([], [])
        if comparison.planned.action == RowAction.conflict:
            found = diff.conflicts(mine=wanted, theirs=comparison.current, base=comparison.base)
            return cls([], found)
        current = comparison.current
        if comparison.planned.action == RowAction.duplicate:
            current, wanted = _by_place(current), _by_place(wanted)
        return cls(diff.compare(current, wanted), [])


class ImportRowPages(GuardedView):
    """The page of a row; `ImportsView` adds the import that it belongs to."""

    def shown_kind(self) -> str:
        """Return the kind of rows that somebody looks through; empty for all."""
        kind = request.values.get("show", "")
        return kind if kind in RowAction.__members__ or kind == DAMAGED else ""

    @expose("/<id>/rows/<row>", methods=("GET", "POST"))
    def row(self, id: str, row: str) -> ResponseReturnValue:
        """Show a row with what it would do; take a mended text in its place."""
        batch = find(ImportBatch, id, "import")
        found = uploads.find_row(db.session(), batch, int(row) if _is_key(row) else 0)
        if request.method != "POST":
            return self._row_page(batch, found, None)
        form = follow_tags(QuestionForm.posted(request.form))
        if request.form.get("op", "save") != "save":
            form.step(request.form["op"])
            return self._row_page(batch, found, form)
        try:
            with transaction() as session:
                text = form.content(form.tag_slugs)
                uploads.mend(session, batch, found, text, seen=form.seen, by=actor())
        except InvalidInput as error:
            form.refuse(error)
            return self._row_page(batch, found, form)
        except CmsError as error:
            form.errors[""] = str(error)
            # The next save is deliberate: it names what the row says now as seen.
            form.seen_version = str(uploads.version_of(found))
            return self._row_page(batch, found, form)
        flash("Mended. The import will write this text.", "success")
        show = self.shown_kind()
        return redirect(self.get_url(".row", id=id, row=row, show=show or None), 303)

    def _row_page(self, batch: ImportBatch, row: ImportRow, form: QuestionForm | None) -> str:
        session = db.session()
        comparison = uploads.compared(session, batch, row)
        wanted = _wanted(comparison)
        state = uploads.state_of(batch)
        seen = uploads.version_of(row)
        text = form or (QuestionForm.of(wanted, seen_version=seen) if wanted else None)
        said = uploads.stated(row)
        notes = Notes()
        shown = rendered(text) if text else None
        if said is not None and text is not None and wanted is not None:
            notes = notes_of(said.damages, text, wanted)
            if isinstance(shown, Rendered):
                shown = marked(shown, text, notes)
        return self.render(
            "admin/imports/row.html",
            batch=batch,
            row=row,
            question=session.get(Question, row.question_id) if row.question_id else None,
            state=state,
            editable=state == ImportState.waiting and wanted is not None,
            choosable=state == ImportState.waiting and uploads.can_be_chosen(row),
            notes=notes,
            beside=Beside.of(comparison if state == ImportState.waiting else None),
            has_base=comparison is not None and comparison.base is not None,
            form=text,
            unsaved=form is not None,
            rendered=shown,
            difficulties=list(Difficulty),
            **self._neighbors(batch, row),
        )

    def _neighbors(self, batch: ImportBatch, row: ImportRow) -> dict[str, Any]:
        """Return the rows before and after this one, of the kind that somebody looks through."""
        show = self.shown_kind()
        rows = shown_rows(batch, show).with_only_columns(ImportRow.id)
        before = rows.where(ImportRow.id < row.id).order_by(None).order_by(ImportRow.id.desc())
        session = db.session()
        return {
            "show": show,
            "before": session.scalar(before.limit(1)),
            "after": session.scalar(rows.where(ImportRow.id > row.id).limit(1)),
        }


def _wanted(comparison: Comparison | None) -> Content | None:
    """Return the text that a row would make; a likely duplicate makes what it says."""
    if comparison is None:
        return None
    return comparison.planned.content or comparison.planned.item


def _by_place(content: Content) -> Content:
    """Return a content whose answers are known by their place: those of two questions compare."""
    answers = [
        replace(answer, uid=f"place-{place}") for place, answer in enumerate(content.answers)
    ]
    return replace(content, slug=None, answers=answers)


def _is_key(written: str) -> bool:
    return written.isdecimal() and len(written) < 10
