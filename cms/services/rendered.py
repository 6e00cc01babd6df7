"""What a public page shows of one question: its Item with every text rendered to safe HTML.

A Publication keeps it as JSON text, made when the question is published, so
that no page view ever runs Markdown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from cms.formats.item import AnswerItem, CorrectionItem, Item, OptionItem, SourceItem
from cms.markup import Shown, plain_text, render, render_inline, summarize
from cms.vocabulary import CorrectionKind

_BLOCK = re.compile(r"<(?:p|pre|div|ul|ol|table|blockquote|hr|h[3-6])\b")

Proofs = Mapping[str, Mapping[str, str]]
"""What a page says of samples that ran and passed: words by the sample's hash, by answer uid."""

Images = Mapping[str, Shown]
"""The images that texts may show, by their addresses there."""


class RenderedAnswer(Struct, kw_only=True):
    """An answer; `html` is its body. A sample in it that ran and passed says so in its head."""

    uid: str
    label: str
    html: str
    applies_to: str
    sources: list[SourceItem]


class RenderedOption(Struct, kw_only=True):
    """A choice; `text` and `feedback` are HTML.

    `phrase` says that the text is words in a line, which may stand in a label,
    and not paragraphs or code.
    """

    text: str
    phrase: bool
    correct: bool
    feedback: str


class RenderedCorrection(Struct, kw_only=True):
    """A public erratum; `claim`, `explanation` and `fix` are HTML, `answer` is a uid."""

    number: int
    kind: CorrectionKind
    claim: str
    explanation: str
    fix: str
    sources: list[SourceItem]
    decided_at: datetime | None
    answer: str | None
    credit: str


class Rendered(Struct, kw_only=True):
    """A question; `stem` and `context` are HTML.

    `short` is the index of the answer that is labeled 'Short', None without one.
    """

    stem: str
    context: str
    answers: list[RenderedAnswer]
    corrections: list[RenderedCorrection]
    short: int | None
    # What was published before questions could have any says nothing of them.
    options: list[RenderedOption] = []

    @property
    def right(self) -> int:
        """How many of the options are."""
        return sum(option.correct for option in self.options)


def render_item(item: Item, proofs: Proofs | None = None, images: Images | None = None) -> Rendered:
    """Render a question for the shelf. Its answers have uids, its corrections numbers.

    A proof of code that the text no longer holds is left out. An image that is
    not in `images` is its words.

    :raises ValueError: when a text is too long to be rendered
    """
    known = proofs or {}
    return Rendered(
        stem=render_inline(item.stem),
        context=render(item.context, anchor="context", images=images),
        answers=[
            _render_answer(answer, f"answer-{position}", known.get(answer.uid or "", {}), images)
            for position, answer in enumerate(item.answers, start=1)
        ],
        corrections=[render_correction(correction, images) for correction in item.corrections],
        short=next((i for i, a in enumerate(item.answers) if a.label.casefold() == "short"), None),
        options=[
            _render_option(option, place, images)
            for place, option in enumerate(item.options, start=1)
        ],
    )


def reads_the_same(item: Item, held: Item) -> bool:
    """Whether two items have the same text, so that all that is made of it serves both."""
    return (item.stem, item.context, item.answers, item.options, item.corrections) == (
        held.stem,
        held.context,
        held.answers,
        held.options,
        held.corrections,
    )


def _render_answer(
    answer: AnswerItem, anchor: str, proofs: Mapping[str, str], images: Images | None
) -> RenderedAnswer:
    return RenderedAnswer(
        uid=answer.uid or "",
        label=answer.label,
        html=render(answer.body, anchor=anchor, proofs=proofs, images=images),
        applies_to=answer.applies_to,
        sources=answer.sources,
    )


def _render_option(option: OptionItem, place: int, images: Images | None) -> RenderedOption:
    html = render(option.text, anchor=f"option-{place}", images=images)
    words = _unwrapped(html)
    return RenderedOption(
        text=html if words is None else words,
        phrase=words is not None,
        correct=option.correct,
        feedback=render(option.feedback, anchor=f"feedback-{place}", images=images),
    )


def _unwrapped(html: str) -> str | None:
    """Return the inside of rendered HTML that is one paragraph; None if it is more than that."""
    inside = html.removeprefix("<p>").removesuffix("</p>")
    one = len(html) - len(inside) == len("<p></p>") and not _BLOCK.search(inside)
    return inside if one else None


def render_correction(
    correction: CorrectionItem, images: Images | None = None
) -> RenderedCorrection:
    """Render one erratum, which has its number.

    :raises ValueError: when a text is too long to be rendered
    """
    number = correction.number or 0
    return RenderedCorrection(
        number=number,
        kind=correction.kind,
        claim=render(correction.claim, anchor=f"claim-{number}", images=images),
        explanation=render(correction.explanation, anchor=f"explanation-{number}", images=images),
        fix=render(correction.fix, anchor=f"fix-{number}", images=images),
        sources=correction.sources,
        decided_at=correction.decided_at,
        answer=correction.answer,
        credit=correction.credit,
    )


def errata_by_answer(rendered: Rendered) -> dict[str, list[RenderedCorrection]]:
    """Return the errata by the uid of the answer that they are about; '' for those of no answer."""
    known = {answer.uid for answer in rendered.answers}
    found: dict[str, list[RenderedCorrection]] = defaultdict(list)
    for correction in rendered.corrections:
        found[correction.answer if correction.answer in known else ""].append(correction)
    return found


def summary_of(item: Item) -> str:
    """Return a line for lists: from the answer labeled 'Short', else from the canonical one."""
    short = next((a for a in item.answers if a.label.casefold() == "short"), None)
    answer = short or next(iter(item.answers), None)
    return summarize(plain_text(answer.body)) if answer else ""
