"""Tags: a tree by path. Renaming a published one is a release, and its old path redirects."""

import contextlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, exists, insert, or_, select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, WrongState
from cms.formats.checks import tag_faults
from cms.formats.item import SLUG_LIMIT, TagItem
from cms.formats.normalizing import normalized_tag
from cms.models import (
    Publication,
    PublicationTag,
    PublishedTag,
    Question,
    Release,
    SlugRedirect,
    Tag,
    TagAlias,
    User,
    new_uid,
    question_tag,
)
from cms.services import shelf
from cms.services.aliases import current_paths, forget_paths, heads_of, living_uids
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.deckfilters import naming_tags
from cms.services.decks import keep_decks, rename_tags
from cms.services.permissions import require
from cms.services.releases import open_release
from cms.services.shelftags import count_tags
from cms.vocabulary import ChangeKind, Role

_APART = {"synchronize_session": False}


def resolve(
    session: Session,
    slugs: Iterable[str],
    *,
    by: User | None,
    at: datetime,
    described: Iterable[TagItem] = (),
) -> dict[str, Tag]:
    """Return the tag of each path; missing ones are made, with their ancestors.

    A path that a merged tag had means the survivor. `described` gives names,
    descriptions and uids to those that are made; a tag that the bank knows by its
    uid is there already, wherever it is now.

    :raises InvalidContent: when a path cannot be a tag's
    """
    require(by, Role.contributor, "use tags")
    items = {tag.slug: normalized_tag(tag) for tag in described}
    known = living_uids(session, [item.uid for item in items.values() if item.uid])
    new = [slug for slug, item in items.items() if item.uid not in known]
    wanted = list(dict.fromkeys([*slugs, *new]))
    for slug in wanted:
        found = list(tag_faults(items.get(slug, TagItem(slug=slug))))
        if found:
            raise InvalidContent([("tags", found[0][1])])
    current = current_paths(session, wanted)
    tags = _make(session, current.values(), items, by=by, at=at)
    return {slug: tags[current[slug]] for slug in wanted}


def _make(
    session: Session,
    paths: Iterable[str],
    items: Mapping[str, TagItem],
    *,
    by: User | None,
    at: datetime,
) -> dict[str, Tag]:
    """Return the tags at these paths and above them; missing ones are made as `items` say."""
    wanted = sorted({head for path in paths for head in heads_of(path)})
    tags: dict[str, Tag] = {}
    for some in chunks(wanted):
        # Held until the end: nobody merges them away before they are used.
        held = select(Tag).where(Tag.slug.in_(some)).order_by(Tag.id)
        for tag in session.scalars(held.with_for_update(read=True, key_share=True)):
            tags[tag.slug] = tag
    missing = [path for path in wanted if path not in tags]
    if not missing:
        return tags
    asked = [item.uid for path in missing if (item := items.get(path)) and item.uid]
    taken = set(living_uids(session, asked))
    for path in missing:
        item = items.get(path, TagItem(slug=path))
        tag = Tag(
            uid=item.uid if item.uid and item.uid not in taken else new_uid(),
            slug=path,
            name=item.name or _name(path),
            description=item.description,
            parent=tags.get(path.rpartition("/")[0]),
        )
        session.add(tag)
        tags[path] = tag
        taken.add(tag.uid)
        record(session, by=by, at=at, action="tag.create", about=f"tag:{tag.uid}", slug=path)
    forget_paths(session, missing)
    session.flush()
    return tags


def save_tag(
    session: Session,
    tag: Tag | None,
    *,
    slug: str,
    name: str,
    description: str,
    by: User | None,
    at: datetime,
) -> Tag:
    """Make or change a tag. A new path moves its descendants along.

    What is public follows in one release: pages, lists and exports name the
    new path, the old one redirects. A path that a merged tag had is free again.

    :raises InvalidContent: when a field breaks a rule, or the path is taken
    """
    require(by, Role.editor, "change tags")
    item = normalized_tag(TagItem(slug=slug, name=name, description=description))
    found = list(tag_faults(item))
    if not item.name:
        found.append(("name", "It is empty. Name the tag as readers will see it."))
    holder = session.scalar(select(Tag).filter_by(slug=item.slug))
    if holder is not None and holder is not tag:
        merge = "" if tag is None else " Merge this one into it, or choose another path."
        found.append(("slug", f"The tag '{item.slug}' exists already.{merge}"))
    if tag is not None and item.slug.startswith(f"{tag.slug}/"):
        found.append(("slug", "A tag cannot move below itself."))
    if found:
        raise InvalidContent(found)
    if tag is None:
        return _make(session, [item.slug], {item.slug: item}, by=by, at=at)[item.slug]
    before = {"slug": tag.slug, "name": tag.name, "description": tag.description}
    old = tag.slug
    moved = branch(session, old) if item.slug != old else [tag]
    paths = {each.slug: item.slug + each.slug.removeprefix(old) for each in moved}
    if faults := too_long(paths):
        raise InvalidContent([("slug", faults)])
    if item.slug != old:
        parent = item.slug.rpartition("/")[0]
        tag.parent = _make(session, [parent], {}, by=by, at=at)[parent] if parent else None
        for each in moved:
            each.slug = paths[each.slug]
        forget_paths(session, paths.values())
    tag.name = item.name
    tag.description = item.description
    record(session, by=by, at=at, action="tag.save", about=f"tag:{tag.uid}", before=before)
    session.flush()
    publish_moves(
        session,
        old,
        {path: each for path, each in zip(paths, moved, strict=True) if item.slug != old},
        {*paths, *paths.values()},
        by=by,
        at=at,
        summary=f"Changed the tag {tag.slug}",
    )
    return tag


def too_long(paths: Mapping[str, str]) -> str:
    """Return what is wrong with the paths that tags move to, by those that they have; else ''."""
    for old, path in paths.items():
        if len(path) > SLUG_LIMIT:
            return (
                f"‘{old}’ would become ‘{path[:60]}…’, which has {len(path)} characters; the limit "
                f"is {SLUG_LIMIT}. Shorten its path first."
            )
    return ""


def delete_tag(session: Session, tag: Tag, *, by: User | None, at: datetime) -> None:
    """Delete a tag that nothing uses.

    :raises WrongState: while a question, a published text, a tag below it or a deck uses it
    """
    require(by, Role.editor, "delete tags")
    used = session.scalar(select(exists().where(question_tag.c.tag_id == tag.id)))
    public = session.scalar(select(exists().where(PublishedTag.uid == tag.uid)))
    below = session.scalar(select(exists().where(Tag.parent_id == tag.id)))
    if used or public or below:
        user = "a question" if used else "a published question" if public else "a tag below it"
        raise WrongState(f"'{tag.slug}' is used by {user}. Take it off there first.")
    if decks := naming_tags(session, [tag.slug]):
        raise WrongState(
            f"'{tag.slug}' is used by the deck '{decks[0].title}'. Take it out of its filter first."
        )
    record(
        session,
        by=by,
        at=at,
        action="tag.delete",
        about=f"tag:{tag.uid}",
        slug=tag.slug,
        name=tag.name,
        description=tag.description,
    )
    # What was merged into it means nothing any more, as it does.
    session.execute(delete(TagAlias).where(TagAlias.tag_id == tag.id), execution_options=_APART)
    session.delete(tag)
    session.flush()


def delete_unused(session: Session, uids: Iterable[str], *, by: User | None, at: datetime) -> int:
    """Delete those of these tags that nothing uses, the innermost first; return how many."""
    found = session.scalars(select(Tag).where(Tag.uid.in_(list(uids)))).all()
    count = 0
    for tag in sorted(found, key=lambda tag: -tag.slug.count("/")):
        with contextlib.suppress(WrongState):
            delete_tag(session, tag, by=by, at=at)
            count += 1
    return count


def publish_moves(
    session: Session,
    root: str,
    moved: Mapping[str, Tag],
    named: Iterable[str],
    *,
    by: User | None,
    at: datetime,
    summary: str,
    redirected: bool = False,
) -> Release | None:
    """Publish a change of the tag that readers know at `root`; None if they see none.

    `moved` has the tags that stand for former paths from now on: questions get their
    paths, the former ones redirect, and decks follow. `named` are the paths whose
    published names and counts are looked at again. `redirected` says that other
    addresses were led elsewhere already, which is public in any case.
    """
    public = is_public(session, root)
    moves = {former: tag.slug for former, tag in moved.items()}
    # Asked in any case: the decks are locked by it, and that before the release.
    naming = naming_tags(session, moves)
    if not public and not naming and not redirected:
        return None
    release = open_release(session, by=by, at=at, summary=summary)
    if public and moved:
        _redirect(session, moved)
        ids = session.scalars(
            select(Question.id)
            .join(Publication, Publication.uid == Question.uid)
            .where(
                Publication.id.in_(
                    select(PublicationTag.publication_id).where(PublicationTag.tag == root)
                )
            )
        ).all()
        shelf.refresh(session, ids, release, ChangeKind.refreshed)
    count_tags(session, named)
    rename_tags(session, release, moves, at=at)
    keep_decks(session, release)
    return release


def is_public(session: Session, path: str) -> bool:
    """Whether readers know a tag with this path: whether a published question has it."""
    return bool(session.scalar(select(exists().where(PublishedTag.slug == path))))


def _redirect(session: Session, moved: Mapping[str, Tag]) -> None:
    """Let former paths that readers know lead to the tags that stand for them.

    Where one of them is another public tag's now, counting that one takes the address back.
    """
    for some in chunks(sorted(moved)):
        known = session.scalars(select(PublishedTag.slug).where(PublishedTag.slug.in_(some)))
        rows = [{"what": "tag", "slug": slug, "uid": moved[slug].uid} for slug in known]
        if rows:
            session.execute(insert(SlugRedirect), rows)


def branch(session: Session, slug: str) -> list[Tag]:
    """Return the tag with this path and all below it, each after those above it."""
    return list(
        session.scalars(
            select(Tag)
            .where(or_(Tag.slug == slug, Tag.slug.startswith(f"{slug}/", autoescape=True)))
            .order_by(Tag.slug)
            .execution_options(populate_existing=True)
        )
    )


def _name(path: str) -> str:
    """Return a first name for a tag that only has a path: its last part, in words."""
    return path.rpartition("/")[2].replace("-", " ").capitalize()
