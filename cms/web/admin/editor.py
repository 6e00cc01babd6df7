"""The question's editor: one page to write, preview, save, submit and publish.

Nothing typed is ever lost: a refused save, a conflict, an expired log-in and a
stale form all lead to a page that holds the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import flash, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.helpers import get_redirect_target
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from cms.errors import (
    CmsError,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotPublishable,
    StaleEdit,
    WrongState,
)
from cms.extensions import db
from cms.formats.item import Content
from cms.models import Correction, ImportWarning, Provenance, Question, Revision
from cms.services import diff, duplicates, publishing, questions, tags
from cms.services.blockers import DAMAGED, own
from cms.services.content import content_of, revision_content, tag_slugs, with_tag_slugs
from cms.services.permissions import may, needs_another, require_writer
from cms.services.rendered import Rendered, render_item
from cms.services.warnings import acknowledge, count_mended, take_back
from cms.vocabulary import Difficulty, Role
from cms.web.admin.base import actor, find, now, transaction
from cms.web.admin.forms import QuestionForm
from cms.web.admin.steps import Steps, published
from cms.web.admin.warnings import marked, notes_on
from cms.web.errors import STALE_FORM, error_page
from cms.web.pages import count_of

# How much of a question's past stands beside the text; pages of their own have the rest.
SHOWN_REVISIONS = 8
SHOWN_CORRECTIONS = 30
OFFERED_REVISIONS = 50

_DECISION = re.compile(r"(acknowledge|take-back):(\d{1,9})")


class EditorPages(Steps):
    """The pages on which a question is written; `QuestionsView` adds the list."""

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        return self._answer(None)

    @expose("/<id>/", methods=("GET", "POST"))
    def edit_view(self, id: str) -> ResponseReturnValue:
        return self._answer(find(Question, id, "question"))

    def _answer(self, question: Question | None) -> ResponseReturnValue:
        if request.method != "POST":
            return self._page(question, opened(question))
        form = QuestionForm.posted(request.form)
        verb = request.form.get("op", "save")
        if verb in {"save", "submit", "publish"}:
            return self._save(question, form, verb)
        if question is not None and verb.startswith("theirs:"):
            form.take(verb.removeprefix("theirs:"), readable(content_of(question)))
            return self._conflict(question, form, began=request.form.get("base", ""))
        if question is not None and (decided := _DECISION.fullmatch(verb)):
            return self._decide(question, form, *decided.groups())
        form.step(verb)
        return self._page(question, form, unsaved=True)

    def _save(
        self, question: Question | None, form: QuestionForm, verb: str
    ) -> ResponseReturnValue:
        try:
            with transaction() as session:
                question, saved = written(session, question, form)
                number = question.latest_number
        except StaleEdit as error:
            assert question is not None
            began, form.seen_version = form.seen_version, str(question.latest_number)
            return self._conflict(question, form, began=began, by=error.by)
        except InvalidInput as error:
            form.refuse(error)
            return self._page(question, form, unsaved=True)
        except NotAllowed as error:
            form.errors[""] = str(error)
            return self._page(question, form, unsaved=True), 403
        except WrongState as error:
            form.errors[""] = str(error)
            return self._page(question, form, unsaved=True)
        except IntegrityError:
            form.errors[""] = "Somebody saved the same thing at this moment. Save again."
            return self._page(question, form, unsaved=True)
        if saved:
            flash(f"Saved as revision {question.latest_number}.{_mended(question)}", "success")
        elif verb == "save":
            flash("Nothing was changed, so nothing was saved.", "info")
        # The text is safe by now, whatever becomes of the next step.
        if verb == "submit":
            self.attempt(questions.submit, question, "Submitted for review.")
        elif verb == "publish":
            self._publish(question, number)
        return self.back_to(question)

    def _publish(self, question: Question, number: int) -> None:
        try:
            with transaction() as session:
                release = publishing.publish_seen(
                    session, question, number=number, by=actor(), at=now()
                )
        except NotPublishable as error:
            flash(_refusal(question, error.reasons), "error")
        except NotFound:
            raise
        except CmsError as error:
            flash(f"Not published. {error}", "error")
        else:
            flash(*published(release))

    def _decide(
        self, question: Question, form: QuestionForm, verb: str, key: str
    ) -> ResponseReturnValue:
        """Acknowledge an import warning, or take that back; what is typed stays in the form."""
        warning = find(ImportWarning, key, "warning")
        if warning.question_id != question.id:
            raise NotFound("This question has no such warning.")
        if verb == "acknowledge":
            self.attempt(acknowledge, warning, "Acknowledged.")
        else:
            self.attempt(take_back, warning, "Taken back: the warning is open again.")
        if replace(form, summary="") == opened(question):
            return self.back_to(question)
        return self._page(question, form, unsaved=True)

    # --- the pages --------------------------------------------------------------------

    @expose("/preview", methods=("POST",))
    def preview(self) -> ResponseReturnValue:
        """Render what is typed; `?question=` says whose import warnings to mark in it."""
        form, key = _posted(), request.args.get("question")
        shown = rendered(form)
        if key is not None and isinstance(shown, Rendered):
            question = find(Question, key, "question")
            shown = marked(shown, form, notes_on(question, form))
        return self.render("admin/questions/preview.html", rendered=shown)

    def _page(self, question: Question | None, form: QuestionForm, *, unsaved: bool = False) -> str:
        if question is None and not form.answers:
            form.step("add-answer")
        shown, notes = rendered(form), notes_on(question, form)
        return self.render(
            "admin/questions/edit.html",
            question=question,
            form=form,
            unsaved=unsaved,
            editable=question is None or may_write(question),
            publishes=may_publish(question),
            notes=notes,
            rendered=marked(shown, form, notes) if isinstance(shown, Rendered) else shown,
            difficulties=list(Difficulty),
            likes=self._likes(question, form),
            list_url=get_redirect_target() or self.get_url(".index_view"),
            **(beside(question) if question else {}),
        )

    def _likes(self, question: Question | None, form: QuestionForm) -> dict[str, Any] | None:
        """Return what reads like a stem that is not public yet, and where to ask for more."""
        if question is not None and question.published_number is not None:
            return None
        key = question.id if question else None
        return {
            "found": duplicates.alike(db.session(), form.stem, apart_from=key),
            "url": self.get_url("desk_duplicates.likes", question=key),
        }

    def _conflict(self, question: Question, form: QuestionForm, *, began: str, by: str = "") -> str:
        """Show mine and theirs, each against the revision `began` from which I began.

        What they alone changed is put into my form at once. The next save is
        deliberate: the form now names their revision as seen.
        """
        theirs = readable(content_of(question))
        base = _revision(question, began)
        found = diff.conflicts(mine=form.comparable(theirs), theirs=theirs, base=base)
        taken = diff.mergeable(found, theirs) if by else []
        for each in taken:
            form.take(each.key, theirs)
        return self.render(
            "admin/questions/conflict.html",
            question=question,
            form=form,
            by=by or request.form.get("by", ""),
            began=began,
            taken=taken,
            conflicts=[each for each in found if each not in taken],
            difficulties=list(Difficulty),
            list_url=self.get_url(".index_view"),
        )

    # --- when the log-in went away under the form ----------------------------------------

    def create_blueprint(self, admin: Any) -> Any:
        blueprint = super().create_blueprint(admin)
        blueprint.register_error_handler(CSRFError, self._renewed)
        return blueprint

    def ask_to_log_in(self) -> ResponseReturnValue:
        """Ask for a log-in; a form that was posted waits on the page with all its text."""
        if not self._is_form_post():
            return super().ask_to_log_in()
        return self.render(
            "admin/questions/logged_out.html", form=_posted(), here=request.path
        ), 401

    def _renewed(self, _error: CSRFError) -> ResponseReturnValue:
        """Show the form again with a fresh token: the session changed since it was opened."""
        if not self._is_form_post():
            return error_page(400, STALE_FORM)
        if not current_user.is_authenticated:
            return self.ask_to_log_in()
        id = (request.view_args or {}).get("id")
        try:
            question = find(Question, id, "question") if id is not None else None
        except NotFound:
            # Nothing to show the form for; the error page gives the typed text back.
            return error_page(400, STALE_FORM)
        form = _posted()
        form.errors[""] = (
            "Your log-in was renewed since this form was opened. Nothing was saved yet and "
            "nothing is lost: look at the text and save again."
        )
        return self._page(question, form, unsaved=True), 400

    def _is_form_post(self) -> bool:
        return request.method == "POST" and str(request.endpoint).endswith(
            (".create_view", ".edit_view")
        )


def _refusal(question: Question, reasons: Sequence[str]) -> str:
    """Say why a question was not published, and lead to the first of its open warnings."""
    words = f"Not published. {' '.join(reasons)}"
    notes = notes_on(question, opened(question)).in_order
    if DAMAGED not in reasons or not notes:
        return words
    return Markup('{} <a href="#{}">Go to the first one</a>.').format(words, notes[0].anchor)


def _mended(question: Question) -> str:
    """Say which import warnings the newest revision closed, if any."""
    count = count_mended(db.session(), question, question.latest_number)
    if not count:
        return ""
    return f" It closes {count_of(count, 'import warning')} as mended."


def _posted() -> QuestionForm:
    return QuestionForm.posted(request.form)


def opened(question: Question | None) -> QuestionForm:
    """Return the form as it is first shown: the working copy, or nothing yet."""
    if question is None:
        return QuestionForm(seen_version="0")
    return QuestionForm.of(readable(content_of(question)), seen_version=question.latest_number)


def written(
    session: Session, question: Question | None, form: QuestionForm
) -> tuple[Question, bool]:
    """Save what the form says, with new tags made; return the question and if it changed."""
    who: dict[str, Any] = {"by": actor(), "at": now()}
    tagged = tags.resolve(session, form.tag_slugs, **who)
    content = form.content(tag.uid for tag in tagged.values())
    if question is None:
        return questions.create(session, content, summary=form.summary, **who), True
    revision = questions.save(
        session, question, content, seen_version=form.seen, summary=form.summary, **who
    )
    return question, revision is not None


def readable(content: Content) -> Content:
    """Return content with tags as slugs, for people."""
    return with_tag_slugs(content, tag_slugs(db.session(), content.tags))


def rendered(form: QuestionForm) -> Rendered | str:
    """Return the form's text as readers would see it, or why it cannot be shown."""
    try:
        return render_item(form.item())
    except ValueError as error:
        return f"There is no preview: {error}."


def _revision(question: Question, number: str) -> Content | None:
    """Return a revision's content; None if there is no such revision."""
    try:
        found = revision_content(db.session(), question, QuestionForm(seen_version=number).seen)
    except (InvalidInput, NotFound):
        return None
    return readable(found)


def may_write(question: Question) -> bool:
    """Whether whoever is logged in may change this question's text."""
    try:
        require_writer(actor(), question)
    except NotAllowed:
        return False
    return question.merged_into_id is None


def may_publish(question: Question | None) -> bool:
    """Whether whoever is logged in publishes by the first key; else they submit it to somebody."""
    session = db.session()
    if not may(actor(), Role.editor):
        return False
    if not needs_another(session, actor()):
        return True
    return question is not None and not own(session, question, by=actor())


def beside(question: Question) -> dict[str, Any]:
    """Return what stands beside a question's text, in a bounded number of queries."""
    session = db.session()
    numbers = range(question.latest_number, 0, -1)
    return {
        "corrections": session.scalars(
            select(Correction)
            .where(Correction.question_id == question.id)
            .options(
                selectinload(Correction.sources),
                joinedload(Correction.reporter),
                joinedload(Correction.decided_by),
            )
            .order_by(Correction.id.desc())
            .limit(SHOWN_CORRECTIONS)
        ).all(),
        "history": session.scalars(
            select(Revision)
            .where(Revision.question_id == question.id)
            .options(defer(Revision.content), joinedload(Revision.author))
            .order_by(Revision.number.desc())
            .limit(SHOWN_REVISIONS)
        ).all(),
        "provenance": session.get(Provenance, question.id),
        "offered_revisions": list(numbers[:OFFERED_REVISIONS]),
        "answer_labels": {
            answer.uid: f"answer {index}" + (f" ‘{answer.label}’" if answer.label else "")
            for index, answer in enumerate(question.answers, start=1)
        },
    }
