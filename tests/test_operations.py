"""docs/operations.md names every setting and every command, each with its help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cms import cli
from cms.config import READERS

DOCS = (Path(__file__).resolve().parent.parent / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("name", READERS)
def test_every_setting_is_documented_with_its_default_and_effect(name: str) -> None:
    rows = [line for line in DOCS.splitlines() if line.startswith(f"| `CMS_{name}` |")]
    assert len(rows) == 1
    _, _, default, effect, _ = rows[0].split("|")
    assert default.strip()
    assert effect.strip().endswith(".")


def commands(
    found: dict[str, click.Command], prefix: str = ""
) -> Iterator[tuple[str, click.Command]]:
    for name, command in found.items():
        if isinstance(command, click.Group):
            yield from commands(dict(command.commands), f"{prefix}{name} ")
        else:
            yield prefix + name, command


COMMANDS = dict(commands({name: cli.found(name) for name in cli.COMMANDS if name != "db"}))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_a_line_in_the_docs(name: str) -> None:
    assert COMMANDS[name].help
    assert f"`python manage.py {name}" in DOCS
