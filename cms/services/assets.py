"""Images of the bank: uploading, which questions show them, and their end when none does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, cast, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session, undefer

from cms.errors import InvalidInput, NotFound, WrongState
from cms.formats.assets import Picture, asset_names, names_in, picture, texts_of
from cms.formats.item import ASSET_PATTERN, LINE_LIMIT, AssetItem, Content, Item
from cms.markup import ASSET_SCHEME, Shown, images_in
from cms.models import (
    Asset,
    Autosave,
    BulkRow,
    Comment,
    Correction,
    Deck,
    ImportRow,
    PublicationAsset,
    Question,
    QuestionAsset,
    Tag,
    User,
)
from cms.services.audit import record
from cms.services.chunks import chunks
from cms.services.permissions import require
from cms.text import normalize_line
from cms.vocabulary import Role

UNUSED_KEPT = timedelta(days=7)
"""How long an image stays that no question refers to."""

PUBLIC = "/assets/"
DESK = "/admin/assets/"
"""Where the images are that the public site shows, and where the desk has them all."""

UNDESCRIBED = "An image has no words. Describe it between the brackets: ![what it shows](…)."
UNKNOWN = "The image ‘{}’ is not in the bank. Upload it, or take it out of the text."

_NAME = re.compile(ASSET_PATTERN)
_APART = {"synchronize_session": False}


# --- taking in --------------------------------------------------------------------


def upload(session: Session, data: bytes, *, alt: str = "", by: User | None, at: datetime) -> Asset:
    """Keep an image, cleaned; one that is there already is returned as it is.

    `alt` describes it for texts that do not; a description that is there stays.

    :raises NotAllowed: when the actor may not write at all
    :raises InvalidInput: when it is no image that the bank keeps
    """
    require(by, Role.contributor, "upload images")
    alt = normalize_line(alt)
    if len(alt) > LINE_LIMIT:
        raise InvalidInput(f"Describe it in at most {LINE_LIMIT} characters.", field="alt")
    return _keep(session, picture(data), alt, by=by, at=at)


def _keep(session: Session, found: Picture, alt: str, *, by: User | None, at: datetime) -> Asset:
    held = session.scalar(select(Asset).filter_by(name=found.name))
    if held is not None:
        held.alt = held.alt or alt
        held.unused_since = None
        session.flush()
        return held
    asset = Asset(
        name=found.name,
        media_type=found.media_type,
        size=len(found.data),
        width=found.width,
        height=found.height,
        data=found.data,
        alt=alt,
        uploaded_by_id=by.id if by else None,
        uploaded_at=at,
    )
    session.add(asset)
    record(
        session,
        by=by,
        at=at,
        action="asset.upload",
        about=f"asset:{asset.name}",
        size=asset.size,
        alt=alt,
    )
    session.flush()
    return asset


def take_in(
    session: Session, items: Iterable[AssetItem], *, by: User | None, at: datetime
) -> list[str]:
    """Keep the images of a file; return a sentence for each that is refused.

    They are held to what an upload is held to, and to the name that the file gives them.
    """
    notes = []
    for item in items:
        try:
            found = picture(item.data)
            if found.name != item.name:
                raise InvalidInput(
                    "Its name is not that of its bytes. Export it again, or upload it at the desk."
                )
        except InvalidInput as error:
            notes.append(f"The image {item.name} was left out, its words stay. {error}")
        else:
            alt = normalize_line(item.alt)[:LINE_LIMIT]
            _keep(session, found, alt, by=by, at=at)
    return notes


# --- showing ----------------------------------------------------------------------


def find_asset(session: Session, name: str, *, public: bool) -> Asset:
    """Return an image with its bytes; a `public` one is shown by a live question.

    :raises NotFound: when there is none of that name
    """
    statement = select(Asset).where(Asset.name == name).options(undefer(Asset.data))
    if public:
        statement = statement.where(exists().where(PublicationAsset.name == Asset.name))
    asset = session.scalar(statement) if _NAME.fullmatch(name) else None
    if asset is None:
        raise NotFound("There is no such image.")
    return asset


def asset_of(session: Session, name: str) -> AssetItem | None:
    """Return an image as exports carry it; None where the bank has none of that name."""
    row = session.execute(select(Asset.data, Asset.alt).where(Asset.name == name)).first()
    return AssetItem(name=name, data=row.data, alt=row.alt) if row else None


def shown_images(session: Session, names: Sequence[str], place: str = PUBLIC) -> dict[str, Shown]:
    """Return what `markup.render` is told of images that the bank has, by their addresses.

    `place` is PUBLIC or DESK.
    """
    found: dict[str, Shown] = {}
    for some in chunks(list(dict.fromkeys(names))):
        rows = session.execute(
            select(Asset.name, Asset.width, Asset.height, Asset.alt).where(Asset.name.in_(some))
        )
        for name, width, height, alt in rows:
            found[ASSET_SCHEME + name] = Shown(f"{place}{name}", width, height, alt)
    return found


# --- which questions show what ----------------------------------------------------


def note_uses(session: Session, texts: Iterable[tuple[int, str]]) -> None:
    """Keep which images questions name, given by id and text; JSON that holds Markdown will do.

    Whoever appends a revision, or files a correction, says so here.
    """
    wanted = {(key, name) for key, text in texts for name in asset_names(text)}
    for some in chunks(sorted(wanted)):
        ids = {key for key, _ in some}
        held = session.execute(
            select(QuestionAsset.question_id, QuestionAsset.name).where(
                QuestionAsset.question_id.in_(ids)
            )
        ).all()
        new = set(some) - {(key, name) for key, name in held}
        if new:
            session.execute(
                insert(QuestionAsset),
                [{"question_id": key, "name": name} for key, name in sorted(new)],
            )
            session.execute(
                update(Asset)
                .where(Asset.name.in_({name for _, name in new}), Asset.unused_since.is_not(None))
                .values(unused_since=None),
                execution_options=_APART,
            )


def put_public(
    session: Session, placed: Mapping[str, int], items: Iterable[Item], known: Iterable[str]
) -> None:
    """Write anew which images live questions show; `placed` has their publications' ids by uid.

    `known` are the addresses of those that the bank has.
    """
    session.execute(
        delete(PublicationAsset).where(PublicationAsset.publication_id.in_(placed.values())),
        execution_options=_APART,
    )
    names = {address.removeprefix(ASSET_SCHEME) for address in known}
    rows = [
        {"publication_id": placed[item.uid or ""], "name": name}
        for item in items
        for name in names_in(item)
        if name in names
    ]
    if rows:
        session.execute(insert(PublicationAsset), rows)


def image_faults(session: Session, contents: Mapping[int, Content]) -> dict[int, list[str]]:
    """Return what keeps the images of contents from going public, by the contents' keys."""
    shown = {
        key: [image for text in texts_of(content) for image in images_in(text)]
        for key, content in contents.items()
    }
    addresses = {address for images in shown.values() for address, _ in images}
    known = shown_images(session, asset_names("\n".join(addresses)))
    found: dict[int, list[str]] = {}
    for key, images in shown.items():
        faults = [
            UNKNOWN.format(address.removeprefix(ASSET_SCHEME)[:16] + "…")
            for address, _ in images
            if address not in known
        ]
        if any(
            not words.strip() and not known[address].alt
            for address, words in images
            if address in known
        ):
            faults.append(UNDESCRIBED)
        if faults:
            found[key] = list(dict.fromkeys(faults))
    return found


def users_of(session: Session, names: Sequence[str]) -> dict[str, list[Question]]:
    """Return the questions in whose history each image stands, by its name."""
    found: dict[str, list[Question]] = {name: [] for name in names}
    rows = session.execute(
        select(QuestionAsset.name, Question)
        .join(Question, Question.id == QuestionAsset.question_id)
        .where(QuestionAsset.name.in_(names))
        .order_by(Question.id)
    )
    for name, question in rows:
        found[name].append(question)
    return found


# --- their end --------------------------------------------------------------------


def is_unused() -> ColumnElement[bool]:
    """Whether no revision and no correction names an image."""
    return ~exists().where(QuestionAsset.name == Asset.name)


def remove(session: Session, asset: Asset, *, by: User | None, at: datetime) -> None:
    """Delete an image that no question refers to.

    :raises NotAllowed: when the actor is no editor
    :raises WrongState: when a revision of a question still shows it
    """
    require(by, Role.editor, "delete images")
    used = session.scalar(select(exists().where(QuestionAsset.name == asset.name)))
    if used or asset.name in _mentioned(session):
        raise WrongState(
            "A question, or its history, still shows this image. It stays for as long as that does."
        )
    _delete(session, [asset.name], by=by, at=at)
    session.expunge(asset)


def has_unused(session: Session, *, at: datetime) -> bool:
    """Whether there is something for `sweep` to do."""
    return bool(session.scalar(select(exists().where(_due(at)))))


def sweep(session: Session, *, at: datetime) -> int:
    """Note which images are unused; delete those that were for `UNUSED_KEPT`; return how many.

    One that a form, an import or a comment mentions waits on.
    """
    due = session.execute(select(Asset.name, Asset.unused_since).where(_due(at)).limit(500)).all()
    old = {name for name, since in due if since is not None}
    gone = old - _mentioned(session) if old else set()
    left = [name for name, _ in due if name not in gone]
    session.execute(
        update(Asset).where(Asset.name.in_(left)).values(unused_since=at), execution_options=_APART
    )
    _delete(session, sorted(gone), by=None, at=at)
    return len(gone)


def _due(at: datetime) -> ColumnElement[bool]:
    ripe = or_(Asset.unused_since.is_(None), Asset.unused_since < at - UNUSED_KEPT)
    return ripe & is_unused()


def drop_orphans(
    session: Session, names: Sequence[str], *, by: User | None, at: datetime
) -> list[str]:
    """Delete those of the images that no question refers to any more; return which they were."""
    gone: list[str] = []
    for some in chunks(names):
        orphans = select(Asset.name).where(Asset.name.in_(some), is_unused())
        gone += session.scalars(orphans)
    _delete(session, gone, by=by, at=at)
    return gone


def names_of(session: Session, question: Question) -> list[str]:
    """Return the images that a question's history and corrections name."""
    names = select(QuestionAsset.name).where(QuestionAsset.question_id == question.id)
    return list(session.scalars(names))


def _delete(session: Session, names: Sequence[str], *, by: User | None, at: datetime) -> None:
    if not names:
        return
    session.execute(delete(Asset).where(Asset.name.in_(names)), execution_options=_APART)
    for name in names:
        record(session, by=by, at=at, action="asset.delete", about=f"asset:{name}")
    session.flush()


def _mentioned(session: Session) -> set[str]:
    """Return the images that texts name which are no revision: what is typed, imported, said."""
    columns = (
        Autosave.fields,
        BulkRow.before,
        Comment.body,
        Correction.proposed,
        Deck.description,
        ImportRow.before,
        ImportRow.stated,
        Tag.description,
    )
    found: set[str] = set()
    for column in columns:
        text = cast(column, Text)
        for said in session.scalars(select(text).where(text.contains(ASSET_SCHEME))):
            found.update(asset_names(said))
    return found
