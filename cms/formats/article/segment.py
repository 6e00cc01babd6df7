"""An article's questions with their answers, and everything else kept out and noted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import dedent

from cms.formats.article.choosing import SIMILAR_READS, find_headings
from cms.formats.article.headings import LABEL, Heading
from cms.formats.article.inline import inline, plain
from cms.formats.article.markdown import FENCE
from cms.formats.article.page import Omissions, Page, dated


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the article has it: its number if it states one, its answer's lines."""

    title: str
    number: int | None
    place: int
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Article:
    """What a page holds; `notes` tell what was left out of the questions."""

    title: str
    date: str
    url: str
    markup: bool
    questions: list[Question]
    notes: list[str]


_NAVIGATION = re.compile(
    r"open in app|suggest (?:changes|an edit)|report issue|skip to (?:main )?content"
    r"|table of contents?"
    r"|(?:like|save|share|improve|report|next|previous|bookmark) (?:this )?(?:article|post|page)"
    r"|advertisement|sign (?:in|up)|log ?in|register|subscribe(?: now)?|follow us.*|edit this page"
    r"|\d{1,3}\+? min(?:ute)?s? read|\d[\d.,]*k? (?:views|likes|comments|shares)"
    r"|(?:⬆|↑|▲)?\s*back to top\s*(?:⬆|↑|▲)?",
    re.IGNORECASE,
)
_PAGE_FOOT = re.compile(
    r"(?:\d+ )?comments?|leave a (?:comment|reply)|about the author"
    r"|(?:article|practice) tags\s*:.*",
    re.IGNORECASE,
)
# Alone these may be words of an answer; beside other navigation they are navigation.
_SHORT_NAVIGATION = re.compile(
    r"like|save|share|report|comments?|improve|next|previous|prev|follow|discuss|courses|home|menu"
    r"|search|print|bookmark|courses|tutorials|practice|more info|explore",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"(?=.{0,120}$)(?:.*\binterview questions\b|.*\bquestions (?:(?:and|&) answers|for \w+)\b"
    r"|(?:basic|beginner|intermediate|advanced|expert|general|practical|scenario)\b.*\bquestions).*",
    re.IGNORECASE,
)
_RULE = re.compile(r"-{3,}|\*{3,}|_{3,}|={3,}")
_CONCLUSION_HEADING = re.compile(
    r"conclusions?|final (?:thoughts|words)|wrapping up|wrap[- ]up|closing thoughts|summary",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"(?:overall|in conclusion|to conclude|in summary|to sum up|summing up|to summari[sz]e|in short"
    r"|in closing|to wrap (?:it |things )?up|wrapping up|finally|(?:we |i )?hope"
    r"|that['’]s (?:all|it)|these (?:were|are)|with these"
    r"|by (?:reviewing|preparing|practi[cs]ing|studying)"
    r"|this (?:article|post|guide|list|tutorial) (?:has )?(?:covered|listed|discussed|was|gave)"
    r"|good luck|all the best|best of luck|happy (?:learning|coding|reading))\b",
    re.IGNORECASE,
)
_ABOUT_ITSELF = re.compile(
    r"\binterview(?:s|er|ers)?\b|\b(?:this|the|our) (?:article|post|guide|tutorial|blog|list)\b"
    r"|\bthese (?:\d+ )?(?:\w+ )?questions\b|\bquestions and answers\b"
    r"|\bgood luck\b|\bbest of luck\b|\ball the best\b|\bhappy (?:learning|coding|reading)\b",
    re.IGNORECASE,
)
_URL_LINE = re.compile(r"(?:url|source|link|from)\s*:\s*(?P<url>https?://\S+)", re.IGNORECASE)
_LONGEST_TITLE_WORDS = 20
_LONGEST_PARAGRAPH = 4000


def read_article(page: Page) -> Article:
    """Return the questions of a page; none if it has no question's heading."""
    headings = find_headings(page)
    if not headings:
        return Article(page.title, page.date, page.url, page.markup, [], page.notes)
    reader = _Reader(page, headings)
    return reader.article()


class _Reader:
    """Goes through the page once, from its preamble to its last answer."""

    def __init__(self, page: Page, headings: Sequence[Heading]) -> None:
        self.page = page
        self.headings = headings
        self.omitted = Omissions(page.lines)
        self.labels = 0
        self.title, self.date, self.url = page.title, page.date, page.url

    def article(self) -> Article:
        self._preamble(self.headings[0].start)
        ends = [*(heading.start for heading in self.headings[1:]), len(self.page.lines)]
        questions = [
            self._question(heading, end) for heading, end in zip(self.headings, ends, strict=True)
        ]
        notes = [*self.page.notes, *self.omitted.notes()]
        if self.labels:
            answers = "1 answer" if self.labels == 1 else f"{self.labels} answers"
            notes.append(f"The label before the answer was removed in {answers}.")
        if remark := self._announced(len(questions)):
            notes.append(remark)
        return Article(self.title, self.date, self.url, self.page.markup, questions, notes)

    def _preamble(self, end: int) -> None:
        """Take title, date and address from what stands before the first question."""
        for index in range(end):
            text = self._text(index)
            if not text:
                continue
            address = _URL_LINE.fullmatch(text)
            if date := dated(text):
                self.date = self.date or date
                self.omitted.add([index], "the date, kept as provenance")
            elif address:
                self.url = self.url or address["url"]
                self.omitted.add([index], "the address, kept as provenance")
            elif self._is_navigation(index):
                self.omitted.add([index], "navigation")
            elif text == self.title or (not self.title and _is_title(text)):
                self.title = plain(text) if self.page.markup else text
                self.omitted.add([index], "the article's title, kept as provenance")
            else:
                self.omitted.add([index], "before the first question")

    def _question(self, heading: Heading, end: int) -> Question:
        end = self._without_tail(heading, end)
        end = self._without_conclusion(heading, end)
        end = self._without_caption(heading, end)
        fenced = False
        kept: list[str] = []
        for index in range(heading.stop, end):
            line = self.page.lines[index].text
            fenced ^= bool(FENCE.match(line))
            if not fenced and line.strip():
                if self._is_navigation(index):
                    self.omitted.add([index], "navigation")
                    continue
                if date := dated(self._text(index)):
                    self.date = self.date or date
                    self.omitted.add([index], "a date of the page")
                    continue
            kept.append(line)
        if self.page.markup:
            # The answer of a question in a list is indented as a whole.
            kept = dedent("\n".join(kept)).split("\n")
        if heading.answer:
            # The heading's line was taken as plain text.
            kept.insert(
                0, inline(heading.answer, markup=False) if self.page.markup else heading.answer
            )
        number = self.page.lines[heading.start].number
        return Question(heading.title, heading.number, number, self._without_label(kept))

    def _without_label(self, lines: list[str]) -> list[str]:
        """Return the lines without 'Answer:' before the first of them."""
        for index, line in enumerate(lines):
            if line.strip():
                found = LABEL.match(line)
                if found:
                    self.labels += 1
                    rest = line[found.end() :]
                    if found.group().count("**") % 2:
                        rest = f"**{rest}"  # The label opened what the text closes.
                    return [*lines[:index], rest, *lines[index + 1 :]]
                break
        return lines

    # --- what does not belong to an answer -----------------------------------

    def _without_tail(self, heading: Heading, end: int) -> int:
        """Return where an answer ends that is followed by links to other articles."""
        start, last = heading.stop, heading is self.headings[-1]
        for index in range(start, end):
            text = self._text(index)
            if not text or len(text) > 80 or not self._stands_apart(index, start):
                continue
            text = text.rstrip(" :")
            if SIMILAR_READS.fullmatch(text) or (last and _PAGE_FOOT.fullmatch(text)):
                self.omitted.add(range(index, end), "other articles and the page's foot")
                return index
        return end

    def _without_conclusion(self, heading: Heading, end: int) -> int:
        """Return where an answer ends that is followed by the article's conclusion."""
        reason = "the article's conclusion"
        last = heading is self.headings[-1]
        paragraphs = list(self._paragraphs(heading.stop, end))
        for position, (start, _) in enumerate(paragraphs):
            text = self._text(start).rstrip(" :")
            if _CONCLUSION_HEADING.fullmatch(text):
                rest = " ".join(self._text(index) for index in range(start, end))
                certain = last and text.lower() != "summary" and position > 0
                if certain or _ABOUT_ITSELF.search(rest[:_LONGEST_PARAGRAPH]):
                    self.omitted.add(range(start, end), reason)
                    return start
        while paragraphs:
            start, stop = paragraphs.pop()
            text = " ".join(self._text(index) for index in range(start, stop))
            if len(text) > _LONGEST_PARAGRAPH or not (paragraphs or heading.answer):
                break
            if not (_CONCLUDES.match(text) and _ABOUT_ITSELF.search(text)):
                break
            self.omitted.add(range(start, stop), reason)
            end = start
        return end

    def _without_caption(self, heading: Heading, end: int) -> int:
        """Return where an answer ends that is followed by the caption of the next questions."""
        paragraphs = list(self._paragraphs(heading.stop, end))
        while paragraphs:
            start, stop = paragraphs.pop()
            line = self.page.lines[start].text.strip()
            # A heading with nothing below it belongs to what comes next.
            heads = self.page.markup and line.startswith("#")
            if stop - start > 1 or not (heads or _RULE.fullmatch(line) or _is_caption(line)):
                break
            self.omitted.add([start], "a caption or rule between questions")
            end = start
        return end

    def _is_navigation(self, index: int) -> bool:
        text = self._text(index)
        if _NAVIGATION.fullmatch(text):
            return True
        if not _SHORT_NAVIGATION.fullmatch(text):
            return False
        return any(
            _NAVIGATION.fullmatch(near) or _SHORT_NAVIGATION.fullmatch(near) or dated(near)
            for near in self._neighbors(index)
        )

    def _neighbors(self, index: int) -> Iterator[str]:
        """Yield the nearest lines with text before and after, at most one blank line away."""
        for step in (-1, 1):
            for near in (index + step, index + 2 * step):
                if 0 <= near < len(self.page.lines) and (text := self._text(near)):
                    yield text
                    break

    def _stands_apart(self, index: int, start: int) -> bool:
        return index == start or not self._text(index - 1) or index - 1 in self.omitted

    def _paragraphs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of the runs of lines between blank lines, fences kept whole."""
        first: int | None = None
        fenced = False
        for index in range(start, end):
            line = self.page.lines[index].text
            fenced ^= bool(FENCE.match(line))
            if line.strip() and first is None:
                first = index
            elif not line.strip() and not fenced and first is not None:
                yield first, index
                first = None
        if first is not None:
            yield first, end

    def _text(self, index: int) -> str:
        """Return a line without the marks of a heading or of emphasis around it."""
        return self.page.lines[index].text.strip().strip("#*_").strip()

    def _announced(self, found: int) -> str:
        announced = re.search(
            r"\b(?:top|best)\s+(\d{1,4})\b|\b(\d{1,4})\+?\s+\w.{0,60}\bquestions\b",
            self.title,
            re.I,
        )
        number = int(announced[1] or announced[2]) if announced else found
        if number == found:
            return ""
        return (
            f"The title announces {number} questions, {found} were found: "
            "compare with the article whether one is missing."
        )


def _is_title(text: str) -> bool:
    return len(text.split()) <= _LONGEST_TITLE_WORDS and not text.endswith((".", ",", ";", ":"))


def _is_caption(line: str) -> bool:
    text = line.strip("*_")
    bullet = line.startswith(("•", "- ", "* ", "+ "))
    return bool(_CAPTION.fullmatch(text)) and not bullet and text[-1:] not in ".?:,;"
