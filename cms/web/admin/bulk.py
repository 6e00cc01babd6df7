"""Verbs for several questions at once: what can be done is done, the rest is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from cms.errors import CmsError, WrongState
from cms.models import Question
from cms.services import publishing, questions
from cms.services.warnings import acknowledge, open_warnings
from cms.vocabulary import Role


@dataclass(slots=True)
class Outcome:
    """How many were done, and which were refused with what reason (stem, reason)."""

    done: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


Apply = Callable[..., Outcome]


@dataclass(frozen=True, slots=True)
class Bulk:
    """A verb of the list. `warning` says on the confirmation page what is not easily undone."""

    words: str
    done: str
    role: Role
    apply: Apply
    warning: str = ""


def _each(verb: Callable[..., Any]) -> Apply:
    """Make a verb for one question one for several: a refusal undoes that one alone."""

    def apply(session: Session, chosen: Sequence[Question], **who: Any) -> Outcome:
        outcome = Outcome()
        for question in chosen:
            stem = question.stem
            try:
                with session.begin_nested():
                    verb(session, question, **who)
            except CmsError as error:
                outcome.refused.append((stem, str(error)))
            else:
                outcome.done += 1
        return outcome

    return apply


def _publish(session: Session, chosen: Sequence[Question], **who: Any) -> Outcome:
    """Publish all in one release."""
    stems = {question.slug: question.stem for question in chosen}
    result = publishing.publish(session, chosen, **who)
    refused = [(stems[each.slug], " ".join(each.reasons)) for each in result.refused]
    refused += [(each.stem, "Readers see this text already.") for each in result.unchanged]
    return Outcome(len(result.published), refused)


def _retire(session: Session, chosen: Sequence[Question], **who: Any) -> Outcome:
    """Retire what is published, in one release."""
    public = [question for question in chosen if question.published_number is not None]
    if public:
        publishing.retire(session, public, **who)
    others = [question.stem for question in chosen if question not in public]
    return Outcome(len(public), [(stem, "It is not published.") for stem in others])


def _acknowledge(session: Session, question: Question, **who: Any) -> None:
    found = open_warnings(session, question)
    if not found:
        raise WrongState("It has no open warning.")
    for warning in found:
        acknowledge(session, warning, **who)


BULK: dict[str, Bulk] = {
    "submit": Bulk("Submit for review", "submitted", Role.contributor, _each(questions.submit)),
    "return": Bulk(
        "Return to draft", "returned", Role.contributor, _each(questions.return_to_draft)
    ),
    "acknowledge": Bulk(
        "Acknowledge warnings",
        "acknowledged",
        Role.editor,
        _each(_acknowledge),
        "Every open import warning of these questions will count as looked at.",
    ),
    "publish": Bulk(
        "Publish",
        "published",
        Role.editor,
        _publish,
        "Readers will see their newest text at once.",
    ),
    "retire": Bulk(
        "Retire",
        "retired",
        Role.editor,
        _retire,
        "Their addresses will say that they are gone. Un-retiring makes them drafts again.",
    ),
    "unretire": Bulk("Un-retire", "made drafts again", Role.editor, _each(publishing.unretire)),
    "delete": Bulk(
        "Delete drafts",
        "deleted",
        Role.contributor,
        _each(questions.delete_draft),
        "Drafts that were never public disappear with their history. "
        "What was public is refused: retire it instead.",
    ),
}
