"""What of a question is not its text: as an operation finds it, leaves it, and puts it back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from cms.models import Question
from cms.vocabulary import Stage


class State(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A question's numbers, stage and care."""

    latest_number: int
    published_number: int | None = None
    scheduled_number: int | None = None
    scheduled_at: datetime | None = None
    stage: Stage = Stage.draft
    retired_at: datetime | None = None
    merged_into_id: int | None = None
    review_by: date | None = None
    assignee_id: int | None = None
    reviewer_id: int | None = None
    due_on: date | None = None


class Kept(Struct, kw_only=True, omit_defaults=True):
    """What an operation keeps of one question, in the column `before` of its row.

    `was` is the state that it found, `left` the one that it left: while that
    holds, nothing was built on it. `warnings` are the import warnings that it
    acknowledged, `withdrawn` the reason on the tombstone that it took away,
    `rows` a deleted question with all that belonged to it, by table.
    """

    was: State
    left: State
    warnings: list[int] = []
    withdrawn: str = ""
    rows: dict[str, list[dict[str, Any]]] = {}


def state_of(question: Question) -> State:
    """Return a question's state as it is now."""
    return State(**{name: getattr(question, name) for name in State.__struct_fields__})


def put_state(question: Question, state: State) -> None:
    """Give a question a state again, but for its numbers of revisions: those only grow."""
    for name in State.__struct_fields__:
        if name not in {"latest_number", "published_number"}:
            setattr(question, name, getattr(state, name))


def packed(kept: Kept) -> dict[str, Any]:
    """Return what is kept as the column holds it."""
    row: dict[str, Any] = msgspec.to_builtins(kept)
    return row


def unpacked(before: dict[str, Any] | None) -> Kept:
    """Return what a row kept.

    :raises msgspec.ValidationError: when the row kept nothing of the kind
    """
    return msgspec.convert(before, Kept)
