"""The shelf: building what is public from published revisions, never from working rows.

Every function here runs inside a release that the caller opened.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from cms.formats.assets import names_in
from cms.formats.item import Content, Item
from cms.models import (
    Change,
    Provenance,
    Publication,
    PublicationAsset,
    PublicationTag,
    PublishedTag,
    Question,
    Release,
    Revision,
    SlugRedirect,
    Tag,
    Withdrawal,
)
from cms.services import deckmembers
from cms.services.aliases import all_tag_slugs, heads_of
from cms.services.assets import put_public, shown_images
from cms.services.changed import changed_parts
from cms.services.chunks import chunks
from cms.services.content import searchable, with_tag_slugs
from cms.services.decks import keep_decks
from cms.services.errata import correction_item, public_corrections, put_corrections
from cms.services.provenance import provenance_item
from cms.services.rendered import Images, Proofs, reads_the_same, render_item, summary_of
from cms.services.spelling import WordCount, count_words
from cms.services.verify.samples import proofs
from cms.text import title_key
from cms.vocabulary import ChangeKind


def refresh(
    session: Session,
    question_ids: Sequence[int],
    release: Release,
    what: ChangeKind,
    *,
    anew: bool = False,
) -> None:
    """Build the publications of these published questions again, as part of `release`.

    Writes their Change rows, redirects, errata, the counts of the tags that they
    have or had, and the decks that they come to, stay in or leave. Texts that did
    not change are rendered only where they are wanted `anew`: when it is their
    code runs that changed.
    """
    tags = _TagTree(session)
    touched: set[str] = set()
    words = WordCount()
    uids: list[str] = []
    for ids in chunks(question_ids):
        uids += _refresh_chunk(session, ids, release, what, tags, touched, words, anew=anew)
    count_tags(session, touched, tags)
    count_words(session, words.change)
    keep_decks(session, release, uids)


def withdraw(
    session: Session,
    questions: Sequence[Question],
    release: Release,
    *,
    reason: str,
    purged: bool = False,
) -> None:
    """Take published questions off the shelf, out of their decks too, and leave tombstones.

    Those of `purged` questions say nothing but the address and the reason.
    """
    touched: set[str] = set()
    words = WordCount()
    gone = ChangeKind.purged if purged else ChangeKind.retired
    for some in chunks(questions):
        uids = [question.uid for question in some]
        rows = session.execute(
            select(Publication.uid, Publication.slug, Publication.stem, Publication.id).where(
                Publication.uid.in_(uids)
            )
        ).all()
        ids = [row.id for row in rows]
        touched |= set(
            session.scalars(
                select(PublicationTag.tag).where(PublicationTag.publication_id.in_(ids)).distinct()
            )
        )
        words.take(_search_texts(session, ids))
        deckmembers.leave(session, release, ids)
        for table in (PublicationAsset, PublicationTag):
            session.execute(delete(table).where(table.publication_id.in_(ids)))
        session.execute(delete(Publication).where(Publication.id.in_(ids)))
        merged = {
            question.uid: question.merged_into.uid if question.merged_into else None
            for question in some
        }
        session.execute(
            insert(Withdrawal),
            [
                {
                    "uid": row.uid,
                    "slug": row.slug,
                    "stem": "" if purged else row.stem,
                    "release": release.number,
                    "merged_into": merged[row.uid],
                    "reason": reason,
                    "at": release.at,
                }
                for row in rows
            ],
        )
        session.execute(
            insert(Change),
            [
                {
                    "release": release.number,
                    "uid": row.uid,
                    "what": ChangeKind.merged if merged[row.uid] else gone,
                    "revision": None,
                }
                for row in rows
            ],
        )
    count_tags(session, touched, _TagTree(session))
    count_words(session, words.change)
    keep_decks(session, release, [question.uid for question in questions])


def _refresh_chunk(
    session: Session,
    ids: Sequence[int],
    release: Release,
    what: ChangeKind,
    tags: "_TagTree",
    touched: set[str],
    words: WordCount,
    *,
    anew: bool,
) -> list[str]:
    """Refresh some questions and return their uids.

    The tags that they have or had join `touched`, their words `words`.
    """
    rows = session.execute(
        select(Question.id, Question.uid, Revision.number, Revision.content, Revision.content_hash)
        .join(
            Revision,
            (Revision.question_id == Question.id) & (Revision.number == Question.published_number),
        )
        .where(Question.id.in_(ids))
        .order_by(Question.id)
    ).all()
    uids = [row.uid for row in rows]
    held = {
        row.uid: row
        for row in session.execute(
            select(
                Publication.id,
                Publication.uid,
                Publication.slug,
                Publication.published_at,
                Publication.document,
            ).where(Publication.uid.in_(uids))
        )
    }
    corrections = public_corrections(session, {row.id: row.number for row in rows})
    origins = {
        origin.question_id: origin
        for origin in session.scalars(select(Provenance).where(Provenance.question_id.in_(ids)))
    }
    runs = proofs(session, ids)
    items: list[tuple[int, Item]] = []
    tagged: dict[str, set[str]] = {}
    parts: dict[str, list[str]] = {}
    former: dict[str, Item | None] = {}
    for row in rows:
        before = held.get(row.uid)
        was = msgspec.json.decode(before.document, type=Item) if before else None
        content = msgspec.json.decode(row.content, type=Content)
        origin = origins.get(row.id)
        item = Item(
            **asdict(with_tag_slugs(content, tags.slugs)),
            corrections=[correction_item(each) for each in corrections.get(row.id, [])],
            provenance=provenance_item(origin) if origin else None,
            revision=row.number,
            content_hash=row.content_hash,
            release=release.number,
            published_at=before.published_at if before else release.at,
            updated_at=release.at,
        )
        tagged[row.uid] = tags.with_ancestors(item.tags)
        parts[row.uid] = changed_parts(was, item) if was else []
        items.append((row.id, item))
        former[row.uid] = was
    images = shown_images(session, [name for _, item in items for name in names_in(item)])
    publications = [
        _publication(
            item,
            held[item.uid].id if item.uid in held else None,
            former[item.uid or ""],
            runs.get(id, {}),
            images,
            anew=anew,
        )
        for id, item in items
    ]
    remade = [row for row in publications if "search_text" in row]
    words.take(_search_texts(session, [row["id"] for row in remade if "id" in row]))
    words.add(row["search_text"] for row in remade)
    _put_publications(session, publications)
    placed = dict(
        session.execute(
            select(Publication.uid, Publication.id).where(Publication.uid.in_(uids))
        ).all()
    )
    touched |= _put_tags(session, publications, tagged, placed)
    put_public(session, placed, [item for _, item in items], images)
    _put_addresses(session, publications, {uid: row.slug for uid, row in held.items()})
    put_corrections(session, rows, corrections, release)
    session.execute(delete(Withdrawal).where(Withdrawal.uid.in_(uids)))
    session.execute(
        insert(Change),
        [
            {
                "release": release.number,
                "uid": row.uid,
                "what": what,
                "revision": row.number,
                "parts": parts[row.uid],
            }
            for row in rows
        ],
    )
    return uids


def _publication(
    item: Item,
    held_id: int | None,
    held: Item | None,
    proofs: Proofs,
    images: Images,
    *,
    anew: bool,
) -> dict[str, Any]:
    """Return the row of an item, with the id of the one that is held.

    Where that one's text reads the same, what is made of the text alone is left
    out, unless it is wanted `anew`: rendering it again would cost more than all the rest.
    """
    row = {
        "uid": item.uid,
        "slug": item.slug,
        "title_key": title_key(item.stem),
        "difficulty": item.difficulty,
        "tags": item.tags,
        "document": msgspec.json.encode(item).decode(),
        "revision": item.revision,
        "release": item.release,
        "published_at": item.published_at,
        "updated_at": item.updated_at,
    }
    if held is not None:
        row["id"] = held_id
        if not anew and reads_the_same(item, held):
            return row
    return row | {
        "stem": item.stem,
        "summary": summary_of(item),
        "html": msgspec.json.encode(render_item(item, proofs, images)).decode(),
        "search_text": searchable(item),
        "corrections": len(item.corrections),
    }


def _search_texts(session: Session, ids: Sequence[int]) -> Iterable[str]:
    return session.scalars(select(Publication.search_text).where(Publication.id.in_(ids)))


def _put_publications(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    new = [row for row in rows if "id" not in row]
    if new:
        session.execute(insert(Publication), new)
    held = [row for row in rows if "id" in row]
    for some in ([r for r in held if "html" in r], [r for r in held if "html" not in r]):
        if some:
            session.execute(update(Publication), some)


def _put_tags(
    session: Session,
    publications: Sequence[dict[str, Any]],
    tagged: dict[str, set[str]],
    placed: dict[str, int],
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


def _put_addresses(
    session: Session, publications: Sequence[dict[str, Any]], before: dict[str, str]
) -> None:
    """Leave a redirect at each address that changed; a question's own address is no redirect."""
    slugs = [row["slug"] for row in publications]
    session.execute(
        delete(SlugRedirect).where(SlugRedirect.what == "question", SlugRedirect.slug.in_(slugs))
    )
    for row in publications:
        old = before.get(row["uid"])
        if old is not None and old != row["slug"]:
            session.merge(SlugRedirect(what="question", slug=old, uid=row["uid"]))
    session.flush()


class _TagTree:
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


def count_tags(session: Session, slugs: Iterable[str], tags: _TagTree | None = None) -> None:
    """Bring the published tags with these paths up to date: their names and their counts.

    The address of a public tag is no redirect any more, whatever was there before.
    """
    tags = tags or _TagTree(session)
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
