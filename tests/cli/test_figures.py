"""`stats` prints what the dashboard shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from click.testing import Result
from sqlalchemy.orm import Session

from cms.services import queues
from cms.services.corrections import open_correction
from cms.vocabulary import CorrectionKind
from tests.factories import AT, make_published, make_question


def test_stats_counts_the_bank(session: Session, run: Callable[..., Result]) -> None:
    stale = make_published(session, "Public?", tags=["flask/cli"], difficulty="hard")
    stale.review_by = queues.today() - timedelta(days=1)
    kind = CorrectionKind.factual
    open_correction(session, stale, kind=kind, claim="No.", by=None, at=AT)
    make_question(session, "Draft?")
    session.commit()
    result = run("stats")
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.output.splitlines()]
    assert {tuple(line[:2]): line[2] for line in lines if line[2] != "0"} == {
        ("questions", ""): "2",
        ("status", "draft"): "1",
        ("status", "published"): "1",
        ("difficulty", "hard"): "1",
        ("difficulty", "none"): "1",
        ("tag", "flask"): "1",
        ("tag", "flask/cli"): "1",
        ("without a tag", ""): "1",
        ("open corrections", ""): "1",
        ("past the review date", ""): "1",
    }
