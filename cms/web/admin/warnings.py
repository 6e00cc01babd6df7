"""Import warnings on the page of a question: each beside its field, and marked in the preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cms.extensions import db
from cms.formats.incoming import Damage
from cms.formats.item import Content
from cms.models import ImportWarning, Question
from cms.passages import Mark, mark
from cms.services.content import content_of
from cms.services.rendered import Rendered
from cms.services.warnings import (
    Place,
    closed_warnings,
    is_exact,
    located,
    open_warnings,
    texts_of,
)
from cms.web.admin.forms import QuestionForm


@dataclass
class Note:
    """What is said of one passage. `places` is empty where the form no longer has it."""

    passage: str
    exact: bool
    places: list[Place]
    warnings: list[ImportWarning]

    @property
    def anchor(self) -> str:
        return anchor_of(self.warnings[0])


@dataclass
class Notes:
    """The notes of a question by field, in the order of the text; '' has those without a field.

    `decidable` says whether they can be acknowledged here.
    """

    by_field: dict[str, list[Note]] = field(default_factory=dict)
    closed: list[ImportWarning] = field(default_factory=list)
    decidable: bool = True

    def at(self, name: str) -> list[Note]:
        return self.by_field.get(name, [])

    @property
    def in_order(self) -> list[Note]:
        return [note for notes in self.by_field.values() for note in notes]

    @property
    def count(self) -> int:
        """How many warnings are open."""
        return sum(len(note.warnings) for note in self.in_order)


def anchor_of(warning: ImportWarning) -> str:
    return f"warning-{warning.id}"


def notes_on(question: Question | None, form: QuestionForm) -> Notes:
    """Return the open warnings where the form has their passages, typed changes included.

    A passage that the form lost stands where the bank still has it; one that
    is in neither stands in no field.
    """
    if question is None:
        return Notes()
    session = db.session()
    found = _placed(open_warnings(session, question), form, _saved_texts(question, form))
    return Notes(found, closed_warnings(session, question))


def notes_of(damages: Sequence[Damage], form: QuestionForm, stated: Content) -> Notes:
    """Return what looks damaged in a row of an import, where the form has it.

    `stated` is the text that the row has until it is mended.
    """
    warnings = [
        ImportWarning(id=number, kind=each.kind, message=each.message, passage=each.passage)
        for number, each in enumerate(damages, start=1)
    ]
    return Notes(_placed(warnings, form, texts_of(stated)), decidable=False)


def _placed(
    warnings: Sequence[ImportWarning], form: QuestionForm, saved: Mapping[str, str]
) -> dict[str, list[Note]]:
    """Return a note for each passage, by the field that has it in the form, or else had it."""
    typed = form.texts()
    notes: dict[str, list[Note]] = {name: [] for name in ("", *typed)}
    for warning in warnings:
        places = located(warning, typed)
        held = places or located(warning, saved)
        name = held[0].field if held else ""
        beside = notes[name if name in notes else ""]
        same = (
            note
            for note in beside
            if warning.passage and (note.passage, note.places) == (warning.passage, places)
        )
        if note := next(same, None):
            note.warnings.append(warning)
        else:
            beside.append(Note(warning.passage, is_exact(warning), places, [warning]))
    for beside in notes.values():
        beside.sort(key=lambda note: note.places[0].start if note.places else 0)
    return notes


def _saved_texts(question: Question, form: QuestionForm) -> dict[str, str]:
    """Return the bank's texts under the names that the form has for them."""
    content = content_of(question)
    places = {answer.uid: index for index, answer in enumerate(form.answers)}
    names = {
        f"answers[{index}].body": f"answers[{places[answer.uid]}].body"
        for index, answer in enumerate(content.answers)
        if answer.uid in places
    }
    # What is no answer's has one name in both: options are known by their place.
    return {
        names.get(name, name): text
        for name, text in texts_of(content).items()
        if name in names or not name.startswith("answers[")
    }


def marked(rendered: Rendered, form: QuestionForm, notes: Notes) -> Rendered:
    """Return the preview with the damaged passages marked, each linked to its note."""
    wanted: dict[str, list[Mark]] = {}
    for note in notes.in_order:
        told = " ".join(warning.message for warning in note.warnings)
        for name in {place.field for place in note.places}:
            wanted.setdefault(name, []).append(
                Mark(note.passage, note.anchor, told, exact=note.exact)
            )
    # The preview leaves out answers and options without a text.
    chosen = [f"options[{i}]" for i, each in enumerate(form.options) if each.text.strip()]
    shown = [f"answers[{i}].body" for i, each in enumerate(form.answers) if each.body.strip()]
    return replace(
        rendered,
        stem=_marked(rendered.stem, "stem", wanted),
        context=_marked(rendered.context, "context", wanted),
        answers=[
            replace(answer, html=_marked(answer.html, name, wanted))
            for answer, name in zip(rendered.answers, shown, strict=True)
        ],
        options=[
            replace(
                option,
                text=_marked(option.text, f"{name}.text", wanted),
                feedback=_marked(option.feedback, f"{name}.feedback", wanted),
            )
            for option, name in zip(rendered.options, chosen, strict=True)
        ],
    )


def _marked(html: str, name: str, wanted: Mapping[str, list[Mark]]) -> str:
    return mark(html, wanted[name]) if name in wanted else html
