"""Text as Markdown that shows exactly that text: what every reader of other formats needs.

Every pattern is linear in the length of its input: no quantifier meets another.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(
    r"""
      \\(?=[!-/:-@\[-`{-~\n]|$)         # a backslash that would escape something
    | [`*$]                             # a dollar may begin a formula
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])
    | <(?=[A-Za-z/!?])
    | &(?=\#?\w{1,32};)
    | \](?=[(\[:])                      # a link or a link definition
    | ~(?=~)
    """,
    re.VERBOSE,
)
_LINE_START = re.compile(
    r"(?P<indent>\s*+)(?P<mark>#{1,6}(?=\s|$)|>|[-+](?=\s|$)|[=-]++$|~~~|\d{1,9}(?=[.)](?:\s|$)))"
)
_BACKTICKS = re.compile("`++")


def escape(text: str) -> str:
    """Return `text` with a backslash before what Markdown would read as markup."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def escape_line_start(line: str) -> str:
    """Return `line` so that it begins no heading, list, quotation, fence or rule."""
    found = _LINE_START.match(line)
    if not found:
        return line
    indent, mark = found.group("indent", "mark")
    rest = line[found.end() :]
    return f"{indent}{mark}\\{rest}" if mark.isdigit() else f"{indent}\\{mark}{rest}"


def code_span(code: str) -> str:
    """Return code on one line between enough backticks."""
    runs = {len(run) for run in _BACKTICKS.findall(code)}
    marks = "`" * next(width for width in range(1, len(runs) + 2) if width not in runs)
    # A space on each side is taken away again, where it is not all that there is.
    padded = code.startswith("`") or code.endswith("`") or (code[:1] == " " == code[-1:])
    return f"{marks} {code} {marks}" if padded and code.strip(" ") else f"{marks}{code}{marks}"


def fenced(code: str, info: str = "") -> str:
    """Return code as a fenced block."""
    longest = max(map(len, _BACKTICKS.findall(code)), default=0)
    marks = "`" * max(3, longest + 1)
    if "`" in info:
        # Only tildes may open a fence whose language has a backtick.
        marks = "~" * max(3, max(map(len, re.findall("~++", code)), default=0) + 1)
    end = "" if not code or code.endswith("\n") else "\n"
    return f"{marks}{info}\n{code}{end}{marks}"


# White space as the renderer has it too: runs are one space, lines have no margin.
_LINE_ENDS = re.compile(r"(?<![ \t])[ \t]*+\n[ \t\n]*+")
# All white space in a line but a single space.
_SPACES = re.compile(r" [ \t]++|\t[ \t]*+")


def collapsed(text: str) -> str:
    """Return text with its white space as HTML shows it, but for line ends, which stay."""
    if "\n" in text:
        text = _LINE_ENDS.sub("\n", text)
    return _SPACES.sub(" ", text)
