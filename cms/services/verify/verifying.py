"""Verify: run the samples of what is published, and put on record what came of it."""

from __future__ import annotations

import ast
import functools
import itertools
import platform
import re
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.markup import Sample
from cms.models import Question, SampleRun, User
from cms.services import shelf
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.permissions import require
from cms.services.releases import open_release
from cms.services.verify import sandbox
from cms.services.verify.samples import PublishedSample, proven, published_samples
from cms.vocabulary import ChangeKind, Role

SHOWN = 120
"""Characters of a line of output, or of an error, in a message."""

_TRACEBACK = "Traceback (most recent call last):\n"
_PLACE = re.compile(r'^[ \t]*+File "sample\.py", line (\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a sample failed; `line` is a line of its answer's Markdown, from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """A run of a sample; `fault` is None if it passed."""

    place: PublishedSample
    fault: Fault | None
    python: str
    packages: dict[str, str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of results: how many questions' pages changed, and in which release."""

    questions: int
    release: int | None


def run_samples(
    samples: Sequence[PublishedSample],
    *,
    jobs: int,
    seconds: float = sandbox.SECONDS,
    environment: Mapping[str, str] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> list[Result]:
    """Run samples, `jobs` at once, and judge each; `tick` is called after each."""

    def run(place: PublishedSample) -> Result:
        code = place.sample.code
        outcome = sandbox.run_code(code, seconds=seconds, environment=environment)
        return Result(
            place,
            fault_of(place.sample, outcome, seconds),
            platform.python_version(),
            packages_of(code),
        )

    results: list[Result] = []
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for result in pool.map(run, samples):
            results.append(result)
            tick()
    return results


def record_runs(
    session: Session, results: Sequence[Result], *, by: User | None, at: datetime
) -> Recorded:
    """Keep results; where a page says something else now, refresh it in one release.

    A result of code that is not public any more is dropped, and so are the
    rows of samples that changed or went away. Pages say only which samples
    passed, and with what: a run that ends like the one before makes no release.

    :raises NotAllowed: when the actor is no editor
    """
    require(by, Role.editor, "record runs of samples")
    fresh: dict[int, list[Result]] = defaultdict(list)
    for result in results:
        fresh[result.place.question_id].append(result)
    known = session.scalars(select(SampleRun.question_id).distinct())
    changed: list[int] = []
    for ids in chunks(sorted({*fresh, *known})):
        changed += _record_chunk(session, ids, fresh, at)
    if not changed:
        return Recorded(0, None)
    count = f"{len(changed)} question{'' if len(changed) == 1 else 's'}"
    release = open_release(session, by=by, at=at, summary=f"Recorded code runs of {count}")
    shelf.refresh(session, changed, release, ChangeKind.refreshed, anew=True)
    record(
        session,
        by=by,
        at=at,
        action="sample.record",
        about=f"release:{release.number}",
        questions=len(changed),
    )
    session.flush()
    return Recorded(len(changed), release.number)


def _record_chunk(
    session: Session, ids: Sequence[int], fresh: Mapping[int, Sequence[Result]], at: datetime
) -> list[int]:
    """Keep the results of these questions; return those whose page says something else now."""
    # A publisher waits until we are done: what we compare with stays what is public.
    session.execute(
        select(Question.id).where(Question.id.in_(ids)).order_by(Question.id).with_for_update()
    )
    current: dict[int, dict[tuple[str, int], str]] = defaultdict(dict)
    for each in published_samples(session, Question.id.in_(ids)):
        current[each.question_id][each.answer_uid, each.position] = each.sample.hash
    held: dict[int, dict[tuple[str, int], SampleRun]] = defaultdict(dict)
    for run in session.scalars(select(SampleRun).where(SampleRun.question_id.in_(ids))):
        held[run.question_id][run.answer_uid, run.position] = run
    changed: list[int] = []
    for id in ids:
        hashes = {(uid, code_hash) for (uid, _), code_hash in current[id].items()}
        before = _said(held[id].values(), hashes)
        for result in fresh.get(id, ()):
            key = (result.place.answer_uid, result.place.position)
            if current[id].get(key) == result.place.sample.hash:
                run = held[id].get(key) or _new_run(session, result)
                _keep(run, result, at)
                held[id][key] = run
        for key, run in list(held[id].items()):
            if current[id].get(key) != run.code_hash:
                session.delete(held[id].pop(key))
        if _said(held[id].values(), hashes) != before:
            changed.append(id)
    session.flush()
    return changed


def _new_run(session: Session, result: Result) -> SampleRun:
    place = result.place
    run = SampleRun(
        question_id=place.question_id, answer_uid=place.answer_uid, position=place.position
    )
    session.add(run)
    return run


def _keep(run: SampleRun, result: Result, at: datetime) -> None:
    run.code_hash = result.place.sample.hash
    run.passed = result.fault is None
    run.message = result.fault.message if result.fault else ""
    run.python = result.python
    run.packages = result.packages
    run.ran_at = at


def _said(
    runs: Iterable[SampleRun], hashes: set[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
    """Return what a page with these samples says of them, but for the day."""
    return {
        key: (run.python, dict(run.packages)) for key, run in proven(runs).items() if key in hashes
    }


# --- judging -------------------------------------------------------------------


def fault_of(sample: Sample, outcome: sandbox.Outcome, seconds: float) -> Fault | None:
    """Return why a sample failed, or None if it passed.

    It passes if it ended by itself with status 0, showed no traceback, and
    printed what the text says, but for white space at the ends of lines. What it
    wrote to standard error else does not count.
    """
    if outcome.flooding:
        return Fault(sample.line, f"It printed more than {sandbox.OUTPUT:,} bytes.")
    if outcome.late:
        return Fault(sample.line, f"It ran for more than {seconds:g} seconds.")
    if outcome.status != 0 or _TRACEBACK in outcome.stderr:
        places = _PLACE.findall(outcome.stderr)
        line = sample.line + int(places[-1]) - 1 if places else sample.line
        return Fault(line, _ended(outcome))
    return None if sample.expected is None else _difference(sample, outcome.stdout)


def _ended(outcome: sandbox.Outcome) -> str:
    """Say how a sample ended: by the error that it raised, a signal, or a status."""
    error = _error_line(outcome.stderr)
    if _TRACEBACK in outcome.stderr or _PLACE.search(outcome.stderr):
        return f"It raised {error}"
    if outcome.status < 0:
        return f"It was killed by {_signal_name(-outcome.status)}."
    return f"It ended with status {outcome.status}{f': {error}' if error else '.'}"


def _error_line(stderr: str) -> str:
    """Return the line that names the error: below the last traceback, else the last one."""
    _, header, tail = stderr.rpartition(_TRACEBACK)
    lines = [line for line in tail.splitlines() if line and not line.startswith(" ")]
    return (lines[0] if header else lines[-1])[:SHOWN] if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _difference(sample: Sample, printed: str) -> Fault | None:
    """Return the first line in which the output is not what the text says."""
    wanted, came = _lines(sample.expected or ""), _lines(printed)
    for index, (want, got) in enumerate(itertools.zip_longest(wanted, came)):
        if want == got:
            continue
        line = sample.output_line + min(index, len(wanted))
        expected = "the end of the output" if want is None else _shown(want)
        return Fault(
            line, f"Expected {expected}, got {'nothing more' if got is None else _shown(got)}."
        )
    return None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")] if text.strip() else []


def _shown(line: str) -> str:
    return f"“{line}”" if len(line) <= SHOWN else f"“{line[:SHOWN]}…”"


# --- versions ------------------------------------------------------------------


def packages_of(code: str) -> dict[str, str]:
    """Return the versions of the packages that provide what the code imports.

    By the `import` statements in it; the standard library counts as Python's.
    """
    found: dict[str, str] = {}
    for name in sorted(set(_imported(code)) - sys.stdlib_module_names):
        for package in _providers().get(name, ()):
            found[package] = metadata.version(package)
    return found


def _imported(code: str) -> Iterator[str]:
    """Yield the top-level names of the modules that code imports; none if it is no Python."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@functools.cache
def _providers() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
