"""Verbs for several questions at once: choose them, see what will happen, do it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from cms.errors import InvalidInput, NotFound
from cms.extensions import db
from cms.models import BulkOperation, Question
from cms.services import people
from cms.services.operations import bulk
from cms.services.operations.arguments import PEOPLE
from cms.services.operations.bulk import VERBS, Verb
from cms.services.permissions import may, needs_another
from cms.vocabulary import Difficulty, RowAction
from cms.web.admin.base import PAGE_SIZE, actor, now, transaction, way_back
from cms.web.admin.exports import ExportedList
from cms.web.pages import count_of

# Questions that the page shows before it is done.
SHOWN = 20
CHANGED = "The list changed since you saw it: it has {count} now. Look again, then go on."

# Each verb with what it is to do, said of a number of questions: a heading and a button.
GROUPS = (
    (
        "Publishing",
        {
            "publish": "Publish {}",
            "publish_at": "Publish {} at a time",
            "unschedule": "Take back the schedule of {}",
            "submit": "Submit {} for review",
            "return": "Return {} to draft",
            "retire": "Retire {}",
            "unretire": "Un-retire {}",
        },
    ),
    (
        "Text",
        {
            "add_tag": "Add a tag to {}",
            "remove_tag": "Remove a tag from {}",
            "replace_tag": "Replace a tag of {}",
            "difficulty": "Set the difficulty of {}",
        },
    ),
    (
        "Care",
        {
            "assign": "Assign {}",
            "reviewer": "Name a reviewer for {}",
            "due_on": "Set the due date of {}",
            "review_by": "Set the review date of {}",
            "acknowledge": "Acknowledge the warnings of {}",
            "delete": "Delete {}",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The questions that are meant: a whole list, or those that were ticked.

    `select` finds their ids again, and `mark` stands for exactly these.
    """

    ids: list[int]
    select: Select[Any]
    whole: bool

    @property
    def mark(self) -> str:
        return hashlib.sha256(repr(self.ids).encode()).hexdigest()[:16]


class BulkPages(ExportedList):
    """The part of the questions' list that does something to many of them."""

    def verb_groups(self) -> list[tuple[str, list[tuple[str, Verb]]]]:
        """Return the verbs that whoever is logged in may use, as (heading, (name, verb))."""
        found = [
            (heading, [(name, VERBS[name]) for name in names if may(actor(), VERBS[name].role)])
            for heading, names in GROUPS
        ]
        return [(heading, verbs) for heading, verbs in found if verbs]

    @expose("/action/", methods=("POST",))
    def action_view(self) -> ResponseReturnValue:
        """Do a verb to the chosen questions: first ask, then do, then tell."""
        name = request.form.get("action", "")
        verb = bulk.find_verb(name)
        if not may(actor(), verb.role):
            abort(403)
        back = way_back() or self.get_url(".index_view", **self.address())
        chosen = self._chosen()
        if not chosen.ids:
            flash("Tick the questions first.", "error")
            return redirect(back, 303)
        problem: InvalidInput | NotFound | None = None
        if request.form.get("confirmed") == "yes":
            try:
                return redirect(self._do(name, chosen) or back, 303)
            except (InvalidInput, NotFound) as error:
                problem = error
            except IntegrityError:
                problem = InvalidInput("Somebody made the same tag at this moment. Do it again.")
        return self.render(
            "admin/questions/confirm.html",
            name=name,
            verb=verb,
            intent=_intent(name, len(chosen.ids)),
            chosen=chosen,
            foresight=bulk.foresee(db.session(), chosen.select),
            rows=_rows(chosen.ids[: SHOWN if chosen.whole else PAGE_SIZE]),
            choices=_choices(verb),
            problem=problem,
            large=bulk.LARGE,
            waits=needs_another(db.session(), actor()),
            back=back,
        )

    def _chosen(self) -> Chosen:
        if request.form.get("all") == "1":
            ids = self.question_ids(self.whole())
            found = db.session.scalars(ids.order_by(Question.id.desc()))
            return Chosen(list(found), ids, whole=True)
        ticked = request.form.getlist("rowid")[:PAGE_SIZE]
        numbers = [int(each) for each in ticked if each.isdecimal() and len(each) < 11]
        known = [each for each in dict.fromkeys(numbers) if each < 2**31]
        those = select(Question.id).where(Question.id.in_(known))
        there = set(db.session.scalars(those))
        return Chosen([each for each in known if each in there], those, whole=False)

    def _do(self, name: str, chosen: Chosen) -> str | None:
        """Do it, or leave it to a worker; return where to read on, None for the list.

        :raises InvalidInput: when an argument is wrong, or the list is another than was shown
        :raises NotFound: when a tag that is named is not there
        """
        if chosen.whole and request.form.get("mark") != chosen.mark:
            raise InvalidInput(CHANGED.format(count=count_of(len(chosen.ids), "question")))
        with transaction() as session:
            operation = bulk.begin(session, name, chosen.ids, request.form, by=actor(), at=now())
            large = len(chosen.ids) > bulk.LARGE
            if large:
                bulk.hand_over(session, operation, by=actor(), at=now())
            else:
                bulk.perform(session, operation, at=now())
            page: str = self.get_url("desk_operations.details_view", id=operation.id)
        if large:
            return page
        return page if tell(operation) else None


def tell(operation: BulkOperation) -> int:
    """Flash what was done, with a way to undo it; return how many questions were left alone."""
    tally = bulk.totals(db.session(), [operation.id])[operation.id]
    done = tally.pop(RowAction.update, 0)
    told = VERBS[operation.verb].tell(operation.arguments)
    left = sum(tally.values())
    if done:
        flash(f"{operation.id} {told}: {count_of(done, 'question')}.", "operation")
    if left:
        flash(f"{count_of(left, 'question')} stayed as before, for the reasons below.", "error")
    return left


def _intent(name: str, count: int) -> str:
    """Return what is to be done: 'Publish 3 questions'."""
    [words] = [verbs[name] for _, verbs in GROUPS if name in verbs]
    return words.format(count_of(count, "question"))


def _rows(ids: Sequence[int]) -> list[Question]:
    """Return the questions with these ids, in this order."""
    found = {
        question.id: question
        for question in db.session.scalars(
            select(Question).where(Question.id.in_(ids)).options(selectinload(Question.tags))
        )
    }
    return [found[each] for each in ids if each in found]


def _choices(verb: Verb) -> dict[str, list[tuple[str, str]]]:
    """Return what there is to choose from for an argument, as (value, words)."""
    if "difficulty" in verb.asks:
        return {"difficulty": [*((each.value, each.value) for each in Difficulty), ("", "none")]}
    for each in PEOPLE:
        if each in verb.asks:
            names = [(name, name) for name in people.active_names(db.session())]
            return {each: [*names, ("", "nobody")]}
    return {}
