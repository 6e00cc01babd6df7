"""Markdown as one side of a card: without what would end or split the card.

What the plugin 'Spaced Repetition' looks for is in its src/parser.ts (1.15.4): a blank
line, lines `?` and `??`, `::` outside of backticks, a comment at the margin, fences
at the margin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cms.markup import dialect
from cms.text import normalize_line

_SPECIAL = re.compile(r"([\\*_<\[\]~])")
_BLOCK = re.compile(r"(?:[#>+-]|\d{1,9}(?=[.)]))")
_TAG = re.compile(r"<(?!https?:|mailto:)(?=[A-Za-z/!?])")
_HEADING = re.compile(r"#{1,6}(?:\s|\Z)")
# Between the two colons of a separator where backticks cannot be put.
_ZERO_WIDTH = "\u200b"

_parser = dialect()


def escaped_line(line: str) -> str:
    """Return a stem, plain text in which backticks mark code, as a line of Markdown."""
    line = normalize_line(line)
    if not _trimmed(line):
        return line.replace("\ufeff", "&#xFEFF;")
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return _without_separators(_SPECIAL.sub(r"\\\1", "\\`".join(parts)))
    # Every second part stands between backticks.
    parts[::2] = [_SPECIAL.sub(r"\\\1", part) for part in parts[::2]]
    text = "`".join(parts)
    text = f"\\{text}" if _BLOCK.match(text) and not text[0].isdecimal() else text
    text = re.sub(r"\A(\d{1,9})([.)])", r"\1\\\2", text)
    return _without_fence(_without_separators(text))


def card_text(markdown: str) -> str:
    """Return Markdown as lines of a card: no line is blank but in a fence at the margin."""
    lines = markdown.split("\n")
    found: list[str] = []
    blank = False
    for line, is_code in _lines(lines, markdown):
        if is_code:
            found.append(line)
            blank = False
        elif not _trimmed(line):
            blank = bool(found)
        else:
            after_fence = bool(found) and found[-1].startswith(("```", "~~~"))
            if blank and not after_fence and not _HEADING.match(line):
                indent = len(line) - len(line.lstrip(" "))
                found.append(" " * max(1, indent) + "<!-- -->")
            found.append(_safe(line))
            blank = False
    return "\n".join(found)


def _lines(lines: list[str], markdown: str) -> Iterator[tuple[str, bool]]:
    """Yield lines, and whether they are of a fence at the margin; fences that need it are moved."""
    at = 0
    for token in _parser.parse(markdown):
        if token.type not in {"fence", "code_block"} or token.map is None:
            continue
        start, stop = token.map
        if start < at:
            continue
        yield from ((line, False) for line in lines[at:start])
        content = token.content.rstrip("\n").split("\n")
        shown = lines[start:stop]
        at_margin = token.type == "fence" and shown[0].startswith(token.markup)
        sound = at_margin and shown[-1].strip() == token.markup and len(shown) > 1
        sound = sound and not any(line.startswith(token.markup) for line in content)
        if sound and "::" not in token.info:
            yield from ((line, True) for line in shown)
        elif (
            at_margin
            or "::" in token.info
            or any(not line.strip() or "::" in line for line in content)
        ):
            # Fenced anew at the margin, by more backticks than stand in it.
            runs = re.findall("`+", token.content)
            fence = "`" * max(3, 1 + max(map(len, runs), default=0))
            yield f"{fence}{re.sub('::+', ':', token.info.strip())}", True
            yield from ((line, True) for line in content)
            yield fence, True
        else:
            yield from ((line, False) for line in shown)
        at = stop
    yield from ((line, False) for line in lines[at:])


def _trimmed(line: str) -> str:
    """Return a line without what the plugin trims: for JavaScript U+FEFF is a space, too."""
    return line.replace("\ufeff", "").strip()


def _safe(line: str) -> str:
    if _trimmed(line) in {"?", "??"}:
        return line.replace("?", "\\?", 1)
    parts = line.split("`")
    # Our pages show HTML as the text that it is; a vault would run it.
    parts[::2] = [_TAG.sub(r"\\<", part) for part in parts[::2]]
    return _without_fence(_without_separators("`".join(parts)))


def _without_fence(line: str) -> str:
    """Return a line of prose off the margin if the plugin would take it for that of a fence."""
    return f" {line}" if line.startswith(("```", "~~~")) else line


def _without_separators(line: str) -> str:
    """Return a line in which the plugin finds no `::`: in backticks, or parted where those fail."""
    if not _has_separator(line):
        return line
    parts = line.split("`")
    parts[::2] = [re.sub("::+", lambda match: f"`{match[0]}`", part) for part in parts[::2]]
    marked = "`".join(parts)
    if len(parts) % 2 and not _has_separator(marked):
        return marked
    return line.replace("::", f":{_ZERO_WIDTH}:").replace("::", f":{_ZERO_WIDTH}:")


def _has_separator(line: str) -> bool:
    """Whether the plugin takes the first `::` of a line for the separator of a card."""
    for separator in (":::", "::"):
        at = line.find(separator)
        if at >= 0:
            before, after = line[:at], line[at + len(separator) :]
            if not (before.count("`") % 2 and after.count("`") % 2):
                return True
    return False
