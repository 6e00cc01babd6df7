"""A question's working copy in the public site's own page: how it will read."""

from __future__ import annotations

from flask import flash, g
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cms.extensions import db
from cms.models import Question
from cms.services import reading
from cms.services.rendered import errata_by_answer
from cms.services.unpublished import as_public, unlisted_tags
from cms.web.admin.base import find
from cms.web.admin.steps import Steps
from cms.web.public.addresses import permalink


class CandidatePages(Steps):
    """The part of the questions' pages that shows one as its readers will see it."""

    @expose("/<id>/as-candidate")
    def as_candidate(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        session = db.session()
        g.bank = reading.bank(session)
        try:
            public, unnumbered = as_public(session, question)
        except ValueError as error:
            flash(f"There is no such view of it: {error}.", "error")
            return self.back_to(question)
        return self.render(
            "admin/questions/candidate.html",
            question=public,
            rendered=public.rendered,
            errata=errata_by_answer(public.rendered),
            unnumbered=unnumbered,
            unlisted_tags=unlisted_tags(session, public.tags),
            permalink=permalink("public.question", slug=question.slug),
            working=question,
            opened_from=self.opened_from(),
        )
