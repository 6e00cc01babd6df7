"""What the uids and the paths of merged tags mean today: the tag that each was merged into.

Revisions are immutable and hold the uids of tags, files and forms hold paths: whoever maps
one of them to a tag asks here, so that a merge changes what no text of the past says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from cms.formats.item import SLUG_LIMIT
from cms.models import Tag, TagAlias
from cms.services.chunks import chunks

# A path leads to another at each step; a longer way is a fault, and following it
# for ever would be another.
STEPS = 20


def merged_uids(session: Session) -> dict[str, str]:
    """Return the uid of the living tag for that of each merged one."""
    return dict(session.execute(_survivors(Tag.uid)).all())


def living_uids(session: Session, uids: Iterable[str]) -> dict[str, str]:
    """Return the uid of the living tag that each of these means; two may mean the same.

    Those of deleted tags are left out.
    """
    return _found(session, uids, Tag.uid)


def current_uids(session: Session, uids: Iterable[str]) -> list[str]:
    """Return these uids, sorted and each once, with the survivors in place of merged tags."""
    wanted = list(uids)
    survivors: dict[str, str] = {}
    for some in chunks(wanted):
        survivors |= dict(session.execute(_survivors(Tag.uid, some)).all())
    return sorted({survivors.get(uid, uid) for uid in wanted})


def tag_slugs(session: Session, uids: Iterable[str]) -> dict[str, str]:
    """Return the path of the tag that each uid means; those of deleted tags are left out."""
    return _found(session, uids, Tag.slug)


def all_tag_slugs(session: Session) -> dict[str, str]:
    """Return the path of every tag by its uid, and by those of the tags merged into it."""
    slugs = dict(session.execute(select(Tag.uid, Tag.slug)).all())
    return slugs | dict(session.execute(_survivors(Tag.slug)).all())


def current_paths(session: Session, paths: Iterable[str]) -> dict[str, str]:
    """Return the path that each of these leads to; most lead to themselves.

    A path that no tag has, but a merged one had, means that of the survivor, and
    so it does as the head of a longer path: below it stands what stood below the
    merged tag.
    """
    found = {path: path for path in paths}
    moving = {path for path in found if len(path) <= SLUG_LIMIT}
    for _ in range(STEPS):
        heads = {head for path in moving for head in _heads(found[path])}
        living: set[str] = set()
        led: dict[str, str] = {}
        for some in chunks(sorted(heads)):
            living |= set(session.scalars(select(Tag.slug).where(Tag.slug.in_(some))))
            merged = select(TagAlias.slug, Tag.slug).join(TagAlias.tag)
            led |= dict(session.execute(merged.where(TagAlias.slug.in_(some))).all())
        if not led:
            break
        before = {path: found[path] for path in moving}
        for path in moving:
            head = next((each for each in _heads(found[path]) if each in living or each in led), "")
            if head and head not in living:
                found[path] = led[head] + found[path].removeprefix(head)
        moving = {path for path in moving if found[path] != before[path]}
        if not moving:
            break
    return found


def forget_paths(session: Session, paths: Iterable[str]) -> None:
    """Let these paths mean the tags that have them now, and no merged one any more."""
    for some in chunks(sorted(set(paths))):
        session.execute(
            update(TagAlias)
            .where(TagAlias.slug.in_(some))
            .values(slug="")
            .execution_options(synchronize_session=False)
        )


def heads_of(path: str) -> list[str]:
    """Return the paths of a tag's ancestors and its own, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _heads(path: str) -> Iterator[str]:
    """Yield a path and those above it, the longest first."""
    return (head for head in reversed(heads_of(path)) if head)


def _found(session: Session, uids: Iterable[str], column: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in chunks(sorted(set(uids))):
        found |= dict(session.execute(select(Tag.uid, column).where(Tag.uid.in_(some))).all())
        found |= dict(session.execute(_survivors(column, some)).all())
    return found


def _survivors(column: Any, uids: Iterable[str] | None = None) -> Select[Any]:
    """Select a column of the survivor of each merged tag, or of some, with the merged one's uid."""
    statement = select(TagAlias.uid, column).join(TagAlias.tag)
    return statement if uids is None else statement.where(TagAlias.uid.in_(uids))
