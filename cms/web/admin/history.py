"""A question's past: every revision, each on a page of its own with what it changed."""

from __future__ import annotations

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import select
from sqlalchemy.orm import defer, joinedload

from cms.errors import CmsError
from cms.extensions import db
from cms.models import Question, Revision
from cms.services import diff, questions
from cms.services.content import find_revision, revision_content
from cms.web.admin.base import PAGE_SIZE, GuardedView, actor, find, now, transaction
from cms.web.admin.editor import may_write, readable, rendered
from cms.web.admin.forms import QuestionForm
from cms.web.admin.steps import number_of


class HistoryPages(GuardedView):
    """The pages of a question's revisions."""

    @expose("/<id>/revisions/")
    def revisions(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        before = number_of(request.args.get("before", "")) or question.latest_number + 1
        rows = db.session.scalars(
            select(Revision)
            .where(Revision.question_id == question.id, Revision.number < before)
            .options(defer(Revision.content), joinedload(Revision.author))
            .order_by(Revision.number.desc())
            .limit(PAGE_SIZE)
        ).all()
        return self.render("admin/questions/revisions.html", question=question, revisions=rows)

    @expose("/<id>/revisions/<number>/")
    def revision(self, id: str, number: str) -> ResponseReturnValue:
        """Show a revision, and what it changed since the one before, or since `?against=`."""
        session = db.session()
        question = find(Question, id, "question")
        row = find_revision(session, question, number_of(number))
        content = readable(revision_content(session, question, row.number))
        against = number_of(request.args.get("against", "")) or row.number - 1
        old = readable(revision_content(session, question, against)) if against else None
        return self.render(
            "admin/questions/revision.html",
            question=question,
            revision=row,
            against=against,
            changes=diff.compare(old, content) if old else None,
            rendered=rendered(QuestionForm.of(content, seen_version=row.number)),
            content=content,
            editable=may_write(question),
        )

    @expose("/<id>/revisions/<number>/restore", methods=("POST",))
    def restore(self, id: str, number: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        try:
            with transaction() as session:
                revision = questions.restore(
                    session,
                    question,
                    number_of(number),
                    seen_version=number_of(request.form.get("seen_version", "")),
                    by=actor(),
                    at=now(),
                )
        except CmsError as error:
            flash(str(error), "error")
            return redirect(self.get_url(".revision", id=id, number=number), 303)
        if revision is None:
            flash("The question says this already; nothing was saved.", "info")
        else:
            flash(f"Restored as revision {revision.number}.", "success")
        return redirect(self.get_url(".edit_view", id=question.id), 303)
