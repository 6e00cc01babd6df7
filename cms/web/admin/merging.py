"""Merging a duplicate at the desk: find what it duplicates, see both, let one answer for both."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cms.errors import CmsError, NotFound, WrongState
from cms.extensions import db
from cms.models import Question
from cms.services import merging
from cms.services.content import content_of
from cms.services.rendered import Rendered
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.base import actor, find, now, transaction
from cms.web.admin.editor import readable, rendered
from cms.web.admin.forms import QuestionForm
from cms.web.admin.steps import Steps, number_of


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two questions, as readers would see its newest text."""

    question: Question
    rendered: Rendered | str
    tags: list[str]


class MergePages(Steps):
    """The page on which a question is merged into another."""

    roles = {"merge": Role.editor}

    @expose("/<id>/merge", methods=("GET", "POST"))
    def merge(self, id: str) -> ResponseReturnValue:
        """Choose the survivor (`?q=`), then see both (`?into=`), then merge."""
        duplicate = find(Question, id, "question")
        if request.method != "POST":
            return self._merge_page(duplicate)
        into = find(Question, request.form.get("into", ""), "question")
        seen = (
            number_of(request.form.get("seen", "")),
            number_of(request.form.get("seen_into", "")),
        )
        try:
            with transaction() as session:
                release = merging.merge(session, duplicate, into, seen=seen, by=actor(), at=now())
        except NotFound:
            raise
        except CmsError as error:
            return self._merge_page(duplicate, into, problem=error)
        flash(_told(duplicate, into, release), "success")
        return redirect(self.get_url(".edit_view", id=into.id), 303)

    def _merge_page(
        self, duplicate: Question, into: Question | None = None, problem: CmsError | None = None
    ) -> str:
        session = db.session()
        typed = normalize_line(request.args.get("q", ""))[:400]
        if into is None and "into" in request.args:
            into = find(Question, request.args["into"], "question")
        foresight = None
        if into is not None:
            try:
                foresight = merging.foresee(session, duplicate, into, by=actor())
            except WrongState as error:
                problem = problem or error
        return self.render(
            "admin/questions/merge.html",
            question=duplicate,
            sides=[_side(duplicate), _side(into)] if into and foresight else None,
            foresight=foresight,
            typed=typed,
            offered=[] if foresight else merging.offer(session, duplicate, typed),
            problem=problem,
        )


def _side(question: Question) -> Side:
    content = readable(content_of(question))
    form = QuestionForm.of(content, seen_version=question.latest_number)
    return Side(question, rendered(form), content.tags)


def _told(duplicate: Question, into: Question, release: int | None) -> str:
    seen = f" in release {release}" if release else "; readers see no change"
    waits = " Its new tags wait to be published." if into.has_unpublished_changes else ""
    return f"Merged question {duplicate.id} into this one{seen}.{waits}"
