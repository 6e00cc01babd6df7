"""Lines that may be a question's heading, with the title taken out of them.

Articles number their questions in any mixture ('Q 1. …', 'Q33.…', 'Question 5:
…', '1) …', '### 3. …', '**Q7 - …**'), or not at all ('Q: …', '### What is …?').
`choosing` decides which of the candidates are questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cms.formats.article.inline import plain
from cms.formats.article.markdown import FENCE
from cms.formats.article.page import Line, Page


class Style(StrEnum):
    """How a heading says that it is a question; the first of these that a document uses rules."""

    named = "named"  # Q 1. …, Question 5: …, Q: …
    numbered = "numbered"  # 1) …, 12. …, ### 3. …
    heading = "heading"  # ### What is …?
    bold = "bold"  # **What is …?**
    labelled = "labelled"  # What is …? and 'Answer:' on the next line


@dataclass(frozen=True, slots=True)
class Heading:
    """A question's heading: lines `start` to `stop` (exclusive) of the page.

    `answer` is what follows the title on its last line, as plain text. `marked`
    tells whether the title is a Markdown heading or bold.
    """

    start: int
    stop: int
    style: Style
    number: int | None
    title: str
    answer: str = ""
    marked: bool = False


LABEL = re.compile(
    r"\s*+(?:>\s*+)?(?:#{1,6}\s++)?[*_]{0,3}"
    r"(?:(?:(?:[Aa]nswer|ANSWER|[Aa]ns|ANS)\s*+\d{0,4}|A\s*+\d{1,4})\s*+[*_]{0,3}\s*+(?:[:.)\]–—-]++|$)"
    r"|A\s*+[*_]{0,3}\s*+:)[*_]{0,3}\s*+"
)
_LONGEST_HEADING = 4000
_LONGEST_TITLE = 300
_WRAPPED_LINES = 3

_PREFIX = re.compile(
    r"\s*+(?:>\s*+)?(?P<marks>#{0,6})\s*+(?P<item>[-*+•]\s++)?(?P<bold>(?:\*\*|__)?)\s*+"
)
_NAMED = re.compile(
    r"(?:question|quest|ques|que|q)(?![a-z])\s*+\.?\s*+(?:no\.?\s*+|\#\s*+)?"
    r"(?P<number>\d{1,4})(?!\d)(?:\s*+(?:of|/)\s*+\d{1,4})?\s*+(?P<mark>[.:)\]–—-]*+)\s*+(?P<title>.*)",
    re.IGNORECASE,
)
_UNNUMBERED = re.compile(
    r"(?:question|ques|q)(?![a-z])\s*+(?:\*\*)?(?:[.:)]++|\s[–—-](?=\s))\s*+(?P<title>.*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"[(\[]?(?P<number>\d{1,4})(?:\s?[.):\]]++|\s++[–—-](?=\s))\s*+(?!\d)(?P<title>\S.*)"
)
_MARKED_TITLE = re.compile(r"[(\[]?\d{1,4}[.):\]]*\s*(?:#{1,6}\s|\*\*|__)")
_INNER_HASHES = re.compile(r"#{1,6}\s++")
_CLOSING_HASHES = re.compile(r"(?:\s#++|(?<!\s)\s*+¶)\s*+$")
_INTERROGATIVE = re.compile(
    r"(?:what|why|how|when|where|which|who|whom|whose|is|are|was|were|do|does|did|can|could|should"
    r"|would|will|has|have|in what|in which|for what|to what|on what|at what)\b",
    re.IGNORECASE,
)
_IMPERATIVE = re.compile(
    r"(?:explain|describe|define|list|name|mention|differentiate|distinguish|compare|contrast|discuss"
    r"|give|state|tell|illustrate|elaborate|enumerate|outline|write|show|summarize|difference)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[?.!])\s+(?=[A-Z“\"'`*])")
_LABEL_ON_LINE = re.compile(
    r"(?<=[?.!*])\s+[*_]{0,3}(?:Answer|Ans|A)\b[*_]{0,3}\s?[:.–—-][*_]{0,3}\s"
)
_FEW_WORDS = 4
_SHORT_REQUEST = 8


def asks(title: str) -> bool:
    """Whether a title ends as a question."""
    return title.rstrip(" *_\"'”’)`").endswith("?")


def find_candidates(page: Page) -> list[Heading]:
    """Return every line that may be a question's heading, in order."""
    fenced = _fenced(page.lines)
    result: list[Heading] = []
    stop = 0
    for index, line in enumerate(page.lines):
        if index < stop or not line.text.strip() or len(line.text) > _LONGEST_HEADING:
            continue
        heading = _candidate(page, index)
        # A fence that was never closed would swallow the questions after it.
        if heading and (not fenced[index] or heading.style is Style.named):
            result.append(heading)
            stop = heading.stop
    return result


def _candidate(page: Page, index: int) -> Heading | None:
    text = page.lines[index].text
    prefix = _prefix(text)
    level, bold = len(prefix["marks"]), prefix["bold"]
    raw = text[prefix.end() :].rstrip()
    # '**Q 1.** What is …?', '**Q 1. What is …?**' or '**Q 1. What is …?** It is …'.
    head, _, tail = raw.partition(bold) if bold else (raw, "", "")
    numbering = _NAMED.match(head) or _UNNUMBERED.match(head) or _NUMBERED.match(head)
    if not (numbering and numbering["title"].strip()) and not asks(head):
        head, tail = head + tail, ""
    if level:
        head = _CLOSING_HASHES.sub("", head)
    rest = _shown(page, head)
    number: int | None = None
    marked = bool(level or bold)
    if found := _NAMED.match(rest):
        style, number = Style.named, int(found["number"])
        if not found["mark"] and not _is_question(found["title"]):
            return None
    elif found := _UNNUMBERED.match(rest):
        style = Style.named
    elif found := _NUMBERED.match(rest):
        style, number = Style.numbered, int(found["number"])
        marked = marked or bool(_MARKED_TITLE.match(head))
    elif asks(rest) and (level or bold):
        style = Style.heading if level else Style.bold
    elif asks(rest) and _label_follows(page.lines, index) and not prefix["item"]:
        style = Style.labelled
    else:
        return None
    title = _INNER_HASHES.sub("", found["title"] if found else rest, count=1)
    title, answer, stop = _whole_title(page, index, title)
    if not title or len(title) > _LONGEST_TITLE:
        return None
    answer = answer or _shown(page, tail.strip())
    return Heading(index, stop, style, number, title, answer, marked)


def _prefix(text: str) -> re.Match[str]:
    found = _PREFIX.match(text)
    assert found is not None  # Every part of the pattern is optional.
    return found


def _shown(page: Page, text: str) -> str:
    """Return what a piece of a line says; backticks stay, they mark code in stems too."""
    text = text.removesuffix("\\").rstrip()
    return plain(text, keep_backticks=True) if page.markup else text


def _is_question(title: str) -> bool:
    return asks(title) or bool(_INTERROGATIVE.match(title) or _IMPERATIVE.match(title))


def _label_follows(lines: Sequence[Line], index: int) -> bool:
    for line in lines[index + 1 : index + 4]:
        if line.text.strip():
            return bool(LABEL.match(line.text))
    return False


def _whole_title(page: Page, index: int, title: str) -> tuple[str, str, int]:
    """Return (title, answer on the same line, end): a title may go on on the next lines."""
    lines, stop = page.lines, index + 1
    if not title.strip():
        while stop < len(lines) and stop <= index + 2 and not lines[stop].text.strip():
            stop += 1
        if stop == len(lines) or _NAMED.match(lines[stop].text):
            return "", "", index + 1
        title, stop = _shown(page, lines[stop].text.strip()), stop + 1
    title, answer = _split_answer(title)
    if not answer and not title.endswith(("?", ".", "!", ":")):
        title, stop = _joined(page, title, stop)
    return " ".join(title.split()), answer, stop


def _joined(page: Page, title: str, stop: int) -> tuple[str, int]:
    """Add the lines that a wrapped title goes on in: up to the one with its question mark."""
    joined = title
    for later in range(stop, min(stop + _WRAPPED_LINES, len(page.lines))):
        line = page.lines[later].text
        text = _shown(page, line.strip())
        prefix = _prefix(line)
        if not text or prefix["marks"] or prefix["item"] or LABEL.match(text):
            break
        if _NAMED.match(text) or _NUMBERED.match(text):
            break
        if not (text[0].islower() or _INTERROGATIVE.match(title)):
            break
        joined += " " + text
        if asks(text):
            return joined, later + 1
    return title, stop


def _split_answer(text: str) -> tuple[str, str]:
    """Split 'What is X? X is a thing.' where the sentences stop asking."""
    label = _LABEL_ON_LINE.search(text)
    if label:
        return text[: label.start()], text[label.end() :]
    ends = [found.span() for found in _SENTENCE_END.finditer(text)]
    starts = [0, *(end for _, end in ends)]
    stops = [*(start for start, _ in ends), len(text)]
    sentences = [text[start:stop] for start, stop in zip(starts, stops, strict=True)]
    if not asks(sentences[0]):
        return text, ""
    for index, sentence in enumerate(sentences):
        short = len(sentence.split()) <= _SHORT_REQUEST and bool(_IMPERATIVE.match(sentence))
        rest = text[starts[index] :]
        if not asks(sentence) and not short and len(rest.split()) >= _FEW_WORDS:
            return text[: stops[index - 1]], rest
    return text, ""


def _fenced(lines: Sequence[Line]) -> list[bool]:
    """Return for every line whether it stands in a fenced block of code."""
    result, marks = [], ""
    for line in lines:
        fence = FENCE.match(line.text)
        result.append(bool(marks or fence))
        if fence and not marks:
            marks = fence["marks"]
        elif fence and fence["marks"].startswith(marks) and not fence["info"].strip():
            marks = ""
    return result
