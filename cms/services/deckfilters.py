"""The tags that the filters of decks name: which decks they are, and what a filter becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter
from cms.models import Deck
from cms.services.aliases import current_paths

_TAGGED = ("all", "any", "none")


def filter_of(deck: Deck) -> DeckFilter:
    """Return what a deck selects besides its explicit members."""
    try:
        return msgspec.convert(deck.filter, DeckFilter)
    except msgspec.ValidationError:
        # The first version took any filter, and selected nothing by it.
        return DeckFilter()


def with_current_tags(session: Session, filter: DeckFilter) -> DeckFilter:
    """Return a filter with the paths of the tags that merged ones became."""
    return with_paths(filter, current_paths(session, filter.tags))


def with_paths(filter: DeckFilter, moved: Mapping[str, str]) -> DeckFilter:
    """Return a filter whose tags follow to their new paths; none is named twice."""
    paths = {
        name: list(dict.fromkeys(moved.get(tag, tag) for tag in getattr(filter, name)))
        for name in _TAGGED
    }
    return replace(filter, **paths)


def contradicts_itself(filter: DeckFilter) -> bool:
    """Whether no question can pass, because the tags that are asked for are left out, too."""
    left_out = set(filter.none)
    return not left_out.isdisjoint(filter.all) or (
        bool(filter.any) and left_out.issuperset(filter.any)
    )


def naming_tags(session: Session, paths: Iterable[str]) -> list[Deck]:
    """Return the decks whose filter names one of these tags.

    All decks are locked until the transaction ends, before any release is
    opened: a save of one locks in that order, too, and none waits in a circle.
    """
    wanted = set(paths)
    if not wanted:
        return []
    held = session.scalars(
        select(Deck).order_by(Deck.id).with_for_update().execution_options(populate_existing=True)
    )
    return [deck for deck in held if not wanted.isdisjoint(filter_of(deck).tags)]
