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


# What reads something that somebody else may have made, and the only modules that call it: there
# it gets neither entities, nor objects of Python, nor more depth and bytes than are good.
PARSERS = {
    "zipfile.ZipFile": {"cms/formats/archive.py", "cms/cli/folders.py"},
    "json.loads": {
        "cms/formats/strict_json.py",
        "cms/formats/anki/package.py",
        "cms/formats/obsidian.py",
    },
    "ParserCreate": {"cms/formats/xml.py"},
    "fromstring": {"cms/formats/svg.py"},
    "zstd.ZstdDecompressor": {"cms/formats/anki/package.py"},
}
SANDBOX = "cms/services/verify/sandbox_child.py"  # A sample's code is run there, and nowhere else.
NEVER = {
    *("eval", "exec", "compile", "yaml.load", "yaml.safe_load", "yaml.unsafe_load", "ET.parse"),
    *("ET.fromstring", "ET.XML", "ET.iterparse", "minidom.parse", "minidom.parseString"),
    *("json.load", "zlib.decompress", "gzip.decompress", "gzip.open", "bz2.decompress"),
    *("lzma.decompress", "zstd.decompress", "tarfile.open", "shutil.unpack_archive"),
    *("pickle.load", "pickle.loads", "marshal.loads", "shelve.open", "os.system", "os.popen"),
}


def called(tree: ast.AST) -> Iterator[tuple[str, list[ast.AST]]]:
    """Yield what is called, as it is written, and all that stands around it."""

    def walk(node: ast.AST, around: list[ast.AST]) -> Iterator[tuple[str, list[ast.AST]]]:
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), around
        for child in ast.iter_child_nodes(node):
            yield from walk(child, [*around, node])

    yield from walk(tree, [])


def test_what_comes_from_outside_is_parsed_in_few_places_that_bound_it() -> None:
    found: dict[str, set[str]] = {name: set() for name in PARSERS}
    forbidden, unbounded = [], []
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        for call, around in called(ast.parse(path.read_text())):
            if call in PARSERS:
                found[call].add(name)
            if call in NEVER and name != SANDBOX:
                forbidden.append(f"{name}: {call}")
            # A text of nothing but brackets is deeper than Python's stack.
            caught = [ast.unparse(each.handlers) for each in around if isinstance(each, ast.Try)]
            if call == "json.loads" and "RecursionError" not in f"{caught}":
                unbounded.append(name)
    assert found == PARSERS
    assert forbidden == []
    assert unbounded == []
    drawings = (ROOT / "cms/formats/svg.py").read_text()
    assert "from defusedxml.ElementTree import fromstring" in drawings


def test_migrations_never_import_the_models() -> None:
    versions = sorted((ROOT / "migrations").rglob("*.py"))
    assert versions
    for path in versions:
        imported = list(names(ast.parse(path.read_text())))
        assert not any(name.split(".")[0] == "cms" for name in imported), path
