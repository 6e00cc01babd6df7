"""`stats`: the bank in figures."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from cms.cli.output import print_table
from cms.extensions import db
from cms.models.engine import reading
from cms.services import figures
from cms.services.statuses import STATUSES


@click.command("stats")
def stats_command() -> None:
    """Count the bank: questions by status, difficulty and tag, open corrections, stale ones."""
    with reading(), Session(db.engine) as session:
        counted = figures.count(session, at=datetime.now(UTC))
    print_table(["What", "Which", "Count"], _rows(counted))


def _rows(counted: figures.BankFigures) -> Iterator[tuple[str, str, str]]:
    yield "questions", "", str(counted.all.questions)
    for name, count in counted.all.by_status.items():
        yield "status", STATUSES[name][0], str(count)
    for level, count in counted.all.by_difficulty.items():
        yield "difficulty", level, str(count)
    for slug, tally in counted.tags.items():
        yield "tag", slug, str(tally.questions)
    if counted.more_tags:
        yield "other tags", "", str(counted.more_tags)
    yield "without a tag", "", str(counted.untagged.questions)
    yield "open corrections", "", str(counted.open_corrections)
    yield "past the review date", "", str(counted.past_review)
