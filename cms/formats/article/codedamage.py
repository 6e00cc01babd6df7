"""Damaged places in a block of code.

Only what cannot be meant is reported: code that is a fragment on purpose, or
in a language that is not known, stays unjudged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from cms.formats.article.markdown import Block
from cms.formats.incoming import Damage

_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'")
_LONG_STRING = re.compile(r"(\"\"\"|''')[\s\S]*?\1")
_COMMENT = re.compile(r"(?:(?<=\s)|^)#.*+")
_TYPOGRAPHIC = re.compile(r"[“”„«»‟‹›]|(?<!\w)[‘’‚]|[‘’‚](?!\w)")

_OPENER = re.compile(
    r"(?:(?:async\s+)?(?:def|for|with)|class|if|elif|else|while|try|except|finally|match|case)\b.*:$"
)
_DEF = re.compile(r"(?:async\s+)?def\s+(?P<name>\w+)")
_REGISTRY = re.compile(
    r"^(?:app|application|api|router|blueprint|bp|cli)\s*=\s*[\w.]+\(", re.MULTILINE
)
_DANGLING = re.compile(r"(?:[=+\-/%]|(?<!import )\*|\b(?:and|or|not|in|import))$")
_NO_ARGUMENT = re.compile(r"\(\s*,|,\s*,|(?<![=!<>:])=\s*[,)\]]|,\s*(?=\}\}|%\})")
_TWO_STATEMENTS = re.compile(r"[)\]]\s+(?:(?:return|def|class|import|raise|while)\b|@\w+\.\w+\()")
_NO_OPERAND = re.compile(
    r"(?:\$\s*)?(?:sudo\s+)?(?:pip3?\s+(?:install|uninstall)|git\s+clone|docker\s+(?:run|pull))$"
)
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][\w-]*+)(?P<rest>[^<>]*+)>")
# <a …>text<a>: elements that cannot stand inside one of their own kind.
_OPENED_TWICE = re.compile(
    r"<(?P<name>a|b|i|em|strong|button|label|title|h[1-6]|option|select|textarea)(?:\s[^<>]*+)?>[^<>]*+<(?P=name)>",
    re.IGNORECASE,
)
_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source"})
_END_OPTIONAL = frozenset(
    {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "option", "html", "head", "body"}
)
_MARKUP = ("html", "jinja", "xml")
_IN_MARKUP = re.compile(r"<[^<>]*+>|\{\{[^{}]*+\}\}|\{%[^%]*+%\}")
_NO_CODE = ("", "text", "txt", "plaintext", "output", "markdown", "md", "none")
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_LONGEST_LINE = 1000
_BALANCED = ("python", "javascript", "json", "js", "py")


def code_damages(block: Block) -> Iterator[Damage]:
    """Yield the damages of a code block; every passage is one or more of its lines, exactly."""
    if block.mended:
        message = "The end of this code was not marked, so that it may hold text: check it."
        yield Damage("truncated", message, next(filter(str.strip, block.lines), block.text))
    lines = [line if len(line) <= _LONGEST_LINE else "" for line in block.lines]
    if not lines:
        return
    quoted = list(_typographic_quotes(lines, block.language))
    yield from quoted
    if block.language in ("python", "py"):
        yield from _python(lines)
    if block.language in _BALANCED and not quoted:
        yield from _brackets(lines)
    if block.language in _MARKUP:
        yield from _html(lines)
    if block.language in ("bash", "sh", "shell", "console"):
        for line in lines:
            if _NO_OPERAND.fullmatch(line.strip()):
                message = "The command does not say on what: add it."
                yield Damage("hole", message, line)


def _typographic_quotes(lines: Sequence[str], language: str) -> Iterator[Damage]:
    if language in _NO_CODE:
        return
    for line in lines:
        # Text between tags, in strings and in comments may have them.
        code = " ".join(_IN_MARKUP.findall(line)) if language in _MARKUP else line
        if _TYPOGRAPHIC.search(_COMMENT.sub("", _STRING.sub('""', code))):
            message = "Typographic quotation marks stand in this code: replace them by \" or '."
            yield Damage("quotes", message, line)


def _python(lines: Sequence[str]) -> Iterator[Damage]:
    bare = _bare(lines)
    filled = [index for index, line in enumerate(bare) if line.strip()]
    indented = True
    for index, following in zip_longest(filled, filled[1:]):
        text = bare[index].strip()
        opens = bool(_OPENER.fullmatch(text))
        if following is None and opens:
            message = "Nothing follows this line: the code that belongs below it is missing."
            yield Damage("truncated", message, lines[index])
        elif following is None and _DANGLING.search(text):
            message = "The code breaks off here: complete it."
            yield Damage("truncated", message, lines[index])
        elif indented and opens and _indent(lines[following]) <= _indent(lines[index]):
            # One warning says it for the whole block.
            indented = False
            message = "The indentation of this code is lost: restore it."
            yield Damage("indentation", message, "\n".join(lines[index : following + 1]))
        if _NO_ARGUMENT.search(text):
            message = "An argument or a value is missing in this line: look it up and put it in."
            yield Damage("hole", message, lines[index])
        if _TWO_STATEMENTS.search(text):
            message = "Two lines of code stand in one: put each on a line of its own."
            yield Damage("fused", message, lines[index])
    yield from _fused_comments(lines)
    yield from _unregistered(lines)


def _fused_comments(lines: Sequence[str]) -> Iterator[Damage]:
    """Yield comments that end like a call whose beginning is gone."""
    for line in lines:
        comment = line.strip()
        if not comment.startswith("#") or not comment.endswith(")") or "=" not in comment:
            continue
        if comment.count(")") > comment.count("("):
            message = (
                "A comment and a line of code run into each other, and a part is missing: "
                "separate and complete them."
            )
            yield Damage("fused", message, line)


def _unregistered(lines: Sequence[str]) -> Iterator[Damage]:
    """Yield functions of an application that nothing decorates, calls or names."""
    code = "\n".join(lines)
    if not _REGISTRY.search(code):
        return
    before = ""
    for line in lines:
        function = _DEF.match(line)
        if function and not before.startswith("@") and not _named_elsewhere(code, function["name"]):
            message = "Nothing registers this function: a decorator above it seems to be missing."
            yield Damage("decorator", message, line)
        before = line.strip() or before


def _named_elsewhere(code: str, name: str) -> bool:
    return len(re.findall(rf"\b{re.escape(name)}\b", code)) > 1


def _brackets(lines: Sequence[str]) -> Iterator[Damage]:
    """Yield lines with a bracket that closes or opens nothing; the first of each."""
    opened: list[tuple[str, str]] = []
    for line, bare in zip(lines, _bare(lines), strict=True):
        for character in bare:
            if character in "([{":
                opened.append((character, line))
            elif character in _BRACKETS:
                if not opened or opened[-1][0] != _BRACKETS[character]:
                    message = (
                        f"“{character}” closes nothing that is open: a part of the code is missing."
                    )
                    yield Damage("truncated", message, line)
                    return
                opened.pop()
    if opened:
        character, line = opened[0]
        message = f"“{character}” is never closed: the rest of the code is missing."
        yield Damage("truncated", message, line)


def _html(lines: Sequence[str]) -> Iterator[Damage]:
    for line in lines:
        if _NO_ARGUMENT.search(line):
            message = "An argument is missing in this line: look it up and put it in."
            yield Damage("hole", message, line)
        if line.count("{{") != line.count("}}") or line.count("{%") != line.count("%}"):
            message = "A template expression is not closed: complete it."
            yield Damage("truncated", message, line)
        if _OPENED_TWICE.search(line):
            message = "An element is opened twice where its end was meant: write the end tag."
            yield Damage("tag", message, line)


def tag_damages(blocks: Sequence[Block]) -> Iterator[Damage]:
    """Yield the first element that is opened or ended alone in an answer's markup.

    The blocks count as one: text may stand between an element's tags. A block
    without any end tag may be a fragment on purpose.
    """
    opened: list[tuple[str, str, bool]] = []
    for block in blocks:
        if block.language not in _MARKUP:
            continue
        tags = [(tag, line) for line in block.lines for tag in _tags(line)]
        fragment = not any(tag["end"] for tag, _ in tags)
        for tag, line in tags:
            name = tag["name"].lower()
            if not tag["end"]:
                opened.append((name, line, fragment))
                continue
            while opened and opened[-1][0] != name and opened[-1][2]:
                opened.pop()
            if not opened or opened.pop()[0] != name:
                message = f"</{name}> ends no element that is open: complete the markup."
                yield Damage("tag", message, line)
                return
    for name, line, fragment in opened:
        if not fragment:
            message = f"<{name}> is never closed: complete the markup."
            yield Damage("tag", message, line)
            return


def _tags(line: str) -> Iterator[re.Match[str]]:
    """Yield the tags of the elements that need an end; none of a line that is reported already."""
    if len(line) > _LONGEST_LINE or _OPENED_TWICE.search(line):
        return
    for tag in _TAG.finditer(line):
        if tag["name"].lower() not in _VOID | _END_OPTIONAL and not tag["rest"].endswith("/"):
            yield tag


def _bare(lines: Sequence[str]) -> list[str]:
    """Return the lines without what stands in strings and comments."""
    code = _LONG_STRING.sub(lambda found: '""' + "\n" * found.group().count("\n"), "\n".join(lines))
    return [_COMMENT.sub("", _STRING.sub('""', line)).rstrip() for line in code.split("\n")]


def _indent(line: str) -> int:
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())
