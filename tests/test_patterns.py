"""No pattern of the code takes longer than its text is long, whatever somebody sends.

Every pattern is found in the source: what `re` is called with is worked out as Python does it.
From its parts come texts that make a pattern try again and again: a beginning that fits, a
repetition without end, an end that does not fit. Whatever takes longest of a short text is tried
with a long one. What is measured is the time of the processor, not of the clock.
"""

from __future__ import annotations

import ast
import importlib
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from tests.conftest import ROOT

if sys.platform == "win32":
    pytest.skip("the clock of the processor rings by a POSIX signal", allow_module_level=True)

SHORT, LONG = 4_000, 100_000  # characters
SECONDS = 1.0  # of the processor, for a long text: the slowest pattern takes 0.2

USES = ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")

# What a pattern is made of where it is made in a function: one value of each name.
MADE: dict[str, dict[str, str]] = {
    r"f'\\b{re.escape(name)}\\b'": {"name": "name"},
    r"f'<{name}\\b'": {"name": "script"},
    r"f'</{name}\\b[^<>]*+>'": {"name": "script"},
    r"f'\\\\.|{mark}'": {"mark": "->"},
    "re.escape(passage)": {"passage": "what is  a view"},
    "folded": {"folded": r"what\s++is\s++a\s++view"},
    "f'{re.escape(place)}(?P<dots>(?:\\\\./)*)(?P<name>{ASSET_PATTERN})'": {"place": "asset:"},
    "f'(?:(?P<scheme>asset:)|{re.escape(place)}(?P<dots>(?:\\\\./)*))(?P<name>{ASSET_PATTERN})'": {
        "place": "assets/"
    },
    "f'\\\\.{written}\\\\.[0-9a-f]{{8}}(?:{former})?'": {"written": "site", "former": r"\.old"},
    "f'\"(?:(\\\\d+)-)?{re.escape(build)}\"'": {"build": "1a2b"},
}

# How somebody else uses what is handed to them.
HANDED_ON = {"cms.formats.strict_yaml._NUMBERS_OF_1_2": "match"}

# What reads only so many characters of a text, where the pattern is used.
BOUNDED = {
    "cms.formats.article.tables._SUBJECTS": 300,
    "cms.formats.lists.titles._LEVEL": 40,
    "cms.formats.obsidian._CALLOUT": 200,
}


@dataclass(frozen=True)
class Pattern:
    """A pattern as it stands in the source, and the methods that are called on it."""

    name: str
    text: str | bytes
    flags: int
    uses: frozenset[str]


# --- finding them -------------------------------------------------------------------------


SOURCES = {path: path.read_text() for path in sorted((ROOT / "cms").rglob("*.py"))}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call, str]]:
    """Yield the name that each pattern is assigned to, the call, and the function of `re`."""
    for top in ast.iter_child_nodes(tree):
        targets = top.targets if isinstance(top, ast.Assign) else [getattr(top, "target", None)]
        named = targets[0].id if isinstance(targets[0], ast.Name) else ""
        for node in ast.walk(top):
            if not isinstance(node, ast.Call):
                continue
            match node.func:
                case ast.Attribute(value=ast.Name(id="re"), attr=function):
                    if function in (*USES, "compile"):
                        yield named, node, function
                case ast.Name(id="Meta"):
                    # msgspec checks what it reads by `re.search`.
                    if rule := [each.value for each in node.keywords if each.arg == "pattern"]:
                        yield named, ast.Call(node.func, rule, [], lineno=node.lineno), "search"


def patterns() -> Iterator[Pattern]:
    for path, source in SOURCES.items():
        found = list(calls(ast.parse(source)))
        if found:
            module = importlib.import_module(module_of(path))
            yield from (pattern_of(module, source, *each) for each in found)


def pattern_of(module: Any, source: str, named: str, call: ast.Call, function: str) -> Pattern:
    name = f"{module.__name__}.{named or f'line {call.lineno}'}"
    written = ast.unparse(call.args[0])
    names = vars(module) | MADE.get(written, {})
    try:
        text = eval(written, names)
    except NameError as error:
        raise AssertionError(f"{name}: add {written} to MADE, with a value of {error}") from error
    place = {"compile": 1, "match": 2, "fullmatch": 2, "search": 2, "findall": 2, "finditer": 2}
    given = [each.value for each in call.keywords if each.arg == "flags"]
    given += call.args[place.get(function, 9) :][:1]
    flags = int(eval(ast.unparse(given[0]), names)) if given else 0
    if isinstance(text, re.Pattern):
        text, flags = text.pattern, text.flags
    uses = {function} if function != "compile" else uses_of(name, module.__name__, source, named)
    return Pattern(name, text, flags, frozenset(uses))


def uses_of(name: str, module: str, source: str, named: str) -> set[str]:
    if name in HANDED_ON:
        return {HANDED_ON[name]}
    imports = re.compile(rf"from {re.escape(module)} import (?:\([^)]*|[^\n(]*)\b{named}\b")
    readers = [source, *(each for each in SOURCES.values() if imports.search(each))]
    called = rf"\b{named}\.({'|'.join(USES)})\("
    found = {use for each in readers for use in re.findall(called, each)} if named else set()
    # One that is called by another name, as each of a row of patterns, is used in the worst way.
    return found or {"search"}


PATTERNS = list(patterns())


# --- texts that are hard for a pattern ------------------------------------------------------

LETTERS = "a0 _-\n\tZ.#*`<>&|(){}[]\"'\\/:;,=!?é\x00$%+~^@"
CLASSES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}
MANY = 100  # Repetitions from which on a text can be long.


def is_in(members: Sequence[tuple[Any, Any]], letter: str) -> bool:
    negated = found = False
    for code, value in members:
        if code is codes.NEGATE:
            negated = True
        elif code is codes.LITERAL:
            found |= ord(letter) == value
        elif code is codes.RANGE:
            found |= value[0] <= ord(letter) <= value[1]
        else:
            found |= re.match(CLASSES[value], letter) is not None
    return found != negated


def letters_of(code: Any, value: Any) -> list[str]:
    """Return letters that fit a single place of a pattern."""
    if code is codes.LITERAL:
        return [chr(value)]
    if code is codes.NOT_LITERAL:
        return [each for each in LETTERS if ord(each) != value]
    if code is codes.ANY:
        return [each for each in LETTERS if each != "\n"]
    if code is not codes.IN:
        return []
    own = [chr(each[1]) for each in value if each[0] is codes.LITERAL]
    own += [chr(each[1][0]) for each in value if each[0] is codes.RANGE]
    return [each for each in (*LETTERS, *own) if is_in(value, each)]


class Repetitions:
    """Walks along a pattern: `found` are its repetitions, each with what leads to it."""

    def __init__(self, pattern: Pattern) -> None:
        self.found: list[tuple[str, list[str]]] = []
        self.whole = self._fitting(parser.parse(pattern.text, pattern.flags), "")

    def _fitting(self, parts: Any, before: str) -> str:
        """Return a text that fits `parts`."""
        start = len(before)
        for code, value in parts:
            before += self._fitting_one(code, value, before)
        return before[start:]

    def _fitting_one(self, code: Any, value: Any, before: str) -> str:
        if letters := letters_of(code, value):
            return letters[0]
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            least, most, parts = value
            once = self._fitting(parts, before)
            if most >= MANY and once:
                alone = letters_of(*parts[0]) if len(parts) == 1 else []
                self.found.append((before, alone[:8] or [once]))
            return once * max(least, 1)
        if code is codes.BRANCH:
            return max((self._fitting(each, before) for each in value[1]), key=len)
        if code is codes.SUBPATTERN:
            return self._fitting(value[3], before)
        if code is codes.ATOMIC_GROUP:
            return self._fitting(value, before)
        if code in (codes.ASSERT, codes.ASSERT_NOT):
            self._fitting(value[1], before)
        return ""


def filled(text: str, length: int) -> str:
    return text * (length // len(text) + 1)


def hostile(pattern: Pattern, length: int) -> list[str]:
    """Return texts of about `length` characters, always in the same order."""
    walked = Repetitions(pattern)
    texts: dict[str, None] = {}
    for before, repeated in walked.found:
        for each in repeated:
            for end in ("\x00", "\n\x00"):
                texts[before + filled(each, length) + end] = None
            texts[filled(before + each, length)] = None
        if before:
            texts[filled(before, length)] = None
    if len(walked.whole) > 1:
        texts[filled(walked.whole[:-1], length)] = None
    return list(texts)


# --- trying them ------------------------------------------------------------------------


class _Late(Exception):
    pass


def _ring(*_: object) -> None:
    raise _Late


def seconds(pattern: Pattern, text: str, limit: float) -> float:
    """Return the time of the processor that a text takes, or `limit` if that is not enough."""
    compiled = re.compile(pattern.text, pattern.flags)
    given: Any = text.encode() if isinstance(pattern.text, bytes) else text
    former = signal.signal(signal.SIGVTALRM, _ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    began = time.process_time()
    try:
        for use in pattern.uses:
            if use in {"match", "fullmatch"}:
                getattr(compiled, use)(given)
            else:
                for _ in compiled.finditer(given):
                    pass
    except _Late:
        return limit
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)
    return time.process_time() - began


def slow(pattern: Pattern) -> str | None:
    """Return the beginning of a text that a pattern does not get through in time, if any."""
    length = BOUNDED.get(pattern.name, LONG)
    times: list[float] = []
    for text in hostile(pattern, min(SHORT, length)):
        times.append(seconds(pattern, text, SECONDS / 5))
        if times[-1] >= SECONDS / 5:
            return text[:60]
    worst = sorted(range(len(times)), key=times.__getitem__)[-2:]
    texts = hostile(pattern, length)
    late = (texts[n] for n in worst if seconds(pattern, texts[n], SECONDS) >= SECONDS)
    return next((text[:60] for text in late), None)


def test_every_pattern_is_found() -> None:
    assert len(PATTERNS) > 300
    aside = re.compile(r"\bfrom re import|\bimport re as|\bimport regex|\bRegexp\(")
    assert [str(path) for path, source in SOURCES.items() if aside.search(source)] == []
    names = {each.name for each in PATTERNS}
    assert names >= {*HANDED_ON, *BOUNDED}


@pytest.mark.parametrize("part", range(4))
def test_no_pattern_takes_longer_than_its_text_is_long(part: int) -> None:
    late = {each.name: found for each in PATTERNS[part::4] if (found := slow(each))}
    assert late == {}


@pytest.mark.parametrize(
    ("text", "use"),
    [
        (r"(a+)+b", "match"),
        (r"\s+$", "search"),
        (r"<a\b.*?</a>", "sub"),
        (r"(?:a|aa)+b", "fullmatch"),
        (r"#\s*=?\s*;", "match"),
        (r"\w*_\w+\s", "match"),
    ],
)
def test_the_judge_refuses_what_it_should(text: str, use: str) -> None:
    assert slow(Pattern("x", text, 0, frozenset({use})))
