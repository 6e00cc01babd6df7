"""Tags: a tree by path; a rename is one release, and nobody's draft is published by it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, WrongState
from cms.models import PublicationTag, PublishedTag, SlugRedirect, Tag
from cms.services.content import content_of
from cms.services.questions import save
from cms.services.releases import release_number
from cms.services.tags import delete_tag, resolve, save_tag
from tests.factories import AT, make_published, make_question, publication_of

LATER = AT + timedelta(hours=1)


def tag_of(session: Session, slug: str) -> Tag:
    return session.scalars(select(Tag).filter_by(slug=slug)).one()


def test_a_new_tag_brings_its_ancestors(session: Session) -> None:
    resolve(session, ["flask/views/class-based"], by=None, at=AT)
    session.commit()
    tags = session.scalars(select(Tag).order_by(Tag.slug)).all()
    assert [(t.slug, t.name, t.parent.slug if t.parent else None) for t in tags] == [
        ("flask", "Flask", None),
        ("flask/views", "Views", "flask"),
        ("flask/views/class-based", "Class based", "flask/views"),
    ]


@pytest.mark.parametrize("slug", ["", "Flask", "a//b", "/a", "a b", "ä", "x" * 121])
def test_a_path_that_cannot_be_a_tags_is_refused(session: Session, slug: str) -> None:
    with pytest.raises(InvalidContent):
        resolve(session, [slug], by=None, at=AT)


def test_renaming_a_public_tag_moves_what_is_below_and_publishes_nobodys_draft(
    session: Session,
) -> None:
    question = make_published(session, "Public?", tags=["flask/views"])
    draft = replace(content_of(question), stem="Unfinished?")
    save(session, question, draft, seen_version=1, by=None, at=LATER)
    save_tag(
        session,
        tag_of(session, "flask"),
        slug="web",
        name="Web",
        description="",
        by=None,
        at=LATER,
    )
    session.commit()
    shown = publication_of(session, question)
    assert shown is not None
    assert (shown.stem, shown.tags, shown.release) == ("Public?", ["web/views"], 2)
    assert set(session.scalars(select(PublicationTag.tag))) == {"web", "web/views"}
    assert set(session.scalars(select(PublishedTag.slug))) == {"web", "web/views"}
    redirects = session.scalars(select(SlugRedirect).order_by(SlugRedirect.slug)).all()
    assert [(r.what, r.slug) for r in redirects] == [("tag", "flask"), ("tag", "flask/views")]


def test_renaming_an_unpublished_tag_is_no_release(session: Session) -> None:
    make_question(session, tags=["flask"])
    save_tag(
        session, tag_of(session, "flask"), slug="web", name="Web", description="", by=None, at=AT
    )
    assert release_number(session) == 0


def test_a_new_description_of_a_public_tag_is_public_at_once(session: Session) -> None:
    make_published(session, tags=["flask"])
    tag = tag_of(session, "flask")
    save_tag(session, tag, slug="flask", name="Flask", description="The framework.", by=None, at=AT)
    session.commit()
    assert session.scalars(select(PublishedTag)).one().description == "The framework."
    assert release_number(session) == 2


@pytest.mark.parametrize(("slug", "problem"), [("http", "exists already"), ("flask/x", "itself")])
def test_a_rename_that_cannot_be_is_refused(session: Session, slug: str, problem: str) -> None:
    resolve(session, ["flask", "http"], by=None, at=AT)
    tag = tag_of(session, "flask")
    with pytest.raises(InvalidContent, match=problem):
        save_tag(session, tag, slug=slug, name="X", description="", by=None, at=AT)


def test_a_tag_in_use_cannot_be_deleted(session: Session) -> None:
    question = make_question(session, tags=["flask/views"])
    with pytest.raises(WrongState, match="a question"):
        delete_tag(session, tag_of(session, "flask/views"), by=None, at=AT)
    with pytest.raises(WrongState, match="a tag below it"):
        delete_tag(session, tag_of(session, "flask"), by=None, at=AT)
    without = replace(content_of(question), tags=[])
    save(session, question, without, seen_version=1, by=None, at=LATER)
    delete_tag(session, tag_of(session, "flask/views"), by=None, at=LATER)
    session.commit()
    assert session.scalars(select(Tag.slug)).all() == ["flask"]


def test_a_tag_of_a_published_text_cannot_be_deleted(session: Session) -> None:
    question = make_published(session, tags=["flask"])
    without = replace(content_of(question), tags=[])
    save(session, question, without, seen_version=1, by=None, at=LATER)
    with pytest.raises(WrongState, match="a published question"):
        delete_tag(session, tag_of(session, "flask"), by=None, at=LATER)
