"""The runs of a question's code samples, as the rail of its editor lists them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.markup import samples
from cms.models import Question, SampleRun

SHOWN = 60  # runs


@dataclass(frozen=True, slots=True)
class CodeRun:
    """A run of a sample of the public text, and where that stands in the working copy.

    `answer` is the index of its answer there, None where it is gone; `line` is the line
    on which the code begins, None where it reads otherwise by now.
    """

    run: SampleRun
    answer: int | None
    line: int | None

    @property
    def versions(self) -> str:
        """What it ran with: 'Flask 3.1.3, Python 3.11.7'."""
        named = [*sorted(self.run.packages.items()), ("Python", self.run.python)]
        return ", ".join(f"{name} {version}" for name, version in named)


def code_runs(session: Session, question: Question) -> list[CodeRun]:
    """Return what ran of a question: what failed first, then in the order of its answers."""
    runs = session.scalars(
        select(SampleRun)
        .where(SampleRun.question_id == question.id)
        .order_by(SampleRun.passed, SampleRun.id)
        .limit(SHOWN)
    ).all()
    if not runs:
        return []
    places = {answer.uid: index for index, answer in enumerate(question.answers)}
    lines = {
        (answer.uid, sample.hash): sample.line
        for answer in question.answers
        for sample in samples(answer.body)
    }
    found = [
        CodeRun(run, places.get(run.answer_uid), lines.get((run.answer_uid, run.code_hash)))
        for run in runs
    ]
    last = len(places)
    return sorted(
        found,
        key=lambda each: (
            each.run.passed,
            last if each.answer is None else each.answer,
            each.run.position,
        ),
    )
