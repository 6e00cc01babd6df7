"""Checking a source from a question's form: a step of the form, or asked for by its script."""

from __future__ import annotations

import re
from datetime import timedelta

from flask import flash, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cms.errors import CmsError, InvalidInput, TooManyAttempts
from cms.models import Question
from cms.services import throttles
from cms.services.content import LinkCheck, link_checks
from cms.services.throttles import Limit
from cms.services.verify.guarded_http import public_manners
from cms.services.verify.linkchecks import check_link, record_link, require_writing
from cms.web.admin.base import GuardedView, actor, find, now, transaction
from cms.web.admin.forms import QuestionForm
from cms.web.errors import status_of

# The step that checks a source: 'answers[0].sources[1].check'.
CHECK = re.compile(r"answers\[(\d{1,4})\]\.sources\[(\d{1,4})\]\.check")
# Seconds that all requests of one check may take: somebody waits for it.
WITHIN = 4.0
# Checks of one account; nobody reads sources faster.
LIMIT = Limit("link", 30, timedelta(minutes=1))
TOO_OFTEN = "Sources are asked for one by one, and these were many."


class SourcePages(GuardedView):
    """The part of the editor that asks whether a source can be read."""

    @expose("/check", methods=("POST",))
    def check_source(self) -> ResponseReturnValue:
        """Tell a script what came of checking `url`; `?question=` says whose form it is in."""
        key = request.args.get("question")
        question = find(Question, key, "question") if key is not None else None
        try:
            found = _checked(request.form.get("url", "").strip(), question)
        except CmsError as error:
            return self._told(problem=str(error)), status_of(error)
        return self._told(check=found)

    def _told(self, check: LinkCheck | None = None, problem: str = "") -> str:
        return self.render("admin/questions/check.html", check=check, problem=problem)

    def check_in(
        self, form: QuestionForm, question: Question | None, answer: int, source: int
    ) -> None:
        """Check a source of a form, in which the result stands then, and the focus.

        :raises NotAllowed: when whoever is logged in may not write this question
        """
        if answer >= len(form.answers) or source >= len(form.answers[answer].sources):
            return
        path = f"answers[{answer}].sources[{source}]"
        url = form.answers[answer].sources[source].url.strip()
        form.focus = f"{path}.check"
        try:
            form.link_checks[url] = _checked(url, question)
        except InvalidInput as error:
            form.errors[f"{path}.url"] = str(error)
        except TooManyAttempts as error:
            flash(str(error), "error")


def tell_checks(form: QuestionForm, question: Question | None) -> None:
    """Let the sources of a form be checked, and say what the bank knows of them already."""
    form.checkable = True
    if question is not None:
        known = link_checks(each for answer in question.answers for each in answer.sources)
        form.link_checks = known | form.link_checks


def _checked(url: str, question: Question | None) -> LinkCheck:
    """Ask for an address, and keep what came with every source that cites it.

    :raises InvalidInput: when there is no address
    :raises NotAllowed: when whoever is logged in may not write this question
    :raises TooManyAttempts: when they checked too many lately
    :raises NotFound: when the question was deleted meanwhile
    """
    if not url:
        raise InvalidInput("There is no address to check. Type one first.")
    key = question.id if question else None
    with transaction() as session:
        require_writing(actor(), question)
        throttles.count(
            session, [(LIMIT, LIMIT.subject(str(actor().id)))], refusal=TOO_OFTEN, at=now()
        )
    # No transaction is open while the web is asked: on SQLite everybody who writes would wait.
    link = check_link(url, public_manners(), within=WITHIN)
    at = now()
    with transaction() as session:
        question = find(Question, key, "question") if key is not None else None
        record_link(session, link, question, by=actor(), at=at)
    return LinkCheck(link.status, link.fault, at)
