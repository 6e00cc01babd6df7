"""Who else has a question open, and what they saved: on its page, and asked for by its script."""

from __future__ import annotations

from collections.abc import Sequence

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cms.extensions import db
from cms.models import Presence, Question, Revision
from cms.models.engine import writing
from cms.services import presence
from cms.web.admin.base import GuardedView, actor, find, now, transaction
from cms.web.admin.forms import QuestionForm
from cms.web.admin.words import relative


class PresencePages(GuardedView):
    """What a page that holds a question's form says and asks while it is open."""

    @expose("/<id>/presence", methods=("POST",))
    def presence(self, id: str) -> ResponseReturnValue:
        """Note that somebody is there, and answer who else is, and whether somebody saved.

        The request only reads unless there is something new to note.
        """
        question, user, at = find(Question, id, "question"), actor(), now()
        typed = request.form.get("typed") == "1"
        noted = presence.is_noted(db.session(), user, question, typed=typed, at=at)
        form = QuestionForm(seen_version=request.form.get("seen_version", ""))
        answer = {"latest_number": question.latest_number, **company(question, form)}
        if not noted:
            db.session.rollback()
            with writing(), transaction() as session:
                presence.note(session, user, question, typed=typed, at=at)
        return answer

    @expose("/<id>/presence/leave", methods=("POST",))
    def leave(self, id: str) -> ResponseReturnValue:
        question = find(Question, id, "question")
        with transaction() as session:
            presence.leave(session, actor(), question)
        return "", 204


def company(question: Question | None, form: QuestionForm) -> dict[str, str]:
    """Return what the page of a form says of other people: who is there, and what they saved."""
    if question is None:
        return {"others": "", "news": ""}
    session = db.session()
    saved = presence.newer(session, question, form.seen_number)
    return {
        "others": words_for(presence.others(session, actor(), question, at=now())),
        "news": news_words(saved) if saved else "",
    }


def words_for(others: Sequence[Presence]) -> str:
    """Return who else is there in a line: 'Emil is writing; Ada and Conrad have it open'."""
    writing = [each.user.name for each in others if each.typed]
    reading = [each.user.name for each in others if not each.typed]
    found = []
    if writing:
        found.append(f"{_listed(writing)} {'is' if len(writing) == 1 else 'are'} writing")
    if reading:
        found.append(f"{_listed(reading)} {'has' if len(reading) == 1 else 'have'} it open")
    return "; ".join(found)


def news_words(revision: Revision) -> str:
    """Return what somebody saved meanwhile in a line."""
    who = "You" if revision.author == actor() else str(revision.author or "The command line")
    when = relative(revision.created_at, now()) or "some time ago"
    return f"{who} saved revision {revision.number} {when}: saving yours will show both texts."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
