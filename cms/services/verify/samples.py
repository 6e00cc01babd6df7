"""The code samples of what is published, and what the shelf says of their last run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from cms.formats.item import Item
from cms.markup import Sample, samples
from cms.models import Publication, PublicationTag, Question, SampleRun
from cms.services.rendered import Proofs


@dataclass(frozen=True, slots=True)
class PublishedSample:
    """One sample and its place: the block at `position` (from 0) among its answer's samples.

    `answer` names the answer as a person finds it: 'answer 2 (Short)'.
    """

    question_id: int
    slug: str
    answer_uid: str
    answer: str
    position: int
    sample: Sample


def under_tag(slug: str) -> ColumnElement[bool]:
    """Return the criterion of the publications under a tag; it includes its descendants."""
    tagged = select(PublicationTag.publication_id).where(PublicationTag.tag == slug)
    return Publication.id.in_(tagged)


def published_items(session: Session, *criteria: ColumnElement[bool]) -> Iterator[tuple[int, Item]]:
    """Yield the id and the Item of live questions, in the order in which they went public."""
    rows = session.execute(
        select(Question.id, Publication.document)
        .join(Question, Question.uid == Publication.uid)
        .where(*criteria)
        .order_by(Publication.id)
        .execution_options(yield_per=500)
    )
    for id, document in rows:
        yield id, msgspec.json.decode(document, type=Item)


def published_samples(session: Session, *criteria: ColumnElement[bool]) -> list[PublishedSample]:
    """Return the samples in the answers of live questions, as published."""
    return [
        PublishedSample(
            id,
            item.slug or "",
            answer.uid or "",
            f"answer {number} ({answer.label})" if answer.label else f"answer {number}",
            position,
            sample,
        )
        for id, item in published_items(session, *criteria)
        for number, answer in enumerate(item.answers, start=1)
        for position, sample in enumerate(samples(answer.body))
    ]


def proofs(session: Session, question_ids: Sequence[int]) -> dict[int, Proofs]:
    """Return what the pages of these questions may say of their samples."""
    rows: dict[int, list[SampleRun]] = defaultdict(list)
    for run in session.scalars(select(SampleRun).where(SampleRun.question_id.in_(question_ids))):
        rows[run.question_id].append(run)
    found: dict[int, Proofs] = {}
    for question_id, runs in rows.items():
        words: dict[str, dict[str, str]] = defaultdict(dict)
        for (answer_uid, code_hash), run in proven(runs).items():
            words[answer_uid][code_hash] = _words(run)
        found[question_id] = words
    return found


def proven(runs: Iterable[SampleRun]) -> dict[tuple[str, str], SampleRun]:
    """Return the runs that passed, by answer and hash; the same code must not have failed."""
    known = list(runs)
    failed = {(run.answer_uid, run.code_hash) for run in known if not run.passed}
    passed = {(run.answer_uid, run.code_hash): run for run in known if run.passed}
    return {key: run for key, run in passed.items() if key not in failed}


def _words(run: SampleRun) -> str:
    """Return 'run with Flask 3.1.3, Python 3.11.7 on 22 Nov 2026', which breaks only between."""
    versions = [*sorted(run.packages.items()), ("Python", run.python)]
    named = ", ".join(f"{name}\N{NO-BREAK SPACE}{version}" for name, version in versions)
    day = f"{run.ran_at.day} {run.ran_at:%b %Y}".replace(" ", "\N{NO-BREAK SPACE}")
    return f"run with {named} on {day}"
