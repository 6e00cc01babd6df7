"""Saved views: lists of the desk as somebody filtered and sorted them, under names of theirs.

They are one person's own and no part of the bank: no audit tells of them, nobody
else sees them, and they stay as they are while an account is disabled.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotFound
from cms.models import SavedView, User
from cms.services.permissions import require
from cms.text import normalize_line
from cms.vocabulary import Role

LIMIT = 50
"""Views of one person: more would be no choice."""
NAME_LENGTH = 60  # characters
QUERY_LENGTH = 2_000  # characters

_VERB = "save views"


def views_of(session: Session, user: User) -> list[SavedView]:
    """Return this person's views by name."""
    found = session.scalars(select(SavedView).where(SavedView.owner_id == user.id).limit(LIMIT))
    return sorted(found, key=lambda view: (view.name.casefold(), view.id))


def find_view(session: Session, user: User, key: int) -> SavedView:
    """Return a view of this person's own.

    :raises NotFound: when it is somebody else's, or gone
    """
    view = session.scalar(select(SavedView).filter_by(id=key, owner_id=user.id))
    if view is None:
        raise NotFound("You have no such view. You may have deleted it in another window.")
    return view


def save_view(
    session: Session, name: str, *, page: str, query: str, by: User, at: datetime
) -> SavedView:
    """Save a list's address, its endpoint and what stands after the question mark, as a view.

    :raises InvalidInput: when the name is empty, too long or taken, when the query is empty or
        too long, or when this person has `LIMIT` views already
    """
    require(by, Role.contributor, _VERB)
    _check_query(query)
    name = _free_name(session, name, by)
    if len(views_of(session, by)) >= LIMIT:
        raise InvalidInput(
            f"You have {LIMIT} saved views, which is the limit. Delete one that you do not "
            "use any more, then save this one."
        )
    view = SavedView(owner_id=by.id, name=name, page=page, query=query, created_at=at)
    _flush_named(session, view)
    return view


def rename_view(session: Session, view: SavedView, name: str, *, by: User) -> None:
    """Give a view of this person's another name.

    :raises InvalidInput: when the name is empty, too long or taken
    """
    require(by, Role.contributor, _VERB)
    view.name = _free_name(session, name, by, apart_from=view)
    _flush_named(session, view)


def redefine_view(session: Session, view: SavedView, query: str, *, by: User) -> None:
    """Let a view of this person's show another selection of its list.

    :raises InvalidInput: when the query is empty or too long
    """
    require(by, Role.contributor, _VERB)
    _check_query(query)
    view.query = query
    session.flush()


def delete_view(session: Session, view: SavedView, *, by: User) -> None:
    """Delete a view of this person's; what it listed stays."""
    require(by, Role.contributor, _VERB)
    session.delete(view)
    session.flush()


def _free_name(session: Session, name: str, user: User, apart_from: SavedView | None = None) -> str:
    name = normalize_line(name)
    if not name:
        raise InvalidInput("Give the view a name, so that you find it again.", field="name")
    if len(name) > NAME_LENGTH:
        raise InvalidInput(
            f"The name has {len(name)} characters, the limit is {NAME_LENGTH}. Shorten it.",
            field="name",
        )
    for view in views_of(session, user):
        if view is not apart_from and view.name.casefold() == name.casefold():
            raise _taken(view.name)
    return name


def _taken(name: str) -> InvalidInput:
    return InvalidInput(
        f"You have a view named ‘{name}’ already. Choose another name, or update that view.",
        field="name",
    )


def _flush_named(session: Session, view: SavedView) -> None:
    """Write a view; another window may have taken its name at this moment."""
    try:
        with session.begin_nested():
            session.add(view)
    except IntegrityError as error:
        raise _taken(view.name) from error


def _check_query(query: str) -> None:
    if not query:
        raise InvalidInput("This list is neither filtered nor sorted: there is nothing to save.")
    if len(query) > QUERY_LENGTH:
        raise InvalidInput(
            f"The filters of this list have {len(query):,} characters, the limit of a view is "
            f"{QUERY_LENGTH:,}. Shorten the search."
        )
