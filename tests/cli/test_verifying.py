"""`verify` as a person uses it: what it prints, and its exit statuses."""

from __future__ import annotations

import platform

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.config import child_environment
from cms.extensions import db
from cms.formats.item import AnswerItem, SourceItem
from cms.models import SampleRun, Source
from tests.cli.conftest import Run
from tests.factories import make_published

GOOD = "Yes.\n\n```python run\nprint(1)\n```\n\n```output\n1\n```"
BROKEN = "No.\n\n```python run\nprint(1)\nprint(2)\n```\n\n```output\n1\n3\n```"
CRASHING = "```python run\nvalue = {}\nvalue['x']\n```"
LOCAL = [SourceItem(url="http://127.0.0.1:1/page#part")]


@pytest.fixture
def bank(app: Flask) -> None:
    """Four samples of two questions; two fail. A third question has a source in this machine."""
    with app.app_context(), Session(db.engine) as session:
        make_published(session, "Good?", answers=[AnswerItem(body=GOOD)], tags=["flask"])
        answers = [
            AnswerItem(body=f"{GOOD}\n\n{CRASHING}"),
            AnswerItem(label="Short", body=BROKEN),
        ]
        make_published(session, "Bad?", answers=answers, tags=["http"])
        local = [AnswerItem(body="Here.", sources=LOCAL)]
        make_published(session, "Local?", answers=local, tags=["local"])


@pytest.mark.usefixtures("bank")
def test_each_failure_is_a_row_that_says_where_and_what_and_the_exit_status_is_1(
    app: Flask, run: Run
) -> None:
    result = run("verify", "--timeout", "60")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "bad\tanswer 1\tsample 2\tline 13\tIt raised KeyError: 'x'",
        "bad\tanswer 2 (Short)\tsample 1\tline 10\tExpected “3”, got “2”.",
        "4 samples of 2 questions: 2 passed, 2 failed.",
        "The pages of 2 questions changed: release 4.",
    ]
    again = run("verify", "--timeout", "60", "--jobs", "1")
    assert again.exit_code == 1
    assert again.stdout.splitlines()[-1] == "Nothing that pages say of them changed."
    with app.app_context():
        rows = db.session.scalars(select(SampleRun).order_by(SampleRun.id)).all()
        assert [row.passed for row in rows] == [True, True, False, False]
        assert {row.python for row in rows} == {platform.python_version()}
    page = app.test_client().get("/questions/good").text
    assert f"run with Python&nbsp;{platform.python_version()} on" in page


@pytest.mark.usefixtures("bank")
def test_a_tag_limits_what_is_run_and_checked(run: Run) -> None:
    result = run("verify", "--tag", "flask", "--timeout", "60")
    assert result.exit_code == 0
    assert "1 samples of 1 questions: 1 passed, 0 failed." in result.stdout
    unknown = run("verify", "--tag", "nobody")
    assert unknown.exit_code == 1
    assert "No public question has the tag “nobody”." in unknown.stderr


@pytest.mark.usefixtures("bank")
def test_a_sample_that_hangs_is_stopped_after_the_timeout(app: Flask, run: Run) -> None:
    with app.app_context(), Session(db.engine) as session:
        body = "```python run\nimport time\ntime.sleep(100)\n```"
        make_published(session, "Endless?", answers=[AnswerItem(body=body)], tags=["slow"])
    result = run("verify", "--tag", "slow", "--timeout", "0.5")
    assert result.exit_code == 1
    assert "It ran for more than 0.5 seconds." in result.stdout


@pytest.mark.usefixtures("bank")
def test_links_are_checked_when_asked_for_and_never_on_the_operators_own_network(
    app: Flask, run: Run
) -> None:
    assert run("verify", "--tag", "local").exit_code == 0
    result = run("verify", "--tag", "local", "--links")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[2:] == [
        "http://127.0.0.1:1/page#part\tIt leads to an address that is not public, "
        "so it was not asked.\tlocal, answer 1",
        "1 sources: 0 answer, 1 do not.",
    ]
    with app.app_context():
        [source] = db.session.scalars(select(Source).where(Source.url == LOCAL[0].url))
        assert source.last_status is None
        assert source.checked_at is not None


def test_a_bank_without_samples_is_no_failure(run: Run) -> None:
    result = run("verify", "--links")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "0 samples of 0 questions: 0 passed, 0 failed.",
        "Nothing that pages say of them changed.",
        "0 sources: 0 answer, 0 do not.",
    ]


def test_a_sample_gets_no_secret_of_the_environment() -> None:
    given = {"PATH": "/bin", "LANG": "C", "CMS_SECRET_KEY": "s", "PGPASSWORD": "p", "HOME": "/root"}
    assert child_environment(given) == {"PATH": "/bin", "LANG": "C"}
