"""The corrections: the list of them, and the form that files one about a question."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import contains_eager, joinedload

from cms.errors import InvalidInput, NotFound, WrongState
from cms.extensions import db
from cms.models import Correction, Question
from cms.services import corrections, mywork
from cms.services.content import revision_content
from cms.services.proposals import parts_of
from cms.vocabulary import CorrectionKind, CorrectionStatus
from cms.web.admin.base import ListFilter, actor, find, hits, now, transaction
from cms.web.admin.deciding import DecisionPages
from cms.web.admin.editor import opened, rendered
from cms.web.admin.exports import ExportedList
from cms.web.admin.filters import WeekFilter
from cms.web.filing import FilingForm

KINDS = {
    CorrectionKind.factual: "factual: it was wrong",
    CorrectionKind.outdated: "outdated: it was right once",
    CorrectionKind.technical: "technical: the code or a command fails",
    CorrectionKind.editorial: "editorial: the words were damaged or unclear",
}
# An undecided correction that is older is shown as late.
LATE = timedelta(days=14)


def _age(value: str) -> ColumnElement[bool]:
    edge = now() - LATE
    return Correction.created_at < edge if value == "old" else Correction.created_at >= edge


class CorrectionsView(DecisionPages, ExportedList):
    """Every correction; the open ones wait for a decision."""

    title = "Corrections"
    noun = "correction"
    search_hint = "Search claims and questions"
    list_template = "admin/corrections/list.html"
    can_create = True
    column_list = ("claim", "question", "kind", "status", "reporter", "created_at")
    column_labels = {"reporter": "Filed by", "created_at": "Filed"}
    column_sortable_list = (("created_at", Correction.created_at),)
    column_filters = (
        ListFilter(
            "status",
            "Status",
            lambda value: Correction.status == CorrectionStatus(value),
            [(each.value, each.value) for each in CorrectionStatus],
        ),
        ListFilter(
            "kind",
            "Kind",
            lambda value: Correction.kind == CorrectionKind(value),
            [(each.value, each.value) for each in CorrectionKind],
        ),
        ListFilter(
            "mine",
            "Mine",
            lambda _: mywork.is_open_correction_by(actor()),
            [("undecided", "not decided yet")],
            quiet=True,
        ),
        ListFilter(
            "age",
            "Age",
            _age,
            [("new", f"at most {LATE.days} days"), ("old", f"over {LATE.days} days")],
        ),
        WeekFilter("opened", "Filed in the week", Correction.created_at),
        WeekFilter("decided", "Decided in the week", Correction.decided_at),
    )
    loading = (
        contains_eager(Correction.question).load_only(Question.stem),
        joinedload(Correction.reporter),
    )

    def rows(self) -> Select[Any]:
        return select(Correction).join(Correction.question)

    def question_ids(self, matching: Select[Any]) -> Select[Any]:
        return matching.with_only_columns(Correction.question_id)

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        return query.where(
            or_(
                func.lower(Correction.claim).contains(words.casefold(), autoescape=True),
                Correction.question_id.in_(hits(words)),
            )
        )

    def default_order(self, search: str | None) -> list[Any]:
        """Who waits longest stands first; of what is decided, or of all, the newest does."""
        if request.args.get("status") in {CorrectionStatus.open, CorrectionStatus.held}:
            return [Correction.created_at, Correction.id]
        return super().default_order(search)

    def is_late(self, correction: Correction) -> bool:
        """Whether a correction waits for its decision for too long."""
        return correction.status == CorrectionStatus.open and (now() - correction.created_at > LATE)

    # --- filing one ------------------------------------------------------------------

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        """File a correction of the question that `?question=` names, of its text at `?where=`."""
        question = find(Question, request.args.get("question", ""), "question")
        if request.method != "POST":
            seen = question.latest_number
            parts = parts_of(revision_content(db.session(), question, seen))
            return self._form(
                question, FilingForm.opened(parts, seen, request.args.get("where", ""))
            )
        seen = _seen(question, request.form.get("seen_in", ""))
        parts = parts_of(revision_content(db.session(), question, seen))
        form = FilingForm.posted(parts, seen, request.form)
        if request.form.get("op") == "add-source":
            return self._form(question, form, unsaved=True)
        try:
            with transaction() as session:
                corrections.open_correction(
                    session,
                    question,
                    **form.filing(),
                    fix=form.fix,
                    credit=form.credit,
                    by=actor(),
                    at=now(),
                )
        except InvalidInput as error:
            form.refuse(error)
        except WrongState as error:
            form.errors[""] = str(error)
        except IntegrityError:
            form.errors[""] = "This form was sent twice at this moment. Send it once more."
        else:
            flash("Filed. It waits for an editor's decision.", "success")
            url = self.get_url("desk_questions.edit_view", id=question.id)
            return redirect(f"{url}#corrections", 303)
        return self._form(question, form, unsaved=True)

    def _form(self, question: Question, form: FilingForm, *, unsaved: bool = False) -> str:
        return self.render(
            "admin/corrections/new.html",
            question=question,
            form=form,
            unsaved=unsaved,
            kinds=[(kind.value, words) for kind, words in KINDS.items()],
            rendered=rendered(opened(question)),
        )


def _seen(question: Question, number: str) -> int:
    """Return the revision that the reporter saw; the newest where the form names none."""
    seen = int(number) if number.isdecimal() and len(number) < 10 else question.latest_number
    try:
        revision_content(db.session(), question, seen)
    except NotFound:
        return question.latest_number
    return seen
