"""Runs of samples: how they are judged, what is kept of them, and what pages say."""

from __future__ import annotations

import json
import platform
from datetime import timedelta
from importlib import metadata

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed
from cms.formats.item import AnswerItem
from cms.markup import Sample, samples
from cms.models import Change, Question, Release, SampleRun, User
from cms.services.content import content_of
from cms.services.publishing import publish, retire
from cms.services.questions import save
from cms.services.releases import release_number
from cms.services.verify import sandbox
from cms.services.verify.samples import published_samples, under_tag
from cms.services.verify.sandbox import Outcome
from cms.services.verify.verifying import (
    Fault,
    Recorded,
    Result,
    fault_of,
    packages_of,
    record_runs,
    run_samples,
)
from cms.vocabulary import ChangeKind
from tests.factories import AT, make_published, make_question, publication_of

LATER = AT + timedelta(days=3)

# The code begins on line 3 of this answer, what it should print on line 8.
BODY = "Look:\n```python run\na = 1\nprint(a)\nprint('two')\n```\n```output\n1\ntwo\n```\n"


def ended(stdout: str = "", stderr: str = "", status: int = 0, **flags: bool) -> Outcome:
    return Outcome(stdout, stderr, status, **flags)


TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "sample.py", line 2, in <module>\n'
    "    print(a)\n"
    '  File "/usr/lib/python3/thing.py", line 9, in thing\n'
    "ValueError: of two\nlines\n"
)
SYNTAX = '  File "sample.py", line 3\n    print(\n         ^\nSyntaxError: never closed\n'


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (ended("1\ntwo\n"), None),
        (ended("1  \ntwo\t\n\n"), None),
        (ended("1\r\ntwo".replace("\r\n", "\n")), None),
        (ended("1\ntwo\n", "UserWarning: hm\n"), None),
        (ended("1\nthree\n"), Fault(9, "Expected “two”, got “three”.")),
        (ended(" 1\ntwo\n"), Fault(8, "Expected “1”, got “ 1”.")),
        (ended("1\n"), Fault(9, "Expected “two”, got nothing more.")),
        (ended(""), Fault(8, "Expected “1”, got nothing more.")),
        (ended("1\ntwo\n3\n"), Fault(10, "Expected the end of the output, got “3”.")),
        (ended("x" * 300), Fault(8, f"Expected “1”, got “{'x' * 120}…”.")),
        (ended("1\n", TRACEBACK, 1), Fault(4, "It raised ValueError: of two")),
        (ended("1\ntwo\n", TRACEBACK, 0), Fault(4, "It raised ValueError: of two")),
        (ended("", SYNTAX, 1), Fault(5, "It raised SyntaxError: never closed")),
        (ended("1\ntwo\n", "", 3), Fault(3, "It ended with status 3.")),
        (ended("1\ntwo\n", "enough\n", 1), Fault(3, "It ended with status 1: enough")),
        (ended("1\ntwo\n", "", -11), Fault(3, "It was killed by SIGSEGV.")),
        (ended("1\ntwo\n", "", -200), Fault(3, "It was killed by signal 200.")),
        (ended("1\ntwo\n", status=-9, late=True), Fault(3, "It ran for more than 2.5 seconds.")),
        (ended("x", status=-9, flooding=True), Fault(3, "It printed more than 100,000 bytes.")),
    ],
)
def test_a_run_is_judged_by_its_end_and_its_output(outcome: Outcome, fault: Fault | None) -> None:
    [sample] = samples(BODY)
    assert fault_of(sample, outcome, 2.5) == fault


def test_without_an_expected_output_only_the_end_counts() -> None:
    sample = Sample("print(1)", None, 1)
    assert fault_of(sample, ended("anything\n"), 1) is None
    assert fault_of(sample, ended("", status=1), 1) is not None
    assert fault_of(Sample("pass", "", 1, 4), ended("anything\n"), 1) is not None


def test_the_versions_are_those_of_the_packages_that_the_code_imports() -> None:
    code = "import json, flask.views\nfrom sqlalchemy import select\nfrom . import x\nimport nope"
    assert packages_of(code) == {name: metadata.version(name) for name in ("Flask", "SQLAlchemy")}
    assert packages_of("def f(:") == {}


# --- with a bank ---------------------------------------------------------------------

PASSING = "```python run\nprint(1)\n```\n```output\n1\n```"
FAILING = "```python run\nprint(2)\n```\n```output\n1\n```"


def verdicts(session: Session, fault: Fault | None = None, python: str = "3.14.1") -> list[Result]:
    """Results of all samples that are public, as if they had been run."""
    return [
        Result(place, fault, python, {"Flask": "3.1.3"}) for place in published_samples(session)
    ]


def runs(session: Session) -> list[tuple[int, bool, str]]:
    rows = session.scalars(
        select(SampleRun).order_by(SampleRun.question_id, SampleRun.answer_uid, SampleRun.position)
    )
    return [(row.position, row.passed, row.message) for row in rows]


def shown(session: Session, question: Question) -> list[str]:
    """What the heads of the blocks on a question's page say."""
    publication = publication_of(session, question)
    assert publication is not None
    parts = "".join(each["html"] for each in json.loads(publication.html)["answers"])
    found = parts.split('<span class="ran">')[1:]
    return [part.partition("</span>")[0].replace("&nbsp;", " ") for part in found]


SAID = "run with Flask 3.1.3, Python 3.14.1 on 22 Nov 2026"


def test_samples_are_those_of_the_published_text_in_their_place(session: Session) -> None:
    question = make_published(
        session,
        answers=[
            AnswerItem(body=f"{PASSING}\n\nNot run:\n\n```python\nx\n```\n\n{FAILING}"),
            AnswerItem(label="Short", body="- In a list:\n\n  ```python run\n  print(3)\n  ```"),
        ],
        tags=["flask/basics"],
    )
    make_question(session, "A draft?", body=PASSING)
    changed = replace(content_of(question), answers=[AnswerItem(body="Nothing to run.")])
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    found = [
        (each.slug, each.answer, each.position, each.sample.code, each.sample.line)
        for each in published_samples(session)
    ]
    assert found == [
        ("what-is-a-view", "answer 1", 0, "print(1)\n", 2),
        ("what-is-a-view", "answer 1", 1, "print(2)\n", 15),
        ("what-is-a-view", "answer 2 (Short)", 0, "print(3)\n", 4),
    ]
    assert len(published_samples(session, under_tag("flask"))) == 3
    assert published_samples(session, under_tag("http")) == []


def test_samples_run_several_at_once_and_come_back_in_order(session: Session) -> None:
    bodies = [PASSING, FAILING, "```python run\n1 / 0\n```", "```python run\nprint(1)\n```"]
    make_published(session, answers=[AnswerItem(body=body) for body in bodies])
    ticks: list[int] = []
    results = run_samples(
        published_samples(session), jobs=2, seconds=60, tick=lambda: ticks.append(1)
    )
    assert [each.fault for each in results] == [
        None,
        Fault(5, "Expected “1”, got “2”."),
        Fault(2, "It raised ZeroDivisionError: division by zero"),
        None,
    ]
    assert {each.python for each in results} == {platform.python_version()}
    assert len(ticks) == 4


def test_results_go_live_as_one_release_that_refreshes_just_those_pages(session: Session) -> None:
    proven = [make_published(session, f"Question {n}?", body=PASSING) for n in range(2)]
    make_published(session, "Without a sample?")
    before = release_number(session)
    recorded = record_runs(session, verdicts(session), by=None, at=AT)
    session.commit()
    assert recorded == Recorded(2, before + 1)
    release = session.get(Release, before + 1)
    assert release is not None
    assert release.summary == "Recorded code runs of 2 questions"
    changes = session.execute(
        select(Change.uid, Change.what).where(Change.release == before + 1).order_by(Change.id)
    ).all()
    assert changes == [(question.uid, ChangeKind.refreshed) for question in proven]
    assert [shown(session, question) for question in proven] == [[SAID], [SAID]]


def test_a_run_that_ends_like_the_one_before_makes_no_release(session: Session) -> None:
    question = make_published(session, body=PASSING)
    record_runs(session, verdicts(session), by=None, at=AT)
    assert record_runs(session, verdicts(session), by=None, at=LATER) == Recorded(0, None)
    session.commit()
    assert release_number(session) == 2
    assert session.scalars(select(SampleRun.ran_at)).all() == [LATER]
    assert shown(session, question) == [SAID]


def test_other_versions_make_a_release(session: Session) -> None:
    question = make_published(session, body=PASSING)
    record_runs(session, verdicts(session), by=None, at=AT)
    assert record_runs(session, verdicts(session, python="3.15.0"), by=None, at=LATER).release == 3
    session.commit()
    assert shown(session, question) == ["run with Flask 3.1.3, Python 3.15.0 on 25 Nov 2026"]


def test_a_sample_that_failed_is_never_shown_as_proven(session: Session) -> None:
    question = make_published(session, body=PASSING)
    fault = Fault(2, "Expected “1”, got “2”.")
    assert record_runs(session, verdicts(session, fault), by=None, at=AT) == Recorded(0, None)
    assert runs(session) == [(0, False, "Expected “1”, got “2”.")]
    record_runs(session, verdicts(session), by=None, at=AT)
    assert shown(session, question) == [SAID]
    assert record_runs(session, verdicts(session, fault), by=None, at=AT).release == 3
    session.commit()
    assert shown(session, question) == []


def test_the_same_code_that_passed_and_failed_is_not_proven(session: Session) -> None:
    question = make_published(session, body=f"{PASSING}\n\n{PASSING}")
    first, second = verdicts(session)
    results = [first, Result(second.place, Fault(1, "No."), second.python, {})]
    assert record_runs(session, results, by=None, at=AT) == Recorded(0, None)
    assert runs(session) == [(0, True, ""), (1, False, "No.")]
    assert shown(session, question) == []


def test_a_new_publish_carries_results_for_code_that_is_unchanged_alone(session: Session) -> None:
    question = make_published(session, body=f"{PASSING}\n\n{PASSING.replace('1', '2')}")
    record_runs(session, verdicts(session), by=None, at=AT)
    assert shown(session, question) == [SAID, SAID]
    answer = content_of(question).answers[0]
    # The first sample's expected output changes, the second moves to its place.
    body = f"Now:\n\n{PASSING.replace('1', '2')}\n\n{FAILING}"
    changed = replace(content_of(question), answers=[replace(answer, body=body)])
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    assert shown(session, question) == [SAID]
    # Running both again says nothing else of the one, and something of the other.
    assert record_runs(session, verdicts(session), by=None, at=AT).questions == 1
    session.commit()
    assert shown(session, question) == [SAID, SAID]


def test_a_result_of_code_that_was_replaced_meanwhile_is_dropped(session: Session) -> None:
    question = make_published(session, body=PASSING)
    results = verdicts(session)
    answer = content_of(question).answers[0]
    changed = replace(content_of(question), answers=[replace(answer, body=FAILING)])
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    assert record_runs(session, results, by=None, at=LATER) == Recorded(0, None)
    assert runs(session) == []
    assert shown(session, question) == []


def test_rows_of_samples_that_went_away_are_removed(session: Session) -> None:
    shorter = make_published(session, "Shorter?", body=f"{PASSING}\n\n{PASSING}")
    retired = make_published(session, "Retired?", body=PASSING)
    record_runs(session, verdicts(session), by=None, at=AT)
    session.commit()
    assert len(runs(session)) == 3
    answer = content_of(shorter).answers[0]
    changed = replace(content_of(shorter), answers=[replace(answer, body=PASSING)])
    save(session, shorter, changed, seen_version=1, by=None, at=LATER)
    publish(session, [shorter], by=None, at=LATER)
    retire(session, [retired], by=None, at=LATER)
    # Results of nothing at all, as under a tag without samples.
    assert record_runs(session, [], by=None, at=LATER) == Recorded(0, None)
    session.commit()
    assert runs(session) == [(0, True, "")]
    assert shown(session, shorter) == [SAID]


def test_only_an_editor_records_runs(session: Session, contributor: User) -> None:
    with pytest.raises(NotAllowed, match=r"Only an editor may record runs of samples\."):
        record_runs(session, [], by=contributor, at=AT)


def test_the_default_limits_are_those_of_the_docs() -> None:
    limits = (sandbox.SECONDS, sandbox.MEMORY, sandbox.FILE_SIZE, sandbox.OPEN_FILES)
    assert (*limits, sandbox.OUTPUT) == (10, 2_000_000_000, 10_000_000, 128, 100_000)
