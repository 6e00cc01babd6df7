"""The question's editor: one page to write, preview, save, submit and publish.

Nothing typed is ever lost: a refused save, a conflict, an expired log-in and a
stale form all lead to a page that holds the text.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import flash, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer, joinedload

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
from cms.formats.assets import names_in
from cms.models import (
    Correction,
    ImportWarning,
    Provenance,
    Question,
    Revision,
    new_uid,
)
from cms.services import autosaves, duplicates, publishing, questions, tags
from cms.services.assets import DESK, shown_images
from cms.services.blockers import DAMAGED, own
from cms.services.conflicts import Choice
from cms.services.content import content_of
from cms.services.permissions import may, needs_another, require_writer
from cms.services.rendered import Rendered, render_item
from cms.services.warnings import acknowledge, count_mended, take_back
from cms.vocabulary import Difficulty, Role, Stage
from cms.web.admin.assets import ADD_IMAGE, add_image
from cms.web.admin.base import actor, find, now, transaction, way_back
from cms.web.admin.conflicting import CHOICE, ConflictPages, both_sides, catch_up, choose
from cms.web.admin.distractors import DISTRACTOR, add_distractor, distractors
from cms.web.admin.forms import QuestionForm
from cms.web.admin.kept import unsaved_notice
from cms.web.admin.presence import company
from cms.web.admin.sampleruns import code_runs
from cms.web.admin.sources import CHECK, SourcePages, tell_checks
from cms.web.admin.steps import published
from cms.web.admin.texts import follow_tags, readable, says_the_same
from cms.web.admin.warnings import marked, notes_on
from cms.web.pages import count_of

# How much of a question's past stands beside the text; pages of their own have the rest.
SHOWN_REVISIONS = 8
SHOWN_CORRECTIONS = 30

_DECISION = re.compile(r"(acknowledge|take-back):(\d{1,9})")


class EditorPages(ConflictPages, SourcePages):
    """The pages on which a question is written; `QuestionsView` adds the list."""

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        return self._answer(None)

    @expose("/<id>/", methods=("GET", "POST"))
    def edit_view(self, id: str) -> ResponseReturnValue:
        try:
            question = find(Question, id, "question")
        except NotFound:
            if request.method != "POST":
                raise
            return self._orphaned()
        return self._answer(question)

    def _orphaned(self) -> ResponseReturnValue:
        """Show the text of a question that is not there any more, as that of a new one."""
        form = posted()
        form.seen_version, form.base, form.slug = "0", "", ""
        for answer in form.answers:
            answer.uid = ""
        form.errors[""] = (
            "This question was deleted while you were writing. Nothing of yours is lost: "
            "saving makes a new question of it."
        )
        return self.unsaved(None, form), 404

    def _answer(self, question: Question | None) -> ResponseReturnValue:
        if request.method != "POST":
            return self._page(question, opened(question))
        form = posted()
        verb = request.form.get("op", "save")
        if verb in {"save", "submit", "publish"}:
            return self._save(question, form, verb)
        if question is not None and (decided := _DECISION.fullmatch(verb)):
            return self._decide(question, form, *decided.groups())
        if found := CHECK.fullmatch(verb):
            self.check_in(form, question, *map(int, found.groups()))
            if question is not None and not form.base and _is_as_saved(question, form):
                return self._page(question, form)
        elif question is not None and (offered := DISTRACTOR.fullmatch(verb)):
            add_distractor(question, form, int(offered[1]))
        elif question is not None and (chosen := CHOICE.fullmatch(verb)):
            choose(form, Choice(chosen[1]), chosen[2], *both_sides(question, form))
        elif verb == ADD_IMAGE:
            add_image(form)
        else:
            form.step(verb)
        return self.unsaved(question, form)

    def _save(
        self, question: Question | None, form: QuestionForm, verb: str
    ) -> ResponseReturnValue:
        try:
            with transaction() as session:
                question, saved = written(session, question, form)
                number = question.latest_number
                autosaves.drop(session, actor(), form.form_id)
        except StaleEdit:
            assert question is not None
            catch_up(question, form)
            return self.unsaved(question, form)
        except InvalidInput as error:
            form.refuse(error)
            return self.unsaved(question, form)
        except NotAllowed as error:
            form.errors[""] = str(error)
            return self.unsaved(question, form), 403
        except WrongState as error:
            form.errors[""] = str(error)
            return self.unsaved(question, form)
        except IntegrityError:
            form.errors[""] = "Somebody saved the same thing at this moment. Save again."
            return self.unsaved(question, form)
        if saved:
            flash(f"Saved as revision {question.latest_number}.{_mended(question)}", "success")
        elif verb == "save":
            flash("Nothing was changed, so nothing was saved.", "info")
        # The text is safe by now, whatever becomes of the next step.
        if verb == "submit" and question.stage == Stage.in_review:
            flash("It waits for review already.", "info")
        elif verb == "submit":
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
        if not form.base and _is_as_saved(question, form):
            return self.back_to(question)
        return self.unsaved(question, form)

    # --- the pages --------------------------------------------------------------------

    @expose("/preview", methods=("POST",))
    def preview(self) -> ResponseReturnValue:
        """Render what is typed; `?question=` says whose import warnings to mark in it."""
        form, key = posted(), request.args.get("question")
        shown = rendered(form)
        if key is not None and isinstance(shown, Rendered):
            question = find(Question, key, "question")
            shown = marked(shown, form, notes_on(question, form))
        return self.render("admin/questions/preview.html", rendered=shown)

    def _page(self, question: Question | None, form: QuestionForm, *, unsaved: bool = False) -> str:
        if question is None and not form.answers:
            form.step("add-answer")
        shown, notes = rendered(form), notes_on(question, form)
        tell_checks(form, question)
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
            kept=None if unsaved else unsaved_notice(question),
            **company(question, form),
            likes=self._likes(question, form),
            distractors=distractors(question, form),
            list_url=way_back() or self.get_url(".index_view"),
            opened_from=self.opened_from(),
            **(beside(question) if question else {}),
        )

    def unsaved(self, question: Question | None, form: QuestionForm) -> str:
        """Show a form whose text was not saved; it is kept until it is, or is discarded."""
        form.form_id = form.form_id or new_uid()
        # One that does not say what it is, or whose question goes at this moment, is only shown.
        with contextlib.suppress(InvalidInput, IntegrityError), transaction() as session:
            autosaves.keep(
                session,
                actor(),
                question,
                form_id=form.form_id,
                version=form.begun if question else 0,
                fields=form.pairs(),
                at=now(),
            )
        return self.reopened(question, form)

    def _likes(self, question: Question | None, form: QuestionForm) -> dict[str, Any] | None:
        """Return what reads like a stem that is not public yet, and where to ask for more."""
        if question is not None and question.published_number is not None:
            return None
        key = question.id if question else None
        return {
            "found": duplicates.alike(db.session(), form.stem, apart_from=key),
            "url": self.get_url("desk_duplicates.likes", question=key),
        }

    def reopened(self, question: Question | None, form: QuestionForm) -> str:
        """Show a form that is not saved: beside the other text, if it stands against one."""
        if question is None or not form.base:
            return self._page(question, form, unsaved=True)
        return self.conflict_page(question, form)


def _refusal(question: Question, reasons: Sequence[str]) -> str:
    """Say why a question was not published, and lead to the first of its open warnings."""
    words = f"Not published. {' '.join(reasons)}"
    notes = notes_on(question, opened(question)).in_order
    if DAMAGED not in reasons or not notes:
        return words
    return Markup('{} <a href="#{}">Go to the first one</a>.').format(words, notes[0].anchor)


def _is_as_saved(question: Question, form: QuestionForm) -> bool:
    return says_the_same(readable(content_of(question)), form)


def _mended(question: Question) -> str:
    """Say which import warnings the newest revision closed, if any."""
    count = count_mended(db.session(), question, question.latest_number)
    if not count:
        return ""
    return f" It closes {count_of(count, 'import warning')} as mended."


def posted() -> QuestionForm:
    return follow_tags(QuestionForm.posted(request.form))


def opened(question: Question | None) -> QuestionForm:
    """Return the form as it is first shown: the working copy, or nothing yet."""
    if question is None:
        return QuestionForm(seen_version="0", form_id=new_uid())
    form = QuestionForm.of(readable(content_of(question)), seen_version=question.latest_number)
    return replace(form, form_id=new_uid())


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


def rendered(form: QuestionForm) -> Rendered | str:
    """Return the form's text as readers would see it, or why it cannot be shown."""
    try:
        item = form.item()
        return render_item(item, images=shown_images(db.session(), names_in(item), DESK))
    except ValueError as error:
        return f"There is no preview: {error}."


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
    return {
        "corrections": session.scalars(
            select(Correction)
            .where(Correction.question_id == question.id)
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
        "runs": code_runs(session, question),
    }
