"""`verify`: run the samples of what is published, and check its sources."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from cms.cli.output import print_table
from cms.config import child_environment
from cms.extensions import db, read_engine
from cms.models.engine import reading
from cms.services.reading import find_tag
from cms.services.verify import sandbox
from cms.services.verify.guarded_http import public_manners
from cms.services.verify.linkchecks import check_links, published_links, record_links
from cms.services.verify.samples import published_samples, under_tag
from cms.services.verify.verifying import Recorded, Result, record_runs, run_samples


@click.command("verify")
@click.option("--tag", help="Only questions under this tag.")
@click.option("--links", is_flag=True, help="Also ask for the sources of answers and corrections.")
@click.option(
    "--jobs",
    default=os.cpu_count() or 1,
    type=click.IntRange(min=1),
    help="Samples that run at once.  [default: as many as there are cores]",
)
@click.option(
    "--timeout",
    default=float(sandbox.SECONDS),
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Seconds that a sample may run.",
)
def verify_command(tag: str | None, links: bool, jobs: int, timeout: float) -> None:
    """Run the code samples of published answers; exit with 1 if one fails.

    Prints a line for each failure: the question, the answer, the sample in it, the
    line of the answer, and what came instead of what. Pages then say which samples ran, and
    with what; a run that ends like the one before changes nothing.
    """
    failed = _verify_samples(tag, jobs, timeout)
    if links:
        failed = _verify_links(tag) or failed
    if failed:
        sys.exit(1)


def _verify_samples(tag: str | None, jobs: int, timeout: float) -> bool:
    with _shelf() as session:
        samples = published_samples(session, *_criteria(session, tag))
    with _progress("Running samples", len(samples)) as tick:
        results = run_samples(
            samples, jobs=jobs, seconds=timeout, environment=child_environment(), tick=tick
        )
    recorded = record_runs(db.session(), results, by=None, at=datetime.now(UTC))
    db.session.commit()
    _print_faults(results)
    failures = sum(result.fault is not None for result in results)
    questions = len({result.place.question_id for result in results})
    click.echo(
        f"{len(results)} samples of {questions} questions: "
        f"{len(results) - failures} passed, {failures} failed."
    )
    click.echo(_outcome(recorded))
    return failures > 0


def _verify_links(tag: str | None) -> bool:
    with _shelf() as session:
        links = published_links(session, *_criteria(session, tag))
    with _progress("Checking sources", len(links)) as tick:
        check_links(links, public_manners(), tick=tick)
    record_links(db.session(), links, by=None, at=datetime.now(UTC))
    db.session.commit()
    dead = [link for link in links if link.dead]
    print_table(
        ("source", "problem", "cited by"),
        [
            (url, link.fault or "", "; ".join(places))
            for link in dead
            for url, places in link.cited.items()
        ],
    )
    click.echo(f"{len(links)} sources: {len(links) - len(dead)} answer, {len(dead)} do not.")
    return bool(dead)


@contextmanager
def _shelf() -> Iterator[Session]:
    """Open what is public for reading. It is closed before anything slow begins."""
    with reading(), Session(read_engine()) as session:
        yield session


def _criteria(session: Session, tag: str | None) -> list[ColumnElement[bool]]:
    """Return what selects the questions under a tag, by its path or a former one.

    :raises NotFound: when no public question has it
    """
    if tag is None:
        return []
    return [under_tag(find_tag(session, tag).slug)]


@contextmanager
def _progress(words: str, total: int) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(words, total=total)
        yield lambda: progress.advance(task)


def _print_faults(results: Sequence[Result]) -> None:
    print_table(
        ("question", "answer", "sample", "line", "problem"),
        [
            (
                result.place.slug,
                result.place.answer,
                f"sample {result.place.position + 1}",
                f"line {result.fault.line}",
                result.fault.message,
            )
            for result in results
            if result.fault is not None
        ],
    )


def _outcome(recorded: Recorded) -> str:
    if recorded.release is None:
        return "Nothing that pages say of them changed."
    return f"The pages of {recorded.questions} questions changed: release {recorded.release}."
