"""What events of the audit are about: their things by name, and things by what people call them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Select, String, cast, func, select

from cms.extensions import db
from cms.formats.item import UID_PATTERN
from cms.models import (
    Asset,
    BulkOperation,
    Correction,
    Deck,
    ImportBatch,
    Publication,
    Question,
    SlugRedirect,
    Tag,
    TagAlias,
    User,
    Withdrawal,
)
from cms.models.accounts import name_key
from cms.services.operations.bulk import VERBS

KINDS = (
    "account",
    "asset",
    "correction",
    "deck",
    "import",
    "operation",
    "question",
    "release",
    "tag",
)
_OBJECT = re.compile(rf"(?:{'|'.join(KINDS)}):\S.{{0,100}}")
_DESK_ADDRESS = re.compile(r"/admin/(question|correction|deck|import|operation)s/(\d{1,9})")
_PUBLIC_ADDRESS = re.compile(r"/(question|correction)s/([a-z0-9-]+)")


class Subject(NamedTuple):
    """What an event is about: its kind, how people call it, and the key of its page."""

    kind: str
    words: str
    key: int


def subjects(objects: Iterable[str]) -> dict[str, Subject]:
    """Return what 'question:<uid>', 'correction:<uid>' or 'deck:<id>', among others, names.

    A query for each kind, however many objects; what was deleted since is left out.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for about in objects:
        kind, _, key = about.partition(":")
        wanted[kind].append(key)
    asked = {
        "question": select(Question.uid, Question.stem, Question.id).where(
            Question.uid.in_(wanted["question"])
        ),
        "correction": select(Correction.uid, Correction.claim, Correction.id).where(
            Correction.uid.in_(wanted["correction"])
        ),
        "tag": select(Tag.uid, Tag.slug, Tag.id).where(Tag.uid.in_(wanted["tag"])),
        "account": select(User.name, User.name, User.id).where(User.name.in_(wanted["account"])),
        "asset": select(Asset.name, _asset_words(), Asset.id).where(
            Asset.name.in_(wanted["asset"])
        ),
        "deck": _named(Deck.id, Deck.title, wanted["deck"]),
        "import": _named(ImportBatch.id, ImportBatch.file_name, wanted["import"]),
    }
    found = {
        f"{kind}:{name}": Subject(kind, words, key)
        for kind, statement in asked.items()
        if wanted[kind]
        for name, words, key in db.session.execute(statement)
    }
    # What was merged is named as it was called, and leads to what it became.
    merged = (
        select(TagAlias.uid, func.coalesce(func.nullif(TagAlias.slug, ""), Tag.slug), Tag.id)
        .join(TagAlias.tag)
        .where(TagAlias.uid.in_(wanted["tag"]))
    )
    for uid, words, key in db.session.execute(merged) if wanted["tag"] else ():
        found[f"tag:{uid}"] = Subject("tag", words, key)
    operations = select(BulkOperation).where(BulkOperation.id.in_(map(int, wanted["operation"])))
    for each in db.session.scalars(operations) if wanted["operation"] else ():
        told = VERBS[each.verb].tell(each.arguments)
        found[f"operation:{each.id}"] = Subject("operation", told, each.id)
    return found


def _asset_words() -> Any:
    return func.coalesce(func.nullif(Asset.alt, ""), func.substr(Asset.name, 1, 12))


def _named(id: Any, words: Any, keys: Iterable[str]) -> Select[str, str, int]:
    return select(cast(id, String), words, id).where(id.in_(map(int, keys)))


def objects_called(typed: str) -> list[str]:
    """Return the objects of the audit that people may mean by what they typed; none if nothing.

    A question's number, uid or address (of the desk or of the site), a correction's
    uid or address, an account's name, or an object as the audit writes it.
    """
    if _OBJECT.fullmatch(typed):
        return [typed]
    if found := _DESK_ADDRESS.search(typed):
        return _of_desk(found[1], int(found[2]))
    if found := _PUBLIC_ADDRESS.search(typed):
        return _numbered(found[2]) if found[1] == "correction" else _addressed(found[2])
    if re.fullmatch(UID_PATTERN, typed.lower()):
        # Of what is gone by now, too.
        return [f"{kind}:{typed.lower()}" for kind in ("question", "correction", "tag")]
    number = typed.removeprefix("#")
    if number.isdecimal() and len(number) < 10:
        return _of_desk("question", int(number))
    return _addressed(typed.casefold()) or _accounts(typed)


def _of_desk(kind: str, key: int) -> list[str]:
    """Return the object of a page of the desk."""
    if kind in {"deck", "import", "operation"}:
        return [f"{kind}:{key}"]
    model = Question if kind == "question" else Correction
    uid = db.session.scalar(select(model.uid).where(model.id == key))
    return [f"{kind}:{uid}"] if uid else []


def _numbered(number: str) -> list[str]:
    """Return the object of a public correction's number."""
    if not number.isdecimal() or len(number) > 9:
        return []
    uid = db.session.scalar(select(Correction.uid).where(Correction.number == int(number)))
    return [f"correction:{uid}"] if uid else []


def _addressed(slug: str) -> list[str]:
    """Return the question that has an address, or had it in public."""
    for statement in (
        select(Question.uid).where(Question.slug == slug),
        select(Publication.uid).where(Publication.slug == slug),
        select(Withdrawal.uid).where(Withdrawal.slug == slug),
        select(SlugRedirect.uid).where(SlugRedirect.what == "question", SlugRedirect.slug == slug),
    ):
        uid = db.session.scalar(statement)
        if uid:
            return [f"question:{uid}"]
    return []


def _accounts(name: str) -> list[str]:
    found = db.session.scalar(select(User.name).where(User.name_key == name_key(name)))
    return [f"account:{found}"] if found else []
