"""The tree of tags: every number is that of its list, and unused means by nothing at all."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter, DeckItem
from cms.models import Tag
from cms.services import tagtree
from cms.services.decks import save_deck
from cms.services.tags import resolve
from cms.services.tagtree import Use
from tests.factories import AT, make_published, make_question


def used(session: Session) -> dict[str, Use]:
    rows = session.execute(select(Tag.id, Tag.slug)).all()
    found = tagtree.uses(session, [(id, slug) for id, slug in rows], tagtree.decks_by_tag(session))
    return {slug: found[id] for id, slug in rows}


def test_a_question_with_two_tags_below_one_counts_once_there(session: Session) -> None:
    make_published(session, "Both?", tags=["a/x", "a/y/z"])
    make_question(session, "Itself?", tags=["a", "b"])
    item = DeckItem(slug="d", title="D", filter=DeckFilter(any=["a/y", "b"], none=["a/y"]))
    save_deck(session, None, item, by=None, at=AT)
    assert used(session) == {
        "a": Use(own=1, all=2, published=1, below=3),
        "a/x": Use(own=1, all=1, published=1),
        "a/y": Use(own=0, all=1, published=1, below=1, decks=1),
        "a/y/z": Use(own=1, all=1, published=1),
        "b": Use(own=1, all=1, decks=1),
    }


def test_unused_is_what_nothing_uses(session: Session) -> None:
    make_question(session, tags=["asked/below"])
    resolve(session, ["named/below", "spare/below", "spare-too"], by=None, at=AT)
    item = DeckItem(slug="d", title="D", filter=DeckFilter(all=["named/below"]))
    save_deck(session, None, item, by=None, at=AT)
    unused = (
        select(Tag.slug).where(tagtree.is_unused(tagtree.decks_by_tag(session))).order_by(Tag.slug)
    )
    assert sorted(session.scalars(unused)) == ["spare", "spare-too", "spare/below"]


def test_the_tree_stands_in_its_order_whatever_its_letters_sort_like(session: Session) -> None:
    resolve(session, ["a-b", "a/c/d", "a/b"], by=None, at=AT)
    tree = tagtree.tree(session)
    assert [row.slug for row in tree.rows] == ["a", "a/b", "a/c", "a/c/d", "a-b"]
    assert (tree.total, tree.pages, tree.folded, tree.above) == (5, 1, set(), [])
    below = tagtree.tree(session, "a/c")
    assert ([row.slug for row in below.rows], below.above) == (["a/c/d"], ["a", "a/c"])
    assert tagtree.tree(session, "nothing").rows == []


def test_the_tree_opens_as_many_levels_as_fit(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagtree, "SHOWN", 3)
    resolve(session, ["a/x/deep", "b", "c/y", "d", "e"], by=None, at=AT)
    first, second = tagtree.tree(session), tagtree.tree(session, page=1)
    assert [row.slug for row in first.rows] == ["a", "b", "c"]
    assert [row.slug for row in first.rows if row.id in first.folded] == ["a", "c"]
    assert [row.slug for row in second.rows] == ["d", "e"]
    assert (first.pages, first.total) == (2, 8)
    below = tagtree.tree(session, "a")
    assert [row.slug for row in below.rows] == ["a/x", "a/x/deep"]
