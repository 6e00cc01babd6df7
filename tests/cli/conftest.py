"""Commands run through click's runner, on the bank of the test's `app`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command line: `run("export", "--format", "csv")`."""
    runner = app.test_cli_runner()

    def invoke(*words: str) -> Result:
        return runner.invoke(args=list(words))

    return invoke
