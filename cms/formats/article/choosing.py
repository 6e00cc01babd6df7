"""Which of the lines that may be headings are the article's questions.

A line that says 'Q' or 'Question' is one. A numbered line may as well be a step
inside an answer, so it has to fit what the rest of the document does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cms.formats.article.headings import LABEL, Heading, Style, asks, find_candidates
from cms.formats.article.page import Line, Page
from cms.text import match_key

SIMILAR_READS = re.compile(
    r"(?:similar|related|recommended) (?:reads?|articles?|posts?|reading|tutorials?|topics?)"
    r"|(?:more|other) (?:reads|articles|posts|reading|tutorials)|recommended for you"
    r"|you (?:may|might) (?:also|like).*|people also (?:read|ask)|(?:what to )?read next"
    r"|more (?:from|articles) .*",
    re.IGNORECASE,
)
_LONGEST_CAPTION = 80


def find_headings(page: Page) -> list[Heading]:
    """Return the questions of an article, in order; an empty list if it has none."""
    candidates = find_candidates(page)
    chosen: list[Heading] = []
    for style in Style:
        own = [heading for heading in candidates if heading.style is style]
        if style is Style.numbered:
            own = _fitting_numbers(own, page.lines)
        if len(own) > len(chosen) and (not chosen or (len(chosen) == 1 and len(own) >= 2)):
            chosen = own
    if not chosen:
        return []
    return _without_contents(_with_strays(chosen, candidates, page.lines), page.lines)


def _fitting_numbers(numbered: Sequence[Heading], lines: Sequence[Line]) -> list[Heading]:
    """Return the numbered lines that are questions, not steps or a list inside an answer."""
    in_list = _in_lists(numbered, lines)
    asking = [h for h in numbered if h.start not in in_list and asks(h.title)]
    marked = sum(h.marked for h in asking) * 2 > len(asking)
    result: list[Heading] = []
    steps: set[int | None] = set()
    for heading in numbered:
        if heading.start in in_list or (marked and not heading.marked):
            continue
        number = heading.number or 0
        last = (result[-1].number if result else 0) or 0
        goes_on = bool(asking) and number == last + 1 and number - 1 not in steps
        if asks(heading.title) or (
            goes_on
            and _stands_alone(lines, heading)
            and (heading.marked or not heading.title.endswith((".", ";", ",", ":")))
        ):
            result.append(heading)
            steps.clear()
        else:
            steps.add(number)
    return result


def _in_lists(numbered: Sequence[Heading], lines: Sequence[Line]) -> set[int]:
    """Return the starts of numbered lines that follow each other with nothing between.

    Such a run is a list if it starts again at 1 after another number, or if
    not all of it asks.
    """
    runs: list[list[Heading]] = []
    tight = False
    for heading in numbered:
        before = runs[-1][-1] if runs else None
        if before is None or not _follows(heading, before, lines):
            runs.append([heading])
            continue
        gap = heading.start > before.stop
        length = len(runs[-1])
        # A question may by chance have the number after the last item of a list above it.
        if gap and ((tight and length > 1) or asks(heading.title) != asks(before.title)):
            runs.append([heading])
        else:
            tight = not gap and (tight or length == 1)
            runs[-1].append(heading)
    result: set[int] = set()
    seen_any = False
    for run in runs:
        restarts = seen_any and run[0].number == 1
        if len(run) > 1 and (restarts or not all(asks(heading.title) for heading in run)):
            result.update(heading.start for heading in run)
        else:
            seen_any = True
    return result


def _follows(heading: Heading, before: Heading, lines: Sequence[Line]) -> bool:
    """Whether a heading has the next number, and nothing but blank lines stand between."""
    return (
        before.number is not None
        and heading.number == before.number + 1
        and not before.answer
        and not any(line.text.strip() for line in lines[before.stop : heading.start])
    )


def _stands_alone(lines: Sequence[Line], heading: Heading) -> bool:
    """Whether a heading has a blank line before it, and one or a label after it."""
    before = lines[heading.start - 1].text if heading.start else ""
    after = lines[heading.stop].text if heading.stop < len(lines) else ""
    return not before.strip() and (not after.strip() or bool(LABEL.match(after)))


def _with_strays(
    chosen: Sequence[Heading], candidates: Sequence[Heading], lines: Sequence[Line]
) -> list[Heading]:
    """Add questions of another style that fit between the chosen ones.

    Wanted is the number that comes next, or a question right above a label
    'Answer:' in an answer that has its own text already. After the teasers
    of other articles only such a number counts.
    """
    starts = {heading.start for heading in chosen}
    in_list = _in_lists([h for h in candidates if h.style is Style.numbered], lines)
    teasers = _first_teasers(lines, chosen[0].start)
    result: list[Heading] = []
    for heading in candidates:
        last = result[-1] if result else None
        goes_on = heading.number is not None and heading.number == ((last and last.number) or 0) + 1
        if heading.start in starts:
            fits = heading.start < teasers or heading.style is Style.named or goes_on
        elif heading.style is Style.numbered:
            fits = (
                goes_on
                and last is not None
                and heading.start not in in_list
                and asks(heading.title)
                and _stands_alone(lines, heading)
            )
        else:
            fits = (
                heading.style is Style.labelled
                and last is not None
                and heading.start < teasers
                and any(line.text.strip() for line in lines[last.stop : heading.start])
            )
        if fits:
            result.append(heading)
    return result


def _first_teasers(lines: Sequence[Line], after: int) -> int:
    for index in range(after, len(lines)):
        text = lines[index].text.strip(" #*_:")
        if len(text) < _LONGEST_CAPTION and SIMILAR_READS.fullmatch(text):
            return index
    return len(lines)


def _without_contents(chosen: Sequence[Heading], lines: Sequence[Line]) -> list[Heading]:
    """Leave out a table of contents: titles without an answer that come again with one."""
    following = [*(heading.start for heading in chosen[1:]), len(lines)]
    answered = [
        bool(heading.answer) or any(line.text.strip() for line in lines[heading.stop : end])
        for heading, end in zip(chosen, following, strict=True)
    ]
    last_answered = {
        match_key(heading.title): index
        for index, (heading, has_answer) in enumerate(zip(chosen, answered, strict=True))
        if has_answer
    }
    return [
        heading
        for index, heading in enumerate(chosen)
        if answered[index] or last_answered.get(match_key(heading.title), -1) < index
    ]
