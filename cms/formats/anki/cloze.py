"""Cloze texts: `{{c1::what is hidden::a hint}}`, as one question and one answer."""

from __future__ import annotations

import re

_CLOZE = re.compile(r"\{\{c\d{1,4}::|::|\}\}")


def cloze_sides(html: str) -> tuple[str, str]:
    """Return a text with its deletions as '[…]', or as their hint, and with all of it shown.

    Deletions may stand in deletions: then the outermost hides what is inside.
    """
    front: list[str] = []
    back: list[str] = []
    open_hints: list[str | None] = []
    position = 0
    for found in [*_CLOZE.finditer(html), None]:
        text = html[position : found.start() if found else len(html)]
        _put(text, front, back, open_hints)
        if found is None:
            break
        position = found.end()
        mark = found.group()
        if mark.startswith("{{"):
            open_hints.append(None)
            back.append("<b>" if len(open_hints) == 1 else "")
        elif mark == "}}" and open_hints:
            hint = open_hints.pop()
            if not open_hints:
                front.append(f"[{hint or '…'}]")
                back.append("</b>")
        elif mark == "::" and open_hints and open_hints[-1] is None:
            open_hints[-1] = ""
        else:
            _put(mark, front, back, open_hints)
    return "".join(front), "".join(back)


def _put(text: str, front: list[str], back: list[str], open_hints: list[str | None]) -> None:
    if open_hints and open_hints[-1] is not None:
        open_hints[-1] += text
        return
    back.append(text)
    if not open_hints:
        front.append(text)
