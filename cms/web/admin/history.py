"""A question's past: every revision, each on a page of its own with what it changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import select
from sqlalchemy.orm import defer, joinedload, load_only

from cms.errors import CmsError
from cms.extensions import db
from cms.models import Correction, Question, Revision
from cms.services import questions
from cms.services.content import decode, find_revision, revision_content
from cms.services.history import differences, first_alike
from cms.vocabulary import Origin
from cms.web.admin.base import PAGE_SIZE, GuardedView, actor, find, now, transaction
from cms.web.admin.editor import may_write, rendered
from cms.web.admin.forms import QuestionForm
from cms.web.admin.steps import number_of
from cms.web.admin.texts import readable

ORIGINS = {
    Origin.edit: "edited",
    Origin.imported: "imported",
    Origin.correction: "by a correction",
    Origin.restore: "restored",
    Origin.merge: "merged",
    Origin.bulk: "with many others",
    Origin.undo: "undone",
}
"""What made a revision, in words."""


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
        return self.render(
            "admin/questions/revisions.html",
            question=question,
            revisions=rows,
            alike=first_alike(db.session(), rows),
            origins=ORIGINS,
            fixes=_fixes(question, [row.number for row in rows]),
        )

    @expose("/<id>/compare")
    def compare(self, id: str) -> ResponseReturnValue:
        """Lead to what changed from revision `?from=` to `?to=`, whichever is the older."""
        question = find(Question, id, "question")
        chosen = sorted(number_of(request.args.get(name, "")) for name in ("from", "to"))
        if not chosen[0] or chosen[0] == chosen[1]:
            flash("Choose two different revisions to compare.", "error")
            return redirect(self.get_url(".revisions", id=question.id), 303)
        url = self.get_url(".revision", id=question.id, number=chosen[1], against=chosen[0])
        return redirect(url, 303)

    @expose("/<id>/revisions/<number>/")
    def revision(self, id: str, number: str) -> ResponseReturnValue:
        """Show a revision, and what it changed since the one before, or since `?against=`."""
        session = db.session()
        question = find(Question, id, "question")
        row = find_revision(session, question, number_of(number))
        content = readable(decode(row))
        against = number_of(request.args.get("against", "")) or row.number - 1
        old = readable(revision_content(session, question, against)) if against else None
        return self.render(
            "admin/questions/revision.html",
            question=question,
            revision=row,
            against=against,
            changes=differences(old, content) if old else None,
            rendered=rendered(QuestionForm.of(content, seen_version=row.number)),
            content=content,
            alike=first_alike(session, [row]).get(row.number),
            origins=ORIGINS,
            summary_limit=questions.SUMMARY_LIMIT,
            editable=may_write(question),
            fixes=_fixes(question, [row.number])[row.number],
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
                    summary=request.form.get("summary", ""),
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


def _fixes(question: Question, numbers: Sequence[int]) -> Mapping[int, list[Correction]]:
    """Return the corrections that revisions fix, by the revision's number."""
    found: dict[int, list[Correction]] = defaultdict(list)
    rows = db.session.scalars(
        select(Correction)
        .where(Correction.question_id == question.id, Correction.fixed_in.in_(numbers))
        .options(load_only(Correction.claim, Correction.number, Correction.fixed_in))
        .order_by(Correction.id)
        .limit(PAGE_SIZE)
    )
    for correction in rows:
        if correction.fixed_in is not None:
            found[correction.fixed_in].append(correction)
    return found
