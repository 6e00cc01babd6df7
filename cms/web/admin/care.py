"""The care of a question at its editor's side: a small form of its own, never the text's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import flash, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.orm import Session

from cms.errors import CmsError, InvalidInput, NotFound, WrongState
from cms.extensions import db
from cms.models import Question, User
from cms.services import people
from cms.services.care import Care, care_of, set_care
from cms.services.operations.arguments import day
from cms.services.permissions import may
from cms.services.questions import was_public
from cms.text import normalize_line
from cms.vocabulary import Role
from cms.web.admin.base import actor, find, now, transaction
from cms.web.admin.editor import EditorPages, opened

FIELDS = ("assignee", "reviewer", "due_on", "review_by")
UNKNOWN_START = (
    "The form does not say what it was opened with. Open the question anew and set this there."
)


@dataclass
class CareForm:
    """The care as typed, people by name. `seen` is the care that the form was opened with."""

    assignee: str = ""
    reviewer: str = ""
    due_on: str = ""
    review_by: str = ""
    seen: str = ""
    error: str = ""

    @classmethod
    def of(cls, question: Question) -> CareForm:
        care = care_of(question)
        return cls(
            assignee=question.assignee.name if question.assignee else "",
            reviewer=question.reviewer.name if question.reviewer else "",
            due_on=care.due_on.isoformat() if care.due_on else "",
            review_by=care.review_by.isoformat() if care.review_by else "",
            seen=",".join("" if each is None else str(each) for each in care),
        )

    def take(self, form: Any) -> None:
        """Take what was sent; a field that the form does not have stays as it is."""
        for name in (*FIELDS, "seen"):
            if name in form:
                setattr(self, name, normalize_line(form[name])[:100])

    def values(self, session: Session, question: Question) -> dict[str, Any]:
        """Return what was typed as `set_care` takes it.

        :raises InvalidInput: when a name or a day is none, or `seen` is none of ours
        """
        return {
            "assignee": self._person(session, "assignee", question.assignee),
            "reviewer": self._person(session, "reviewer", question.reviewer),
            "due_on": day(self.due_on, field="due_on") if self.due_on else None,
            "review_by": day(self.review_by, field="review_by") if self.review_by else None,
            "seen": self._seen(),
        }

    def catch_up(self, question: Question, values: dict[str, Any]) -> None:
        """Go on from the care as it is now; what was left as it was is what others made of it."""
        now, seen = CareForm.of(question), values["seen"]
        for name, was in zip(FIELDS, seen, strict=True):
            given = values[name]
            if (given.id if isinstance(given, User) else given) == was:
                setattr(self, name, getattr(now, name))
        self.seen = now.seen

    def _person(self, session: Session, field: str, held: User | None) -> User | None:
        typed: str = getattr(self, field)
        # Whoever has it may be disabled by now, and stays until another is chosen.
        return (
            held if held and held.name == typed else people.find_active(session, typed, field=field)
        )

    def _seen(self) -> Care:
        try:
            assignee, reviewer, due_on, review_by = self.seen.split(",")
            return Care(
                int(assignee) if assignee else None,
                int(reviewer) if reviewer else None,
                date.fromisoformat(due_on) if due_on else None,
                date.fromisoformat(review_by) if review_by else None,
            )
        except ValueError:
            raise InvalidInput(UNKNOWN_START) from None


class CarePages(EditorPages):
    """The part of the questions' pages that says who works on one, and until when."""

    def care_of(self, question: Question) -> CareForm:
        """Return the form as it is first shown."""
        return CareForm.of(question)

    def offered_people(self, question: Question) -> list[str]:
        """Return whom whoever is logged in may choose for a question; nobody where they may not.

        Editors choose anybody, contributors themselves for what was never public.
        """
        if question.retired_at is not None or question.merged_into_id is not None:
            return []
        if may(actor(), Role.editor):
            return people.active_names(db.session())
        free = question.assignee_id in (None, actor().id)
        return [actor().name] if free and not was_public(db.session(), question) else []

    @expose("/<id>/care", methods=("POST",))
    def care(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        form = CareForm.of(question)
        form.take(request.form)
        values: dict[str, Any] = {}
        try:
            with transaction() as session:
                values = form.values(session, question)
                changed = set_care(session, question, by=actor(), at=now(), **values)
        except NotFound:
            # The question is gone, and with it the page to say so on.
            raise
        except CmsError as error:
            form.error = str(error)
            if values and isinstance(error, WrongState):
                form.catch_up(question, values)
            flash(f"Not saved. {error}", "error")
            self._template_args["care"] = form
            return self._page(question, opened(question))
        if changed:
            flash("Saved who takes care of it.", "success")
        else:
            flash("That is how it was; nothing was changed.", "info")
        return self.back_to(question)
