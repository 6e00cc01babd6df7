"""Tags: a tree by path. Renaming a published one is a release, and its old path redirects."""

import contextlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, WrongState
from cms.formats.checks import tag_faults
from cms.formats.item import TagItem
from cms.formats.normalizing import normalized_tag
from cms.models import (
    Publication,
    PublicationTag,
    PublishedTag,
    Question,
    SlugRedirect,
    Tag,
    User,
    new_uid,
    question_tag,
)
from cms.services import shelf
from cms.services.audit import record
from cms.services.decks import keep_decks, naming_tags, rename_tags
from cms.services.permissions import require
from cms.services.releases import open_release
from cms.vocabulary import ChangeKind, Role


def resolve(
    session: Session,
    slugs: Iterable[str],
    *,
    by: User | None,
    at: datetime,
    described: Iterable[TagItem] = (),
) -> dict[str, Tag]:
    """Return the tag of each path; missing ones are made, with their ancestors.

    `described` gives names, descriptions and uids to those that are made.

    :raises InvalidContent: when a path cannot be a tag's
    """
    require(by, Role.contributor, "use tags")
    items = {tag.slug: normalized_tag(tag) for tag in described}
    wanted = list(dict.fromkeys([*slugs, *items]))
    for slug in wanted:
        found = list(tag_faults(items.get(slug, TagItem(slug=slug))))
        if found:
            raise InvalidContent([("tags", found[0][1])])
    tags = {tag.slug: tag for tag in session.scalars(select(Tag))}
    uids = {tag.uid for tag in tags.values()}
    for slug in sorted(wanted):
        parts = slug.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path in tags:
                continue
            item = items.get(path, TagItem(slug=path))
            tag = Tag(
                uid=item.uid if item.uid and item.uid not in uids else new_uid(),
                slug=path,
                name=item.name or _name(path),
                description=item.description,
                parent=tags.get("/".join(parts[: depth - 1])),
            )
            session.add(tag)
            tags[path] = tag
            uids.add(tag.uid)
            record(session, by=by, at=at, action="tag.create", about=f"tag:{tag.uid}", slug=path)
    session.flush()
    return {slug: tags[slug] for slug in wanted}


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
    new path, the old one redirects.

    :raises InvalidContent: when a field breaks a rule, or the path is taken
    """
    require(by, Role.editor, "change tags")
    item = normalized_tag(TagItem(slug=slug, name=name, description=description))
    found = list(tag_faults(item))
    if not item.name:
        found.append(("name", "It is empty. Name the tag as readers will see it."))
    holder = session.scalar(select(Tag).filter_by(slug=item.slug))
    if holder is not None and holder is not tag:
        found.append(("slug", f"The tag '{item.slug}' exists already."))
    if tag is not None and item.slug.startswith(f"{tag.slug}/"):
        found.append(("slug", "A tag cannot move below itself."))
    if found:
        raise InvalidContent(found)
    if tag is None:
        return resolve(session, [item.slug], by=by, at=at, described=[item])[item.slug]
    before = {"slug": tag.slug, "name": tag.name, "description": tag.description}
    old = tag.slug
    moved = _branch(session, old) if item.slug != old else [tag]
    paths = {each.slug for each in moved}
    if item.slug != old:
        parent = item.slug.rpartition("/")[0]
        tag.parent = resolve(session, [parent], by=by, at=at)[parent] if parent else None
        for each in moved:
            each.slug = item.slug + each.slug.removeprefix(old)
    tag.name = item.name
    tag.description = item.description
    record(session, by=by, at=at, action="tag.save", about=f"tag:{tag.uid}", before=before)
    session.flush()
    _refresh_public(session, paths, {each.slug: each for each in moved}, old, tag, by=by, at=at)
    return tag


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
    session.delete(tag)
    session.flush()


def delete_unused(session: Session, uids: Iterable[str], *, by: User | None, at: datetime) -> None:
    """Delete those of these tags that nothing uses, the innermost first."""
    found = session.scalars(select(Tag).where(Tag.uid.in_(list(uids)))).all()
    for tag in sorted(found, key=lambda tag: -tag.slug.count("/")):
        with contextlib.suppress(WrongState):
            delete_tag(session, tag, by=by, at=at)


def _refresh_public(
    session: Session,
    old_paths: set[str],
    new_paths: dict[str, Tag],
    old: str,
    tag: Tag,
    *,
    by: User | None,
    at: datetime,
) -> None:
    """Publish a tag's change: refresh the questions below it, leave redirects, tell the decks."""
    moves = {old + path.removeprefix(tag.slug): path for path in new_paths if tag.slug != old}
    public = session.scalar(select(exists().where(PublishedTag.slug == old)))
    # Asked in any case: the decks are locked by it, and that before the release.
    named = naming_tags(session, moves)
    if not public and not named:
        return
    release = open_release(session, by=by, at=at, summary=f"Changed the tag {tag.slug}")
    if public:
        session.query(SlugRedirect).filter(
            SlugRedirect.what == "tag", SlugRedirect.slug.in_(list(new_paths))
        ).delete()
        for former, path in moves.items():
            session.merge(SlugRedirect(what="tag", slug=former, uid=new_paths[path].uid))
    if public and moves:
        ids = session.scalars(
            select(Question.id)
            .join(Publication, Publication.uid == Question.uid)
            .where(
                Publication.id.in_(
                    select(PublicationTag.publication_id).where(PublicationTag.tag == old)
                )
            )
        ).all()
        shelf.refresh(session, ids, release, ChangeKind.refreshed)
    shelf.count_tags(session, old_paths | set(new_paths))
    rename_tags(session, release, moves, at=at)
    keep_decks(session, release)


def _branch(session: Session, slug: str) -> list[Tag]:
    """Return the tag with this path and all below it."""
    return list(
        session.scalars(
            select(Tag)
            .where(or_(Tag.slug == slug, Tag.slug.startswith(f"{slug}/", autoescape=True)))
            .order_by(Tag.slug)
        )
    )


def _name(path: str) -> str:
    """Return a first name for a tag that only has a path: its last part, in words."""
    return path.rpartition("/")[2].replace("-", " ").capitalize()
