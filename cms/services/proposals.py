"""Proposals: the text that a correction would have, laid over the text of today.

A proposal was written over the text of one revision. Where the question has
changed since, both changes are merged; what cannot be merged a person decides.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, NotFound
from cms.formats.checks import faults
from cms.formats.item import Content
from cms.formats.normalizing import normalized
from cms.models import Correction, Question, Revision
from cms.services.content import content_of, revision_content
from cms.services.diff import Segment, words
from cms.services.threeway import Merged, merge
from cms.vocabulary import TextPart

# Revisions that are searched for the first one that has a proposal: a history may be long.
SEARCHED_REVISIONS = 50


@dataclass(frozen=True, slots=True)
class PartText:
    """A text of a question that can be corrected; `field` is its name in errors."""

    part: TextPart
    answer_uid: str | None
    field: str
    label: str
    text: str

    @property
    def key(self) -> str:
        """What names the part in forms: 'stem', 'context', 'body:<uid of the answer>'."""
        return key_of(self.part, self.answer_uid)


class Standing(StrEnum):
    """How a proposal stands to the text of today."""

    applies = "applies"
    there = "there"
    overlaps = "overlaps"
    gone = "gone"


@dataclass(frozen=True)
class Proposal:
    """A proposed text, the text that it was written over, and today's.

    `base` is None where that text is not known, `today` where the part is gone.
    `seen_in` is the revision of the base, `first_in` the first later one that
    has the proposal, if it is there.
    """

    label: str
    seen_in: int | None
    base: str | None
    today: str | None
    proposed: str
    first_in: int | None = None

    @cached_property
    def merged(self) -> Merged:
        """Both changes in one; without a base the proposal replaces the text of today."""
        today = self.today or ""
        return merge(today if self.base is None else self.base, today, self.proposed)

    @property
    def draft(self) -> str:
        """The text to decide on: the merged one, with the proposal where the two overlap."""
        return self.proposed if self.today is None else self.merged.draft

    @property
    def standing(self) -> Standing:
        if self.today is None:
            return Standing.gone
        merged = self.merged
        if merged.overlaps:
            return Standing.overlaps
        return Standing.there if merged.text == self.today else Standing.applies

    @property
    def rebased(self) -> bool:
        """Whether the part has changed since the proposal was written."""
        return self.base is not None and self.base != self.today

    @property
    def segments(self) -> list[Segment]:
        """How today's text becomes the draft."""
        return words(self.today or "", self.draft)

    @property
    def segments_of_proposed(self) -> list[Segment]:
        """How the text that it was written over becomes the proposed one."""
        return words(self.base or "", self.proposed)

    @property
    def overlaps(self) -> list[tuple[str, list[Segment], list[Segment]]]:
        """What both changed: the text then, and how it became today's and the proposed one."""
        return [
            (each.base, words(each.base, each.theirs), words(each.base, each.mine))
            for each in self.merged.overlaps
        ]


def key_of(part: TextPart | None, answer_uid: str | None) -> str:
    """Return what names a part in forms; empty for the question as a whole.

    What says nothing of a part but names an answer, as files do, means its body.
    """
    if answer_uid is not None and part in {None, TextPart.body}:
        return f"{TextPart.body}:{answer_uid}"
    return part.value if part else ""


def parts_of(content: Content) -> list[PartText]:
    """Return the texts of a question that can be corrected, in reading order."""
    return list(_parts(content))


def find_part(content: Content, key: str) -> PartText | None:
    """Return the part that a key names; None if the content has none such."""
    return next((part for part in _parts(content) if part.key == key), None)


def with_text(content: Content, part: PartText, text: str) -> Content:
    """Return `content` with another text in one part."""
    if part.part != TextPart.body:
        return replace(content, **{part.part: text})
    answers = [
        replace(answer, body=text) if answer.uid == part.answer_uid else answer
        for answer in content.answers
    ]
    return replace(content, answers=answers)


def checked_text(content: Content, part: PartText, text: str) -> str | None:
    """Return a proposed text as the bank keeps it; None if it changes nothing.

    :raises InvalidContent: when the text breaks the rules of its part
    """
    changed = normalized(with_text(content, part, text))
    if found := [problem for path, problem in faults(changed) if path == part.field]:
        raise InvalidContent([("proposed", problem) for problem in found])
    kept = find_part(changed, part.key)
    assert kept is not None
    return None if kept.text == part.text else kept.text


def proposal_of(session: Session, correction: Correction) -> Proposal | None:
    """Return what a correction proposes; None if it proposes no text."""
    if correction.proposed is None:
        return None
    return weigh(
        session,
        correction.question,
        key_of(correction.part, correction.answer_uid),
        seen_in=correction.seen_in,
        proposed=correction.proposed,
    )


def weigh(
    session: Session, question: Question, key: str, *, seen_in: int | None, proposed: str
) -> Proposal:
    """Lay a text for the part `key`, written over the one of revision `seen_in`, over today's."""
    here = find_part(content_of(question), key)
    then = _seen(session, question, key, seen_in)
    label = here or then
    found = Proposal(
        label=label.label if label else "An answer that is gone",
        seen_in=seen_in,
        base=then.text if then else None,
        today=here.text if here else None,
        proposed=proposed,
    )
    if found.standing != Standing.there:
        return found
    return dataclasses.replace(found, first_in=_first_with(session, question, key, found))


def _parts(content: Content) -> Iterator[PartText]:
    yield PartText(TextPart.stem, None, "stem", "the stem", content.stem)
    yield PartText(TextPart.context, None, "context", "the context", content.context)
    for index, answer in enumerate(content.answers):
        label = f"answer {index + 1}" + (f" ‘{answer.label}’" if answer.label else "")
        yield PartText(TextPart.body, answer.uid, f"answers[{index}].body", label, answer.body)


def _seen(session: Session, question: Question, key: str, number: int | None) -> PartText | None:
    if number is None:
        return None
    try:
        return find_part(revision_content(session, question, number), key)
    except NotFound:
        return None


def _first_with(session: Session, question: Question, key: str, proposal: Proposal) -> int:
    """Return the number of the first revision since the base that has the proposal."""
    numbers = session.scalars(
        select(Revision.number)
        .where(
            Revision.question_id == question.id,
            Revision.number > (proposal.seen_in or 0),
            Revision.number > question.latest_number - SEARCHED_REVISIONS,
        )
        .order_by(Revision.number)
    )
    known: dict[str, bool] = {}
    for number in numbers.all():
        # One at a time: a revision may hold more than a megabyte.
        part = find_part(revision_content(session, question, number), key)
        if part is None:
            continue
        if part.text not in known:
            base = part.text if proposal.base is None else proposal.base
            known[part.text] = merge(base, part.text, proposal.proposed).text == part.text
        if known[part.text]:
            return number
    return question.latest_number
