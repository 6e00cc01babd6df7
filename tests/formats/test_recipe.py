"""docs/formats.md: its table is that of the declarations, and its recipe makes a format."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from cms.formats import FORMATS, Format, detect
from cms.formats.overview import with_table
from tests.conftest import ROOT
from tests.formats import test_conformance as suite
from tests.formats.strategies import question, upload, written

DOCUMENT = ROOT / "docs" / "formats.md"


def test_the_table_of_formats_is_that_of_the_declarations() -> None:
    document = DOCUMENT.read_text()
    renewed = with_table(document, FORMATS.values())
    assert document == renewed, (
        "docs/formats.md is stale: run `python -m cms.formats.overview docs/formats.md`"
    )


def test_every_format_says_what_it_is_for_and_what_it_was_checked_with() -> None:
    assert [name for name, each in FORMATS.items() if not (each.holds and each.checked_with)] == []


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Format:
    """The format that the recipe's code makes, listed as the recipe says."""
    _, _, recipe = DOCUMENT.read_text().partition("## Adding a format\n")
    (code,) = re.findall(r"```python\n(.*?)\n```\n", recipe, re.DOTALL)
    module = ModuleType("cms.formats.cards")
    exec(compile(code, str(DOCUMENT), "exec"), module.__dict__)
    format: Format = module.CARDS
    monkeypatch.setitem(FORMATS, format.name, format)
    for name in ("ALL", "READABLE", "WRITABLE", "BOTH"):
        monkeypatch.setattr(suite, name, [*getattr(suite, name), format])
    return format


def test_the_format_of_the_recipe_writes_reads_and_is_recognized(cards: Format) -> None:
    assert cards.read is not None
    data = written(cards, [question(1), question(2)])
    assert detect(upload(data)) is cards
    first, second = cards.read(upload(data)).rows
    assert first.item is not None
    assert (first.item.stem, first.item.answers[0].body) == ("What is number 1?", "Number 1.")
    assert second.place == "line 2"
    (wrong,) = cards.read(upload(b'["1", "What?"]\n')).rows
    assert wrong.place.startswith("line 1")
    assert wrong.error


def test_the_format_of_the_recipe_conforms(cards: Format) -> None:
    checked = list(conformance_of(cards))
    for check in checked:
        check()
    assert len(checked) > 20
    roundtrip = suite.test_what_is_written_is_read_again_but_for_what_is_declared
    roundtrip.hypothesis.inner_test(cards, [question(1), question(2)])  # type: ignore[attr-defined]


def conformance_of(format: Format) -> Iterator[Callable[[], None]]:
    """Yield each test of the suite that is given a format, with this one and its other arguments.

    Those that Hypothesis drives are left out: they take seconds, and the suite runs them.
    """
    for test in vars(suite).values():
        marks = [m for m in getattr(test, "pytestmark", ()) if m.name == "parametrize"]
        if not any(mark.args[0] == "format" for mark in marks) or hasattr(test, "hypothesis"):
            continue
        others: list[list[dict[str, Any]]] = []
        for names, values in (mark.args[:2] for mark in marks if mark.args[0] != "format"):
            several = [names] if isinstance(names, str) else names
            rows = [[each] if isinstance(names, str) else each for each in values]
            others.append([dict(zip(several, row, strict=True)) for row in rows])
        assert "format" in inspect.signature(test).parameters
        for chosen in itertools.product(*others):
            given = {name: value for some in chosen for name, value in some.items()}
            yield lambda test=test, given=given: test(format=format, **given)
