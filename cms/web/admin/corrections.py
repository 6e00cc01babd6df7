"""The corrections: file one about a question; accept it with the revision that has it right."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.form import BaseForm
from flask_admin.helpers import get_redirect_target
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import contains_eager, joinedload
from wtforms import SelectField, StringField, TextAreaField

from cms.errors import CmsError, InvalidInput
from cms.formats.item import SourceItem
from cms.models import Correction, Question
from cms.services import corrections, mywork
from cms.vocabulary import CorrectionKind, CorrectionStatus, Role
from cms.web.admin.base import (
    ListFilter,
    actor,
    find,
    hits,
    now,
    put_beside,
    transaction,
)
from cms.web.admin.editor import OFFERED_REVISIONS, opened, rendered
from cms.web.admin.exports import ExportedList

KINDS = {
    CorrectionKind.factual: "factual: it was wrong",
    CorrectionKind.outdated: "outdated: it was right once",
    CorrectionKind.technical: "technical: the code or a command fails",
    CorrectionKind.editorial: "editorial: the words were damaged or unclear",
}


class CorrectionForm(BaseForm):
    kind = SelectField("Kind", choices=[(kind.value, words) for kind, words in KINDS.items()])
    answer = SelectField("Where", validate_choice=False)
    claim = TextAreaField(
        "What was claimed", description="Quote the passage. Markdown; readers will see it."
    )
    explanation = TextAreaField("In fact", description="What is true instead, and why.")
    fix = TextAreaField("Fixed", description="How the text is to be mended.")
    source_url = StringField("Source, address", description="Where it can be checked.")
    source_title = StringField("Source, title")
    credit = StringField("Credit", description="Who found it, if readers are to know.")


class CorrectionsView(ExportedList):
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
    )
    loading = (
        contains_eager(Correction.question).load_only(Question.stem),
        joinedload(Correction.reporter),
    )
    roles = {"accept": Role.editor, "reject": Role.editor}

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

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        """File a correction of the question that `?question=` names."""
        question = find(Question, request.args.get("question", ""), "question")
        form = CorrectionForm(request.form if request.method == "POST" else None)
        form.answer.choices = [
            ("", "the question, or all of it"),
            *(
                (each.uid, f"answer {index}" + (f" ‘{each.label}’" if each.label else ""))
                for index, each in enumerate(question.answers, start=1)
            ),
        ]
        problems: list[str] = []
        if request.method == "POST" and form.validate():
            try:
                self._file(question, form)
            except InvalidInput as error:
                problems = put_beside(form, error)
            else:
                flash("Filed. It waits for an editor's decision.", "success")
                url = self.get_url("desk_questions.edit_view", id=question.id)
                return redirect(f"{url}#corrections", 303)
        return self.render(
            "admin/corrections/new.html",
            question=question,
            form=form,
            problems=problems,
            rendered=rendered(opened(question)),
        )

    def _file(self, question: Question, form: CorrectionForm) -> None:
        url, title = (form.source_url.data or "").strip(), (form.source_title.data or "").strip()
        with transaction() as session:
            corrections.open_correction(
                session,
                question,
                kind=CorrectionKind(form.kind.data),
                claim=form.claim.data or "",
                explanation=form.explanation.data or "",
                fix=form.fix.data or "",
                answer_uid=form.answer.data or None,
                sources=[SourceItem(url=url, title=title)] if url or title else [],
                credit=form.credit.data or "",
                by=actor(),
                at=now(),
            )

    @expose("/<id>/")
    def details_view(self, id: str) -> ResponseReturnValue:
        correction = find(Correction, id, "correction")
        question = correction.question
        labels = {
            each.uid: f"answer {index}" + (f" ‘{each.label}’" if each.label else "")
            for index, each in enumerate(question.answers, start=1)
        }
        return self.render(
            "admin/corrections/details.html",
            correction=correction,
            question=question,
            answer_labels=labels,
            offered_revisions=list(range(question.latest_number, 0, -1))[:OFFERED_REVISIONS],
            rendered=rendered(opened(question)),
        )

    @expose("/<id>/accept", methods=("POST",))
    def accept(self, id: str) -> ResponseReturnValue:
        number = request.form.get("fixed_in", "")
        chosen = int(number) if number.isdecimal() and len(number) < 10 else None

        return self._decide(
            id, corrections.accept, "Accepted: it goes public with its fix.", fixed_in=chosen
        )

    @expose("/<id>/reject", methods=("POST",))
    def reject(self, id: str) -> ResponseReturnValue:
        return self._decide(id, corrections.reject, "Rejected.")

    def _decide(self, id: str, verb: Any, done: str, **more: Any) -> ResponseReturnValue:
        correction = find(Correction, id, "correction")
        reason = request.form.get("reason", "")
        try:
            with transaction() as session:
                verb(session, correction, reason=reason, by=actor(), at=now(), **more)
        except CmsError as error:
            flash(str(error), "error")
        else:
            flash(done, "success")
        return redirect(get_redirect_target() or self.get_url(".details_view", id=id), 303)
