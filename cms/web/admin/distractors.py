"""Distractors that corrections offer: what was claimed and turned out to be wrong."""

from __future__ import annotations

import re

from sqlalchemy import select

from cms.extensions import db
from cms.models import Correction, Question
from cms.vocabulary import CorrectionKind, CorrectionStatus
from cms.web.admin.formparts import OptionFields
from cms.web.admin.forms import QuestionForm

# The step that adds one: 'distractor:17', with the correction's id.
DISTRACTOR = re.compile(r"distractor:(\d{1,9})")
OFFERED = 10


def distractors(question: Question | None, form: QuestionForm) -> list[Correction]:
    """Return the corrections whose claims a form does not have as options yet, the newest first.

    They were accepted, and are about what is true: a slip of spelling misleads nobody.
    """
    if question is None:
        return []
    accepted = db.session.scalars(
        select(Correction)
        .where(
            Correction.question_id == question.id,
            Correction.status == CorrectionStatus.accepted,
            Correction.kind != CorrectionKind.editorial,
        )
        .order_by(Correction.id.desc())
        .limit(OFFERED)
    )
    there = {option.text.strip() for option in form.options}
    return [each for each in accepted if each.claim not in there]


def add_distractor(question: Question, form: QuestionForm, correction_id: int) -> None:
    """Add the claim of an offered correction as a wrong option, its explanation as feedback."""
    for each in distractors(question, form):
        if each.id == correction_id:
            form.options.append(OptionFields(text=each.claim, feedback=each.explanation))
