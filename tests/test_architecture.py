"""Conventions that a machine can hold (import directions are import-linter's, in `make check`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "cms").rglob("*.py"))
LINES = 400


def names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_and_stays_readable(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module begins with a docstring"
    assert text.count("\n") <= LINES, "a long module wants to be two"
    assert path.stem not in {"utils", "helpers", "common", "misc"}


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if "os.environ" in (text := path.read_text()) or "getenv" in text
    ]
    assert readers == ["cms/config.py"]


def test_migrations_never_import_the_models() -> None:
    versions = sorted((ROOT / "migrations").rglob("*.py"))
    assert versions
    for path in versions:
        imported = list(names(ast.parse(path.read_text())))
        assert not any(name.split(".")[0] == "cms" for name in imported), path
