"""The section of a question's file that lists its options, as a list of tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cms.formats.item import OptionItem
from cms.formats.strict_json import JSONFault

HEADING = "## Options"

_TASK = re.compile(r"[-*+] \[(?P<mark>[ xX])\](?: (?P<text>.*))?")
# A line of an option that says what whoever chose it reads.
_FEEDBACK = re.compile(r" {0,3}> ?(?P<text>.*)")
_FEEDBACK_OR_ESCAPED = re.compile(r"^(?P<indent> {0,3})(?P<rest>\\*>)")
_ESCAPED_FEEDBACK = re.compile(r"^(?P<indent> {0,3})\\(?P<rest>\\*>)")
_INDENT = "  "

_NO_TASK = (
    "An option begins with '- [ ] ', a right one with '- [x] '. "
    "Indent what belongs to the option above by two spaces."
)
_AFTER_FEEDBACK = "Feedback stands last in an option. Put this text above the lines with '>'."


def options_text(options: Iterable[OptionItem]) -> str:
    """Return options as a list of tasks, the right ones ticked, feedback quoted below each."""
    lines: list[str] = []
    for option in options:
        first, *others = option.text.split("\n")
        lines.append(f"- [{'x' if option.correct else ' '}] {first}")
        escaped = (_FEEDBACK_OR_ESCAPED.sub(r"\g<indent>\\\g<rest>", line) for line in others)
        lines += (line and _INDENT + line for line in escaped)
        if option.feedback:
            quoted = (f"> {line}" if line else ">" for line in option.feedback.split("\n"))
            lines += (_INDENT + line for line in quoted)
    return "\n".join(lines)


def read_options(section: str, first_line: int) -> list[OptionItem]:
    """Return the options of a section; `first_line` is the number of its first line in the file.

    :raises JSONFault: with the line that is no part of an option as its place
    """
    found: list[tuple[bool, list[str], list[str]]] = []
    for number, line in enumerate(section.split("\n"), start=first_line):
        if task := _TASK.fullmatch(line):
            found.append((task["mark"] != " ", [task["text"] or ""], []))
            continue
        blank = not line.strip()
        if not found or not (blank or line.startswith(_INDENT)):
            if blank:
                continue
            raise JSONFault(_NO_TASK, f"line {number}")
        _, text, feedback = found[-1]
        line = line.removeprefix(_INDENT) if line.startswith(_INDENT) else ""
        if quoted := _FEEDBACK.fullmatch(line):
            feedback.append(quoted["text"])
        elif not feedback:
            text.append(_ESCAPED_FEEDBACK.sub(r"\g<indent>\g<rest>", line))
        elif blank:
            feedback.append("")
        else:
            raise JSONFault(_AFTER_FEEDBACK, f"line {number}")
    return [
        OptionItem(text="\n".join(text), correct=correct, feedback="\n".join(feedback))
        for correct, text, feedback in found
    ]
