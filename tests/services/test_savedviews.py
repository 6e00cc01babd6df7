"""Saved views: one person's own, each under a name that finds it again."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound
from cms.models import SavedView, User
from cms.services import savedviews
from tests.factories import AT

LIST = {"page": "desk_questions", "query": "status=draft"}


def saved(session: Session, by: User, name: str = "Drafts", **changes: str) -> SavedView:
    view = savedviews.save_view(session, name, **(LIST | changes), by=by, at=AT)
    session.commit()
    return view


def names(session: Session, user: User) -> list[str]:
    return [view.name for view in savedviews.views_of(session, user)]


def test_views_are_ones_own_and_stand_by_name(
    session: Session, editor: User, contributor: User
) -> None:
    theirs = saved(session, contributor)
    view = saved(session, editor, "  to do,\nfirst ")
    saved(session, editor, "Drafts")
    assert names(session, editor) == ["Drafts", "to do, first"]
    savedviews.rename_view(session, view, "After that", by=editor)
    savedviews.rename_view(session, view, "AFTER that", by=editor)
    assert names(session, editor) == ["AFTER that", "Drafts"]
    savedviews.redefine_view(session, view, "status=retired", by=editor)
    assert savedviews.find_view(session, editor, view.id).query == "status=retired"
    with pytest.raises(NotFound, match="You have no such view"):
        savedviews.find_view(session, editor, theirs.id)
    savedviews.delete_view(session, view, by=editor)
    assert names(session, editor) == ["Drafts"]
    assert names(session, contributor) == ["Drafts"]


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        (" \n", "status=draft", "Give the view a name"),
        ("x" * 61, "status=draft", "The name has 61 characters, the limit is 60. Shorten it."),
        ("drafts", "status=draft", "You have a view named ‘Drafts’ already. Choose another name"),
        ("All", "", "This list is neither filtered nor sorted: there is nothing to save."),
        ("Long", f"search={'x' * 2_000}", "have 2,007 characters, the limit of a view is 2,000"),
    ],
)
def test_a_view_that_cannot_be_is_refused(
    session: Session, editor: User, name: str, query: str, message: str
) -> None:
    saved(session, editor)
    with pytest.raises(InvalidInput, match=message):
        saved(session, editor, name, query=query)
    session.rollback()
    other = saved(session, editor, "Other")
    if query == "status=draft":
        with pytest.raises(InvalidInput, match=message):
            savedviews.rename_view(session, other, name, by=editor)
    else:
        with pytest.raises(InvalidInput, match=message):
            savedviews.redefine_view(session, other, query, by=editor)


def test_there_is_a_limit_of_views_a_person(session: Session, editor: User) -> None:
    session.add_all(
        SavedView(owner_id=editor.id, name=str(number), created_at=AT, **LIST)
        for number in range(savedviews.LIMIT)
    )
    session.commit()
    with pytest.raises(InvalidInput, match="You have 50 saved views, which is the limit"):
        saved(session, editor)


def test_a_name_that_another_window_took_at_this_moment_is_refused(
    session: Session, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(session, editor)
    monkeypatch.setattr(savedviews, "views_of", lambda *_: [])
    with pytest.raises(InvalidInput, match="You have a view named ‘Drafts’ already"):
        saved(session, editor)
    assert session.query(SavedView).count() == 1
