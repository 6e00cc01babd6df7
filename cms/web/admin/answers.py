"""The answers by themselves: another door to the question's one save.

The page of an answer carries its whole question as it was when it was opened,
and posts it to the question's editor: revisions, conflicts and expired
log-ins are handled there, once.
"""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from msgspec.structs import replace
from sqlalchemy import Select, func, select
from sqlalchemy.orm import contains_eager, load_only

from cms.errors import CmsError
from cms.extensions import db
from cms.models import Answer, Question, Source
from cms.services import questions
from cms.services.content import content_of
from cms.text import normalize_line
from cms.web.admin.base import (
    ListFilter,
    Row,
    actor,
    find,
    hits,
    now,
    transaction,
)
from cms.web.admin.editor import may_write, opened
from cms.web.admin.exports import ExportedList
from cms.web.admin.forms import QuestionForm
from cms.web.admin.kept import unsaved_notice
from cms.web.admin.presence import company
from cms.web.admin.sources import tell_checks
from cms.web.admin.warnings import notes_on

# Characters of a body that the list reads.
EXCERPT = 160
# Questions offered when an answer is to be added.
OFFERED = 20


class AnswersView(ExportedList):
    """Every answer of the bank."""

    title = "Answers"
    noun = "answer"
    search_hint = "Search questions and answers"
    list_template = "admin/answers/list.html"
    can_create = True
    column_list = ("question", "label", "excerpt", "applies_to", "sources")
    column_labels = {"excerpt": "Begins", "applies_to": "Applies to"}
    column_sortable_list = ()
    column_filters = (
        ListFilter(
            "sources",
            "Sources",
            lambda value: Answer.sources.any() if value == "some" else ~Answer.sources.any(),
            [("some", "with a source"), ("none", "without a source")],
        ),
    )
    loading = (
        load_only(Answer.uid, Answer.position, Answer.label, Answer.applies_to),
        contains_eager(Answer.question).load_only(Question.stem, Question.updated_at),
    )

    def rows(self) -> Select[Any]:
        return select(Answer).join(Answer.question)

    def question_ids(self, matching: Select[Any]) -> Select[Any]:
        return matching.with_only_columns(Answer.question_id)

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        return query.where(Answer.question_id.in_(hits(words)))

    def default_order(self, _search: str | None) -> list[Any]:
        return [Question.updated_at.desc(), Question.id.desc(), Answer.position]

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        ids = [row.id for row in rows]
        beginnings = select(Answer.id, func.substr(Answer.body, 1, EXCERPT))
        cited = select(Source.answer_id, func.count()).group_by(Source.answer_id)
        self._template_args.update(
            excerpts=dict(db.session.execute(beginnings.where(Answer.id.in_(ids))).all()),
            cited=dict(db.session.execute(cited.where(Source.answer_id.in_(ids))).all()),
        )
        return count, rows

    @expose("/new/")
    def create_view(self) -> ResponseReturnValue:
        """Choose a question, then write a new answer to it."""
        if key := request.args.get("question"):
            question = find(Question, key, "question")
            form = opened(question)
            form.step("add-answer")
            return self._page(question, form, len(form.answers) - 1)
        words = normalize_line(request.args.get("search", ""))[:200]
        offered = (
            select(Question)
            .where(Question.merged_into_id.is_(None))
            .options(load_only(Question.stem))
        )
        if words:
            offered = offered.where(Question.id.in_(hits(words)))
        return self.render(
            "admin/answers/new.html",
            words=words,
            offered=db.session.scalars(
                offered.order_by(Question.updated_at.desc()).limit(OFFERED)
            ).all(),
        )

    @expose("/<id>/")
    def edit_view(self, id: str) -> ResponseReturnValue:
        answer = find(Answer, id, "answer")
        form = opened(answer.question)
        index = next(i for i, each in enumerate(form.answers) if each.uid == answer.uid)
        return self._page(answer.question, form, index, answer)

    def _page(
        self, question: Question, form: QuestionForm, index: int, answer: Answer | None = None
    ) -> str:
        tell_checks(form, question)
        return self.render(
            "admin/answers/edit.html",
            question=question,
            form=form,
            index=index,
            answer=answer,
            editable=may_write(question),
            notes=notes_on(question, form),
            kept=unsaved_notice(question),
            **company(question, form),
        )

    @expose("/<id>/delete", methods=("POST",))
    def delete(self, id: str) -> ResponseReturnValue:
        answer = find(Answer, id, "answer")
        question = answer.question
        content = content_of(question)
        left = [each for each in content.answers if each.uid != answer.uid]
        seen = request.form.get("seen_version", "")
        try:
            with transaction() as session:
                questions.save(
                    session,
                    question,
                    replace(content, answers=left),
                    seen_version=QuestionForm(seen_version=seen).seen,
                    by=actor(),
                    at=now(),
                    summary="Removed an answer",
                )
        except CmsError as error:
            flash(str(error), "error")
            return redirect(self.get_url(".edit_view", id=id), 303)
        flash("Deleted; the question's history keeps it.", "success")
        return redirect(self.get_url(".index_view"), 303)
