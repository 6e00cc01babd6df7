"""The steps of a question's life, none of which changes its text: public now, later, no more."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.errors import CmsError, InvalidInput, NotFound
from cms.extensions import db
from cms.formats.item import Content
from cms.models import Correction, Question
from cms.services import publishing, purging, questions, scheduling
from cms.services.blockers import DAMAGED, OWN, UNANSWERED
from cms.services.content import find_revision, revision_content
from cms.services.history import differences
from cms.vocabulary import CorrectionStatus, Role, Stage
from cms.web.admin.base import actor, find, now, transaction, way_back
from cms.web.admin.editor import opened, rendered
from cms.web.admin.forms import QuestionForm
from cms.web.admin.steps import Steps, number_of, published
from cms.web.admin.texts import readable
from cms.web.admin.warnings import notes_on
from cms.web.admin.words import to_the_minute


class WorkflowPages(Steps):
    """The pages on which a question goes public, now or later, and leaves the public again."""

    roles = {
        "publish": Role.editor,
        "unschedule": Role.editor,
        "retire": Role.editor,
        "unretire": Role.editor,
        "purge": Role.admin,
    }

    @expose("/<id>/publish", methods=("GET", "POST"))
    def publish(self, id: str) -> ResponseReturnValue:
        """Show what publishing would change; do it, or schedule it, for the text that was shown."""
        question = find(Question, id, "question")
        if request.method != "POST":
            return self._publish_page(question)
        number = number_of(request.form.get("number", ""))
        try:
            with transaction() as session:
                if request.form.get("op") == "schedule":
                    note = _schedule(session, question, number)
                else:
                    note = published(
                        publishing.publish_seen(
                            session, question, number=number, by=actor(), at=now()
                        )
                    )
        except NotFound:
            raise
        except CmsError as error:
            return self._publish_page(question, problem=error)
        flash(*note)
        return self.back_to(question)

    def _publish_page(self, question: Question, problem: CmsError | None = None) -> str:
        session = db.session()
        newest = find_revision(session, question, question.latest_number)
        content = readable(revision_content(session, question, newest.number))
        live = _live(session, question)
        return self.render(
            "admin/questions/publish.html",
            question=question,
            revision=newest,
            problem=problem,
            returns=live is None and questions.was_public(session, question),
            changes=differences(live, content) if live else [],
            rendered=rendered(QuestionForm.of(content, seen_version=newest.number)),
            content=content,
            remedies=self._remedies(session, question),
            errata=_errata(session, question),
            when=request.form.get("when", ""),
            opened_from=self.opened_from(),
        )

    def _remedies(self, session: Session, question: Question) -> list[tuple[str, str, str]]:
        """Return what keeps the newest text from going public: why, where to mend it, how."""
        here = self.get_url(".edit_view", id=question.id, **self.opened_from())
        notes = notes_on(question, opened(question)).in_order
        places = {
            UNANSWERED: (here, "Write it"),
            DAMAGED: (f"{here}#{notes[0].anchor}" if notes else here, "Go to the first one"),
        }
        if question.stage == Stage.draft:
            places[OWN.format(question.latest_number)] = (here, "Submit it for review")
        found = publishing.blockers(session, question, by=actor())
        return [(reason, *places.get(reason, ("", ""))) for reason in found]

    @expose("/<id>/unschedule", methods=("POST",))
    def unschedule(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        self.attempt(scheduling.unschedule, question, "It does not go public by itself any more.")
        return self.back_to(question)

    @expose("/<id>/return", methods=("POST",))
    def return_to_draft(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        reason = request.form.get("reason", "")
        done = "Returned to draft."
        if question.scheduled_at is not None:
            # Who scheduled it meant that very revision, whatever becomes of a later one.
            done += (
                f" Revision {question.scheduled_number} goes public "
                f"{to_the_minute(question.scheduled_at)} all the same, unless its schedule is "
                "taken back."
            )
        self.attempt(questions.return_to_draft, question, done, reason=reason)
        return self.back_to(question)

    @expose("/<id>/retire", methods=("POST",))
    def retire(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")

        def retire(session: Session, question: Question, **given: Any) -> None:
            publishing.retire(session, [question], **given)

        reason = request.form.get("reason", "")
        self.attempt(
            retire, question, "Retired: its address now says that it is gone.", reason=reason
        )
        return self.back_to(question)

    @expose("/<id>/unretire", methods=("POST",))
    def unretire(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        self.attempt(publishing.unretire, question, "A draft again. Publish it to bring it back.")
        return self.back_to(question)

    @expose("/<id>/delete", methods=("POST",))
    def delete(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        done = f"Deleted the draft ‘{question.stem}’."
        seen = number_of(request.form.get("seen_version", ""))
        if self.attempt(questions.delete_draft, question, done, seen_version=seen):
            return redirect(way_back() or self.get_url(".index_view"), 303)
        return self.back_to(question)

    @expose("/<id>/purge", methods=("GET", "POST"))
    def purge(self, id: str) -> ResponseReturnValue:
        """Say what a purge takes away; do it for whoever typed the number and a reason."""
        question = find(Question, id, "question")
        if request.method != "POST":
            return self._purge_page(question)
        try:
            if request.form.get("number", "").strip() != str(question.id):
                raise InvalidInput(
                    f"Type {question.id}, the number of this question.", field="number"
                )
            with transaction() as session:
                reason = request.form.get("reason", "")
                purging.purge(session, question, reason=reason, by=actor(), at=now())
        except InvalidInput as error:
            return self._purge_page(question, error)
        flash(f"Purged question {id}: nothing of its text is left.", "success")
        return redirect(self.get_url(".index_view"), 303)

    def _purge_page(self, question: Question, problem: InvalidInput | None = None) -> str:
        public = questions.was_public(db.session(), question)
        return self.render(
            "admin/questions/purge.html", question=question, public=public, problem=problem
        )


def _schedule(session: Session, question: Question, number: int) -> tuple[str, str]:
    """Schedule what was shown for the time that is asked; return what to flash."""
    who: dict[str, Any] = {"by": actor(), "at": now()}
    when = scheduling.utc_time(request.form.get("when", ""))
    questions.lock(session, question)
    publishing.require_newest(session, question, number)
    scheduling.set_schedule(session, question, number=number, when=when, **who)
    return f"Revision {number} goes public {to_the_minute(when)}.", "success"


def _live(session: Session, question: Question) -> Content | None:
    """Return what readers have of a question, None if nothing."""
    if question.published_number is None:
        return None
    return readable(revision_content(session, question, question.published_number))


def _errata(session: Session, question: Question) -> int:
    """Return how many accepted corrections would become public with the newest text."""
    statement = select(func.count()).where(
        Correction.question_id == question.id,
        Correction.status == CorrectionStatus.accepted,
        Correction.fixed_in > (question.published_number or 0),
    )
    return session.scalar(statement) or 0
