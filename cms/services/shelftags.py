"""The tags of the shelf: which ones each publication has, and how many questions each one has."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from cms.models import PublicationTag, PublishedTag, SlugRedirect, Tag
from cms.services.aliases import all_tag_slugs, heads_of
from cms.services.chunks import chunks


class TagTree:
    """The tags of the working copy, read once for a whole refresh."""

    def __init__(self, session: Session) -> None:
        self.by_slug = {
            row.slug: row
            for row in session.execute(select(Tag.uid, Tag.slug, Tag.name, Tag.description))
        }
        self.slugs = all_tag_slugs(session)

    @staticmethod
    def with_ancestors(slugs: Iterable[str]) -> set[str]:
        """Return these paths and every path above them."""
        return {path for slug in slugs for path in heads_of(slug)}


def put_tags(
    session: Session,
    publications: Sequence[dict[str, Any]],
    tagged: Mapping[str, set[str]],
    placed: Mapping[str, int],
) -> set[str]:
    """Write the tags of publications anew; return every tag that one has or had."""
    ids = list(placed.values())
    before = set(
        session.scalars(
            select(PublicationTag.tag).where(PublicationTag.publication_id.in_(ids)).distinct()
        )
    )
    session.execute(delete(PublicationTag).where(PublicationTag.publication_id.in_(ids)))
    rows = [
        {
            "publication_id": placed[row["uid"]],
            "tag": tag,
            "release": row["release"],
            "title_key": row["title_key"],
        }
        for row in publications
        for tag in sorted(tagged[row["uid"]])
    ]
    if rows:
        session.execute(insert(PublicationTag), rows)
    return before.union(*tagged.values()) if tagged else before


def count_tags(session: Session, slugs: Iterable[str], tags: TagTree | None = None) -> None:
    """Bring the published tags with these paths up to date: their names and their counts.

    The address of a public tag is no redirect any more, whatever was there before.
    """
    tags = tags or TagTree(session)
    rounds = list(chunks(sorted(slugs)))
    # All go before one comes: a tag that moved has one row, at its new path.
    for some in rounds:
        session.execute(delete(PublishedTag).where(PublishedTag.slug.in_(some)))
    for some in rounds:
        counts = dict(
            session.execute(
                select(PublicationTag.tag, func.count())
                .where(PublicationTag.tag.in_(some))
                .group_by(PublicationTag.tag)
            ).all()
        )
        rows = [
            {
                "slug": slug,
                "uid": tags.by_slug[slug].uid,
                "name": tags.by_slug[slug].name,
                "description": tags.by_slug[slug].description,
                "questions": counts[slug],
            }
            for slug in some
            if slug in counts
        ]
        if rows:
            session.execute(insert(PublishedTag), rows)
            addressed = SlugRedirect.slug.in_(counts)
            session.execute(
                delete(SlugRedirect).where(SlugRedirect.what == "tag", addressed),
                execution_options={"synchronize_session": False},
            )
