"""The shelf: building what is public from published revisions, never from working rows.

Every function here runs inside a release that the caller opened.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import asdict
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from cms.formats.assets import names_in
from cms.formats.item import Content, Item
from cms.models import (
    Change,
    Correction,
    Provenance,
    Publication,
    PublicationAsset,
    PublicationTag,
    Question,
    Release,
    Revision,
    SlugRedirect,
    Withdrawal,
)
from cms.services import deckmembers
from cms.services.assets import put_public, shown_images
from cms.services.changed import changed_parts
from cms.services.chunks import chunks
from cms.services.content import with_tag_slugs
from cms.services.decks import keep_decks
from cms.services.errata import correction_item, public_corrections, put_corrections
from cms.services.pagetexts import PageText, Rendering, Text, rendering
from cms.services.provenance import provenance_item
from cms.services.rendered import Images, Proofs, reads_the_same
from cms.services.shelftags import TagTree, count_tags, put_tags
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
    tags = TagTree(session)
    touched: set[str] = set()
    words = WordCount()
    uids: list[str] = []
    with rendering(len(question_ids)) as place:
        begun: deque[_Round] = deque()
        for ids in chunks(question_ids):
            begun.append(_begin(session, ids, release, tags, place, anew=anew))
            if len(begun) > place.ahead:
                uids += _put(session, begun.popleft(), release, what, touched, words)
        for each in begun:
            uids += _put(session, each, release, what, touched, words)
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
    count_tags(session, touched, TagTree(session))
    count_words(session, words.change)
    keep_decks(session, release, [question.uid for question in questions])


@dataclass(frozen=True, slots=True)
class _Round:
    """Some questions to put on the shelf: what was read of them, and their texts in the making.

    `rows` have id, uid and revision of each question, `held` the publications that are there,
    both by uid. `texts` returns the page texts of the items that `reworded` names, in order.
    """

    rows: Sequence[Any]
    held: Mapping[str, Any]
    items: Sequence[Item]
    reworded: Sequence[str]
    texts: Callable[[], list[PageText]]
    tagged: Mapping[str, set[str]]
    parts: Mapping[str, list[str]]
    corrections: dict[int, list[Correction]]
    images: Images


def _begin(
    session: Session,
    ids: Sequence[int],
    release: Release,
    tags: TagTree,
    place: Rendering,
    *,
    anew: bool,
) -> _Round:
    """Read some questions, and begin to render those whose text is new, or all of them `anew`."""
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
    items: list[Item] = []
    new: list[tuple[Item, Proofs]] = []
    tagged: dict[str, set[str]] = {}
    parts: dict[str, list[str]] = {}
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
        items.append(item)
        # Rendering a text again that reads the same would cost more than all the rest.
        if was is None or anew or not reads_the_same(item, was):
            new.append((item, runs.get(row.id, {})))
    images = shown_images(session, [name for item in items for name in names_in(item)])
    texts = [Text(item, proven, images) for item, proven in new]
    return _Round(
        rows,
        held,
        items,
        [text.item.uid or "" for text in texts],
        place.begin(texts),
        tagged,
        parts,
        corrections,
        images,
    )


def _put(
    session: Session,
    read: _Round,
    release: Release,
    what: ChangeKind,
    touched: set[str],
    words: WordCount,
) -> list[str]:
    """Put questions on the shelf and return their uids.

    The tags that they have or had join `touched`, their words `words`.
    """
    uids = [row.uid for row in read.rows]
    made = dict(zip(read.reworded, read.texts(), strict=True))
    publications = [_publication(item, read.held, made) for item in read.items]
    remade = [row for row in publications if "search_text" in row]
    words.take(_search_texts(session, [row["id"] for row in remade if "id" in row]))
    words.add(row["search_text"] for row in remade)
    placed = _put_publications(session, publications)
    touched |= put_tags(session, publications, read.tagged, placed)
    put_public(session, placed, read.items, read.images)
    _put_addresses(session, publications, {uid: row.slug for uid, row in read.held.items()})
    put_corrections(session, read.rows, read.corrections, release)
    session.execute(delete(Withdrawal).where(Withdrawal.uid.in_(uids)))
    session.execute(
        insert(Change),
        [
            {
                "release": release.number,
                "uid": row.uid,
                "what": what,
                "revision": row.number,
                "parts": read.parts[row.uid],
            }
            for row in read.rows
        ],
    )
    return uids


def _publication(
    item: Item, held: Mapping[str, Any], made: Mapping[str, PageText]
) -> dict[str, Any]:
    """Return the row of an item, with the id of the one that is held.

    Where its text was not made anew, what depends on the text alone is left out.
    """
    uid = item.uid or ""
    row = {
        "uid": uid,
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
    if uid in held:
        row["id"] = held[uid].id
    return row | made.get(uid, {})


def _search_texts(session: Session, ids: Sequence[int]) -> Iterable[str]:
    return session.scalars(select(Publication.search_text).where(Publication.id.in_(ids)))


def _put_publications(session: Session, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Write publications and return their ids by uid."""
    placed = {row["uid"]: row["id"] for row in rows if "id" in row}
    new = [row for row in rows if "id" not in row]
    if new:
        # It has many rows, so that the full-text index is written once, since it returns something.
        statement = insert(Publication).returning(Publication.uid, Publication.id)
        placed |= dict(session.connection().execute(statement, new).all())
    held = [row for row in rows if "id" in row]
    for some in ([r for r in held if "html" in r], [r for r in held if "html" not in r]):
        if some:
            session.execute(update(Publication), some)
    return placed


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
