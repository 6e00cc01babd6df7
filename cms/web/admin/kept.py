"""Kept text as pages show it: whether there is some to offer, and the form that it was."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from cms.extensions import db
from cms.models import Autosave, Question
from cms.services import autosaves
from cms.services.content import content_of
from cms.web.admin.base import actor
from cms.web.admin.forms import QuestionForm
from cms.web.admin.texts import readable, says_the_same


def unsaved_notice(question: Question | None) -> Autosave | None:
    """Return the text to offer where a question, or a new one, is opened.

    It is whoever's is logged in, and not what the bank says already.
    """
    kept = autosaves.offered(db.session(), actor(), question)
    if kept is None or question is None:
        return kept
    return None if says_the_same(readable(content_of(question)), form_of(kept)) else kept


def form_of(kept: Autosave) -> QuestionForm:
    """Return the form as it was when its text was kept."""
    return QuestionForm.posted(MultiDict((name, value) for name, value in kept.fields))
