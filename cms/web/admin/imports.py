"""The imports: files taken in, what would become of each row, and what became of it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flask import Response, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, joinedload

from cms.errors import CmsError, InvalidInput
from cms.extensions import db
from cms.formats import FORMATS
from cms.formats.csv import inert
from cms.models import ImportBatch, ImportRow, Question
from cms.services.imports import uploads
from cms.services.imports.import_undo import is_large, undo_import, undo_later
from cms.services.imports.importing import new_decks
from cms.text import normalize_line
from cms.vocabulary import ImportState, Role, RowAction
from cms.web.admin.base import PAGE_SIZE, ListFilter, Row, TableView, actor, find, now, transaction
from cms.web.admin.import_columns import ColumnsForm, ImportColumnPages
from cms.web.admin.import_rows import ImportRowPages, shown_rows
from cms.web.admin.incoming import incoming
from cms.web.pages import count_of

# What becomes of rows, in words and in the order in which it is told.
_NOUNS = ("conflict", "likely duplicate", "error")
_RESULTS = ("created", "updated", "to create", "to update", "unchanged", "left out", *_NOUNS)
_WAITING = {
    RowAction.create: "to create",
    RowAction.update: "to update",
    RowAction.unchanged: "unchanged",
    RowAction.conflict: "conflict",
    RowAction.duplicate: "likely duplicate",
    RowAction.error: "error",
}

STATES: dict[str, tuple[str, Callable[[], ColumnElement[bool]]]] = {
    "open": ("to be decided", uploads.waits),
    "imported": (
        "imported",
        lambda: and_(ImportBatch.applied_at.is_not(None), ImportBatch.undone_at.is_(None)),
    ),
    "undone": ("undone", lambda: ImportBatch.undone_at.is_not(None)),
}

READABLE = {name: each.title for name, each in FORMATS.items() if each.read}


class ImportsView(ImportRowPages, ImportColumnPages, TableView):
    """Every import, from the file that was taken in to its undoing."""

    title = "Imports"
    noun = "import"
    role = Role.editor
    can_create = True
    list_template = "admin/imports/list.html"
    column_list = ("file_name", "state", "format", "result", "by", "at")
    column_labels = {"file_name": "File", "at": "When"}
    column_sortable_list = (("at", ImportBatch.at),)
    column_filters = (
        ListFilter(
            "state",
            "State",
            lambda value: STATES[value][1](),
            [(name, words) for name, (words, _) in STATES.items()],
        ),
    )
    loading = (joinedload(ImportBatch.by), joinedload(ImportBatch.job))

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        self._template_args["results"] = results(rows)
        self._template_args["state_of"] = uploads.state_of
        return count, rows

    # --- taking in -------------------------------------------------------------------

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        """Take in files or pasted text; each becomes an import that waits for a decision."""
        problem: InvalidInput | None = None
        if request.method == "POST":
            try:
                taken = self._take_in()
            except InvalidInput as error:
                problem = error
            else:
                if len(taken) == 1:
                    return redirect(self.get_url(".details_view", id=taken[0]), 303)
                flash(f"{len(taken)} files are being read. Open each to decide.", "success")
                return redirect(self.get_url(".index_view"), 303)
        return self.render(
            "admin/imports/new.html", formats=READABLE, problem=problem, typed=request.form
        )

    def _take_in(self) -> list[int]:
        files = [
            (file.filename, file.read()) for file in request.files.getlist("file") if file.filename
        ]
        found = incoming(files, request.form.get("text", ""), request.form.get("name", ""))
        with transaction() as session:
            return [
                uploads.receive(
                    session,
                    upload,
                    format=request.form.get("format", ""),
                    by=actor(),
                    at=now(),
                ).id
                for upload in found
            ]

    # --- an import ----------------------------------------------------------------------

    @expose("/<id>/")
    def details_view(self, id: str) -> ResponseReturnValue:
        """Show how far an import has come, and its rows by `?show=`, from `?after=` on."""
        return self.details(find(ImportBatch, id, "import"))

    def details(self, batch: ImportBatch, columns: ColumnsForm | None = None) -> str:
        """Return the page of an import; `columns` is a table's form that had faults."""
        session = db.session()
        state = uploads.state_of(batch)
        if state == ImportState.asking and columns is None:
            columns = self.columns_form(batch)
        show = self.shown_kind()
        after = request.args.get("after", "")
        rows = session.scalars(
            shown_rows(batch, show, int(after) if after.isdecimal() and len(after) < 10 else 0)
            .options(joinedload(ImportRow.question).load_only(Question.stem, Question.slug))
            .limit(PAGE_SIZE + 1)
        ).all()
        tally, head = uploads.tally(session, batch), uploads.head_of(batch)
        page: str = self.render(
            "admin/imports/details.html",
            batch=batch,
            state=state,
            columns=columns,
            progress=progress_of(batch),
            head=head,
            decks=new_decks(session, head.decks),
            show=show,
            tally=tally,
            chosen=sum(chosen for _, chosen in tally.values()),
            damaged=session.scalar(
                select(func.count()).where(ImportRow.batch_id == batch.id, ImportRow.warnings > 0)
            ),
            rows=rows[:PAGE_SIZE],
            more=len(rows) > PAGE_SIZE,
            after=after,
            can_be_chosen=uploads.can_be_chosen,
            formats=READABLE,
        )
        return page

    @expose("/<id>/report.csv")
    def report(self, id: str) -> Response:
        """Send what became, or would become, of each row as a table."""
        batch = find(ImportBatch, id, "import")
        rows = db.session.execute(
            select(
                ImportRow.place,
                ImportRow.action,
                ImportRow.chosen,
                ImportRow.stem,
                ImportRow.message,
                ImportRow.warnings,
                Question.uid,
            )
            .outerjoin(Question, Question.id == ImportRow.question_id)
            .where(ImportRow.batch_id == batch.id)
            .order_by(ImportRow.id)
        ).all()
        response = Response("".join(_report(rows)), mimetype="text/csv")
        response.headers.set(
            "Content-Disposition", "attachment", filename=f"import-{batch.id}-report.csv"
        )
        return response

    # --- decisions ------------------------------------------------------------------------

    @expose("/<id>/choose", methods=("POST",))
    def choose(self, id: str) -> ResponseReturnValue:
        """Choose the ticked ones of the rows that were shown, or all of one kind."""
        batch = find(ImportBatch, id, "import")
        try:
            with transaction() as session:
                verb, _, kind = request.form.get("all", "").partition(":")
                if kind in RowAction.__members__:
                    uploads.choose(
                        session, batch, verb == "take", action=RowAction(kind), by=actor()
                    )
                else:
                    shown, ticked = _numbers("shown"), _numbers("chosen")
                    for chosen, rows in ((True, shown & ticked), (False, shown - ticked)):
                        uploads.choose(session, batch, chosen, rows=rows, by=actor())
        except CmsError as error:
            flash(str(error), "error")
        return redirect(self._back(batch), 303)

    def _back(self, batch: ImportBatch) -> str:
        """Return the address of the row, or the rows, that somebody was looking at."""
        if (row := request.form.get("row", "")).isdecimal():
            return self.get_url(".row", id=batch.id, row=row, show=self.shown_kind() or None)  # type: ignore[no-any-return]
        url: str = self.get_url(
            ".details_view",
            id=batch.id,
            show=self.shown_kind() or None,
            after=normalize_line(request.form.get("after", ""))[:10] or None,
        )
        return url

    @expose("/<id>/read", methods=("POST",))
    def read(self, id: str) -> ResponseReturnValue:
        format = request.form.get("format", "")

        def read_as(session: Session, batch: ImportBatch, **who: Any) -> None:
            uploads.read_as(session, batch, format, **who)

        return self._attempt(id, read_as)

    @expose("/<id>/write", methods=("POST",))
    def write(self, id: str) -> ResponseReturnValue:
        return self._attempt(id, uploads.confirm)

    @expose("/<id>/undo", methods=("POST",))
    def undo(self, id: str) -> ResponseReturnValue:
        if is_large(db.session(), find(ImportBatch, id, "import")):
            return self._attempt(id, undo_later)
        return self._attempt(id, undo_import, "Undone: the bank is as it was before this import.")

    @expose("/<id>/discard", methods=("POST",))
    def discard(self, id: str) -> ResponseReturnValue:
        name = find(ImportBatch, id, "import").file_name
        return self._attempt(
            id, uploads.discard, f"Discarded ‘{name}’; nothing was written.", to_list=True
        )

    @expose("/<id>/again", methods=("POST",))
    def again(self, id: str) -> ResponseReturnValue:
        batch = find(ImportBatch, id, "import")
        try:
            with transaction() as session:
                fresh = uploads.again(session, batch, by=actor(), at=now()).id
        except CmsError as error:
            flash(str(error), "error")
            return redirect(self.get_url(".details_view", id=id), 303)
        return redirect(self.get_url(".details_view", id=fresh), 303)

    def _attempt(
        self, id: str, verb: Callable[..., Any], done: str = "", *, to_list: bool = False
    ) -> ResponseReturnValue:
        """Run a service's verb in a transaction of its own; say what came of it."""
        batch = find(ImportBatch, id, "import")
        here = self.get_url(".details_view", id=id)
        try:
            with transaction() as session:
                verb(session, batch, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
            return redirect(here, 303)
        if done:
            flash(done, "success")
        return redirect(self.get_url(".index_view") if to_list else here, 303)


def progress_of(batch: ImportBatch) -> tuple[str, int, int | None]:
    """Return what the job at hand is doing, in words, how far it has come, and of how much."""
    job = batch.job
    if job is None or job.state not in {"queued", "running"}:
        return "", 0, None
    if job.state == "queued":
        return "Waiting for a worker …", 0, None
    if uploads.state_of(batch) == ImportState.undoing:
        return "Taking it back …", 0, None
    if job.total is None:
        reading = uploads.state_of(batch) == ImportState.reading
        return ("Reading the file …" if reading else "Comparing once more …"), 0, None
    return (
        f"Compared {job.progress:,} of {job.total:,} questions with the bank …",
        job.progress,
        job.total,
    )


def results(batches: Sequence[ImportBatch]) -> dict[int, list[str]]:
    """Return what became, or would become, of the rows of each batch, in words; in one query."""
    written = ImportRow.number.is_not(None)
    statement = (
        select(ImportRow.batch_id, ImportRow.action, written, func.count())
        .where(ImportRow.batch_id.in_([batch.id for batch in batches]))
        .group_by(ImportRow.batch_id, ImportRow.action, written)
    )
    over = {batch.id: batch.applied_at is not None for batch in batches}
    found: dict[int, Counter[str]] = {batch.id: Counter() for batch in batches}
    for batch, action, done, count in db.session.execute(statement):
        found[batch][_result(action, written=done, over=over[batch])] += count
    return {
        batch: [_told(counted[words], words) for words in _RESULTS if counted[words]]
        for batch, counted in found.items()
    }


def _result(action: RowAction, *, written: bool, over: bool) -> str:
    is_new = action in {RowAction.create, RowAction.duplicate}
    if written:
        return "created" if is_new else "updated"
    if over and (is_new or action == RowAction.update):
        return "left out"
    return _WAITING[action]


def _told(count: int, words: str) -> str:
    return count_of(count, words) if words in _NOUNS else f"{count:,} {words}"


def _numbers(name: str) -> set[int]:
    return {int(each) for each in request.form.getlist(name) if each.isdecimal() and len(each) < 10}


def _report(rows: Any) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(("place", "action", "imported", "stem", "message", "warnings", "uid"))
    for place, action, chosen, stem, message, warnings, uid in rows:
        cells = (place, action.value, "yes" if chosen else "no", stem, message)
        writer.writerow([*map(inert, cells), warnings, uid or ""])
    yield line.getvalue()
