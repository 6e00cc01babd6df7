"""The tree of tags as editors look at it: what uses each tag, and which are used by nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from cms.models import Deck, PublishedTag, Tag, question_tag
from cms.services.aliases import heads_of
from cms.services.chunks import chunks
from cms.services.deckfilters import filter_of

DecksByTag = dict[str, list[tuple[int, str]]]
"""Id and title of the decks whose filter names a tag, by the tag's path."""

# Rows of the tree that one page shows: it opens level by level as far as they fit.
SHOWN = 200


@dataclass(slots=True)
class Node:
    """A tag in its tree. `children` are in order; `size` counts the tags below it."""

    id: int
    slug: str
    name: str
    described: bool
    children: list[Node] = field(default_factory=list)
    size: int = 0

    @property
    def depth(self) -> int:
        """0 for a tag without parent."""
        return self.slug.count("/")

    @property
    def last_part(self) -> str:
        return self.slug.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Use:
    """What uses a tag.

    `own` counts the questions at the desk that have it, `all` those that have it or
    one below it, each once; `published` counts what readers find under it, `below`
    the tags under it and `decks` those whose filter names it.
    """

    own: int = 0
    all: int = 0
    published: int = 0
    below: int = 0
    decks: int = 0

    @property
    def is_none(self) -> bool:
        """Whether nothing uses the tag, so that it can be deleted."""
        return not (self.all or self.published or self.below or self.decks)


@dataclass(frozen=True, slots=True)
class Tree:
    """Some levels of the tree, each tag before those below it.

    `folded` are the ids of the shown tags whose children are not shown. `total`
    counts the tags of the whole branch, `pages` says in how many pages its top level comes;
    `above` are the paths over it, the outermost first.
    """

    rows: list[Node]
    folded: set[int]
    total: int
    pages: int
    above: list[str]


def tree(session: Session, under: str = "", page: int = 0) -> Tree:
    """Return the branch below the tag `under`, or the whole tree, in as many levels as fit.

    A top level of more than `SHOWN` tags comes in pages, the first of which is 0.
    What no tag has as its path has nothing below it.
    """
    roots, by_slug = _nodes(session)
    if under:
        root = by_slug.get(under)
        roots = root.children if root else []
    total = sum(1 + node.size for node in roots)
    pages = max(1, -(-len(roots) // SHOWN))
    roots = roots[page * SHOWN : (page + 1) * SHOWN]
    level = roots
    shown = {node.id for node in level}
    while level := [child for node in level for child in node.children]:
        if len(shown) + len(level) > SHOWN:
            break
        shown |= {node.id for node in level}
    rows = [node for node in _walk(roots) if node.id in shown]
    folded = {node.id for node in rows if node.children and node.children[0].id not in shown}
    return Tree(rows, folded, total, pages, heads_of(under) if under else [])


def _nodes(session: Session) -> tuple[list[Node], dict[str, Node]]:
    """Return the tags without parent, and every tag by its path."""
    rows = session.execute(select(Tag.id, Tag.slug, Tag.name, Tag.description != ""))
    nodes = sorted((Node(*row) for row in rows), key=lambda node: node.slug.split("/"))
    by_slug = {node.slug: node for node in nodes}
    roots: list[Node] = []
    for node in nodes:
        parent = by_slug.get(node.slug.rpartition("/")[0])
        (parent.children if parent else roots).append(node)
    for node in reversed(nodes):
        node.size = sum(1 + child.size for child in node.children)
    return roots, by_slug


def _walk(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _walk(node.children)


def uses(session: Session, tags: Iterable[tuple[int, str]], naming: DecksByTag) -> dict[int, Use]:
    """Return what uses each of these tags, given as pairs of id and path, by id.

    `naming` is what `decks_by_tag` returns. A few grouped queries, however many tags there are.
    """
    paths = dict(tags)
    counted: dict[int, tuple[int, int]] = {}
    below: dict[int, int] = {}
    published: dict[str, int] = {}
    for ids in chunks(sorted(paths)):
        start = select(Tag.id.label("top"), Tag.id.label("id")).where(Tag.id.in_(ids))
        lines = start.cte("lines", recursive=True)
        lines = lines.union_all(
            select(lines.c.top, Tag.id).join_from(lines, Tag, Tag.parent_id == lines.c.id)
        )
        sizes = select(lines.c.top, func.count() - 1).group_by(lines.c.top)
        below |= dict(session.execute(sizes).all())
        own = func.count().filter(lines.c.id == lines.c.top)
        for top, of_its_own, all_of in session.execute(
            select(lines.c.top, own, func.count(question_tag.c.question_id.distinct()))
            .join_from(lines, question_tag, question_tag.c.tag_id == lines.c.id)
            .group_by(lines.c.top)
        ):
            counted[top] = of_its_own, all_of
        live = select(PublishedTag.slug, PublishedTag.questions)
        slugs = [paths[id] for id in ids]
        published |= dict(session.execute(live.where(PublishedTag.slug.in_(slugs))).all())
    return {
        id: Use(
            *counted.get(id, (0, 0)),
            published.get(path, 0),
            below.get(id, 0),
            len(naming.get(path, ())),
        )
        for id, path in paths.items()
    }


def public_paths(session: Session, path: str) -> list[str]:
    """Return which paths of a tag and of those below it readers know, in order."""
    slug = PublishedTag.slug
    below = slug.startswith(f"{path}/", autoescape=True)
    return list(session.scalars(select(slug).where(or_(slug == path, below)).order_by(slug)))


def decks_by_tag(session: Session) -> DecksByTag:
    """Return id and title of the decks whose filter names a tag, by the tag's path."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for deck in session.scalars(select(Deck).order_by(Deck.title, Deck.id)):
        for path in dict.fromkeys(filter_of(deck).tags):
            found[path].append((deck.id, deck.title))
    return found


def is_unused(naming: DecksByTag) -> ColumnElement[bool]:
    """Whether nothing uses a tag: no question, no published text and no deck, nor a tag below it
    that something uses. `naming` is what `decks_by_tag` returns."""
    has_question = select(question_tag.c.tag_id).where(question_tag.c.tag_id == Tag.id).exists()
    is_published = select(PublishedTag.slug).where(PublishedTag.uid == Tag.uid).exists()
    used = (
        select(Tag.id, Tag.parent_id)
        .where(or_(has_question, is_published, Tag.slug.in_(naming)))
        .cte("used", recursive=True)
    )
    used = used.union(
        select(Tag.id, Tag.parent_id).join_from(used, Tag, Tag.id == used.c.parent_id)
    )
    return Tag.id.not_in(select(used.c.id))
