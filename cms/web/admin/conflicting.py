"""The page where two people's texts of one question become one, before anything is saved.

What the two left each other alone is put together in the form at once. Places
that both changed are asked about one by one; each answer is a step of the
form, as adding an answer is, so that it works without scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import defer

from cms.extensions import db
from cms.formats.item import Content
from cms.models import Question, Revision, User
from cms.services import autosaves, conflicts, diff
from cms.services.conflicts import Choice, Merge, Place
from cms.services.content import content_of
from cms.vocabulary import Difficulty
from cms.web.admin.base import actor, way_back
from cms.web.admin.formparts import AnswerFields
from cms.web.admin.forms import QuestionForm, number
from cms.web.admin.presence import company
from cms.web.admin.sources import tell_checks
from cms.web.admin.steps import Steps
from cms.web.admin.texts import readable, revision_text
from cms.web.admin.warnings import notes_on

# The step that decides a place: 'theirs:answers/<uid>/body#0123456789ab'.
CHOICE = re.compile(rf"({'|'.join(Choice)}):([a-z0-9_/-]{{1,80}}#[0-9a-f]{{12}})")


@dataclass(frozen=True, slots=True)
class Asked:
    """A place as the page asks about it. `label` is the part's name for people."""

    place: Place
    label: str
    settled: bool

    @property
    def removed_by(self) -> str:
        """Which side removed the answer that this is about; empty where none did."""
        if self.place.part.count("/") != 1:
            return ""
        return Choice.mine if self.place.theirs else Choice.theirs

    @property
    def segments_of_theirs(self) -> list[diff.Segment]:
        return diff.words(self.place.base, self.place.theirs)

    @property
    def segments_of_mine(self) -> list[diff.Segment]:
        return diff.words(self.place.base, self.place.mine)


class ConflictPages(Steps):
    """The page of a form whose question somebody else saved since."""

    def conflict_page(self, question: Question, form: QuestionForm) -> str:
        """Show both sides beside the form, which holds what is put together so far."""
        theirs, base = both_sides(question, form)
        mine = deepcopy(form).comparable(theirs)
        places = conflicts.merged(mine=mine, theirs=theirs, base=base).places
        asked = [
            Asked(place, _label(place, mine, theirs), place.key in form.settled) for place in places
        ]
        differing = diff.conflicts(mine=mine, theirs=theirs, base=base)
        kept = autosaves.offered(db.session(), actor(), question)
        tell_checks(form, question)
        return self.render(
            "admin/questions/conflict.html",
            question=question,
            form=form,
            who=_author(question, form),
            has_base=base is not None,
            open=[each for each in asked if not each.settled],
            settled=[each for each in asked if each.settled],
            both=[
                each
                for each in differing
                if not (each.only_mine or each.only_theirs) and _has_more(each, places)
            ],
            undecided={each.place.part for each in asked if not each.settled},
            only_mine=[each for each in differing if each.only_mine],
            taken=_taken(differing, theirs, base) if base else [],
            # The focus goes on from what was decided to what is asked next.
            decided=CHOICE.fullmatch(request.form.get("op", "")) is not None,
            same=not differing,
            kept=kept,
            **company(question, form),
            notes=notes_on(question, form),
            difficulties=list(Difficulty),
            list_url=way_back() or self.get_url(".index_view"),
            opened_from=self.opened_from(),
        )


def both_sides(question: Question, form: QuestionForm) -> tuple[Content, Content | None]:
    """Return the text that the form names as seen, and the one on which it was begun."""
    seen = revision_text(question, form.seen_number)
    return seen or readable(content_of(question)), revision_text(question, number(form.base))


def catch_up(question: Question, form: QuestionForm) -> None:
    """Take into the form what others alone changed since the revision that it has seen."""
    form.base, form.seen_version = form.seen_version, str(question.latest_number)
    form.settled = []
    theirs, base = both_sides(question, form)
    mine = form.comparable(theirs)
    _put_into(form, mine, conflicts.merged(mine=mine, theirs=theirs, base=base))


def choose(
    form: QuestionForm, choice: Choice, key: str, theirs: Content, base: Content | None
) -> None:
    """Decide a place in the form; one that is there no more is only noted."""
    mine = form.comparable(theirs)
    merge = conflicts.decided(mine=mine, theirs=theirs, base=base, chosen={key: choice})
    _put_into(form, mine, merge)
    if key not in form.settled:
        form.settled.append(key)


def _put_into(form: QuestionForm, mine: Content, merge: Merge) -> None:
    """Write a merge into the form; what it left as it was stays as it was typed."""
    was = QuestionForm.of(mine, seen_version=0)
    becomes = QuestionForm.of(merge.content, seen_version=0)
    _write(form, was, becomes, ("stem", "slug", "context", "difficulty"))
    if set(merge.content.tags) != set(mine.tags):
        form.tags = ", ".join(merge.content.tags)
    answers: list[AnswerFields] = []
    for origin, answer in zip(merge.origins, becomes.answers, strict=True):
        held = answer if origin is None else form.answers[origin]
        if origin is not None:
            _write(held, was.answers[origin], answer, ("label", "applies_to", "body", "sources"))
        answers.append(held)
    form.answers = answers
    if was.options != becomes.options:
        form.options = becomes.options


def _write(target: object, was: object, becomes: object, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(was, name) != getattr(becomes, name):
            setattr(target, name, getattr(becomes, name))


def _author(question: Question, form: QuestionForm) -> User | None:
    """Return who saved what the form names as seen; None for the command line."""
    saved = select(Revision).filter_by(question_id=question.id, number=form.seen_number)
    revision = db.session.scalar(saved.options(defer(Revision.content)))
    return revision.author if revision else None


def _taken(
    differing: list[diff.Conflict], theirs: Content, base: Content
) -> Iterator[diff.PartDiff]:
    """Yield what they changed and the form has just so."""
    open_still = {each.key for each in differing}
    return (each for each in diff.compare(base, theirs) if each.key not in open_still)


def _has_more(part: diff.Conflict, places: Sequence[Place]) -> bool:
    """Whether they changed more of a part than the places in it that are asked about."""
    base, theirs = part.base or "", part.theirs
    for place in places:
        if place.part in (part.key, part.key.rpartition("/")[0]):
            if not place.both:
                return False
            base = base.replace(place.base.strip(), "", 1)
            theirs = theirs.replace(place.theirs.strip(), "", 1)
    return base.split() != theirs.split()


def _label(place: Place, *contents: Content) -> str:
    """Return a part's name for people, in the first content that has it."""
    for content in contents:
        known: Mapping[str, diff.Part] = diff.parts(content)
        for key in (place.part, f"{place.part}/body"):
            if key in known:
                return known[key].label
    return "An answer"
