"""Commands run through click's runner, on the bank of the test's `app`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy.orm import Session

from tests.conftest import session_beside

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command line: `run("export", "--format", "csv")`."""
    runner = app.test_cli_runner()

    def invoke(*words: str) -> Result:
        return runner.invoke(args=list(words))

    return invoke


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    with session_beside(app) as session:
        yield session
