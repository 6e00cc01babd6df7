"""Tags that are merged, renamed and deleted in any order: texts of the past keep their meaning."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, NotFound, WrongState
from cms.formats import by_name, detect
from cms.formats.incoming import Upload
from cms.models import (
    Publication,
    PublicationTag,
    PublishedTag,
    Question,
    Revision,
    SlugRedirect,
    Tag,
    TagAlias,
)
from cms.services.aliases import heads_of
from cms.services.content import content_of, decode
from cms.services.draftexports import export_drafts
from cms.services.exporting import Head, Selection
from cms.services.imports.importing import plan_file
from cms.services.publishing import publish
from cms.services.questions import create, restore, save
from cms.services.reading import Moved, find_tag
from cms.services.tagmerging import merge_tag
from cms.services.tags import delete_unused, resolve, save_tag
from cms.vocabulary import RowAction
from tests.factories import AT, content, empty

PATHS = ["a", "b", "a/a", "a/b", "b/a", "a/a/b", "b/b/a"]
path = st.sampled_from(PATHS)
number = st.integers(0, 30)
STEP = st.one_of(
    st.tuples(st.just("ask"), st.sets(path, max_size=3)),
    st.tuples(st.just("retag"), number, st.sets(path, max_size=3)),
    st.tuples(st.just("publish"), number),
    st.tuples(st.just("restore"), number, number),
    st.tuples(st.just("merge"), number, number),
    st.tuples(st.just("merge"), number, number),
    st.tuples(st.just("rename"), number, path),
    st.tuples(st.just("make"), path),
    st.tuples(
        st.just("tidy"),
    ),
)


@dataclass
class Model:
    """What is known apart from the bank: what merged tags became, and where addresses lead."""

    session: Session
    became: dict[str, str] = field(default_factory=dict)
    leads: dict[str, str] = field(default_factory=dict)

    def today(self, uid: str) -> str:
        while uid in self.became:
            uid = self.became[uid]
        return uid

    def meant(self, revision: Revision) -> list[str]:
        """The paths of a revision's tags now; those of deleted ones are left out."""
        slugs = dict(self.session.execute(select(Tag.uid, Tag.slug)).all())
        uids = {self.today(uid) for uid in decode(revision).tags}
        return sorted(slugs[uid] for uid in uids if uid in slugs)

    def revision(self, question: Question, number: int) -> Revision:
        return self.session.scalars(
            select(Revision).filter_by(question_id=question.id, number=number)
        ).one()

    def public(self) -> dict[str, str]:
        return dict(self.session.execute(select(PublishedTag.slug, PublishedTag.uid)).all())

    # --- steps -------------------------------------------------------------------------

    def ask(self, paths: set[str]) -> None:
        text = content(f"Question {self.count()}?", tags=self.uids(paths))
        create(self.session, text, by=None, at=AT)

    def retag(self, which: int, paths: set[str]) -> None:
        if question := self.question(which):
            text = replace(content_of(question), tags=self.uids(paths))
            seen = question.latest_number
            save(self.session, question, text, seen_version=seen, by=None, at=AT)

    def publish(self, which: int) -> None:
        if question := self.question(which):
            publish(self.session, [question], by=None, at=AT)

    def restore(self, which: int, number: int) -> None:
        if question := self.question(which):
            number = number % question.latest_number + 1
            meant = self.meant(self.revision(question, number))
            seen = question.latest_number
            restore(self.session, question, number, seen_version=seen, by=None, at=AT)
            self.session.expire(question)
            assert [tag.slug for tag in question.tags] == meant

    def merge(self, which: int, other: int) -> None:
        tag, into = self.tag(which), self.tag(other)
        if tag is None or into is None:
            return
        old, before = tag.slug, self.public()
        branch = {each.slug: each.uid for each in self.session.scalars(select(Tag))}
        numbers = self.numbers()
        try:
            merge_tag(self.session, tag, into, by=None, at=AT)
        except WrongState:
            self.session.rollback()
            return
        gone = branch.keys() - set(self.session.scalars(select(Tag.slug)))
        merged = {uid for uid in branch.values() if uid not in self.living()}
        top = self.session.scalars(select(Tag.slug).filter_by(id=into.id)).one()
        for slug, uid in branch.items():
            if uid in merged:
                self.became[uid] = branch[top + slug.removeprefix(old)]
        assert self.numbers() == numbers
        assert all(each == old or each.startswith(f"{old}/") for each in gone)
        self.follow(before, old)

    def rename(self, which: int, path: str) -> None:
        tag = self.tag(which)
        if tag is None:
            return
        old, before = tag.slug, self.public()
        try:
            save_tag(self.session, tag, slug=path, name=tag.name, description="", by=None, at=AT)
        except InvalidContent:
            self.session.rollback()
            return
        if path != old:
            self.follow(before, old)

    def make(self, path: str) -> None:
        if not self.session.scalar(select(Tag.id).filter_by(slug=path)):
            save_tag(self.session, None, slug=path, name="Made", description="", by=None, at=AT)

    def tidy(self) -> None:
        uids = self.session.scalars(select(Tag.uid)).all()
        delete_unused(self.session, uids, by=None, at=AT)

    def follow(self, before: dict[str, str], old: str) -> None:
        """Let the public addresses of a branch lead to the tags that they named."""
        for slug, uid in before.items():
            if slug == old or slug.startswith(f"{old}/"):
                self.leads[slug] = uid

    # --- what is there -----------------------------------------------------------------

    def uids(self, paths: set[str]) -> list[str]:
        return [tag.uid for tag in resolve(self.session, paths, by=None, at=AT).values()]

    def count(self) -> int:
        return len(self.session.scalars(select(Question.id)).all())

    def question(self, which: int) -> Question | None:
        found = self.session.scalars(select(Question).order_by(Question.id)).all()
        return found[which % len(found)] if found else None

    def tag(self, which: int) -> Tag | None:
        found = self.session.scalars(select(Tag).order_by(Tag.id)).all()
        return found[which % len(found)] if found else None

    def living(self) -> set[str]:
        return set(self.session.scalars(select(Tag.uid)))

    def numbers(self) -> list[Any]:
        columns = Question.latest_number, Question.published_number
        return [tuple(row) for row in self.session.execute(select(*columns).order_by(Question.id))]

    def check(self) -> None:
        session = self.session
        public = self.public()
        self.leads = {slug: uid for slug, uid in self.leads.items() if slug not in public}
        counts: Counter[str] = Counter()
        for question in session.scalars(select(Question)):
            newest = self.revision(question, question.latest_number)
            assert [tag.slug for tag in question.tags] == self.meant(newest)
            if question.published_number is None:
                continue
            shown = session.scalars(select(Publication).filter_by(uid=question.uid)).one()
            meant = self.meant(self.revision(question, question.published_number))
            paths = {head for slug in meant for head in heads_of(slug)}
            rows = select(PublicationTag.tag).filter_by(publication_id=shown.id)
            assert shown.tags == meant
            assert set(session.scalars(rows)) == paths
            counts.update(paths)
        rows = session.execute(select(PublishedTag.slug, PublishedTag.questions))
        assert dict(rows.all()) == counts
        tags = {tag.uid: tag for tag in session.scalars(select(Tag))}
        for tag in tags.values():
            assert (tag.parent.slug if tag.parent else "") == tag.slug.rpartition("/")[0]
        aliases = session.execute(select(TagAlias.uid, TagAlias.slug, TagAlias.tag_id)).all()
        assert {row.tag_id for row in aliases} <= {tag.id for tag in tags.values()}
        for uid, slug, tag_id in aliases:
            assert tags[self.today(uid)].id == tag_id
            assert slug not in {tag.slug for tag in tags.values()}
        redirects = session.scalars(select(SlugRedirect.slug).filter_by(what="tag"))
        assert set(redirects).isdisjoint(public)
        for slug, uid in self.leads.items():
            survivor = tags.get(self.today(uid))
            try:
                found = find_tag(session, slug)
            except NotFound:
                assert survivor is None or survivor.slug not in public
            else:
                assert survivor is not None
                assert found == Moved(survivor.slug)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=4, max_size=14))
def test_texts_addresses_and_counts_agree_whatever_was_merged(
    app: Flask, session: Session, steps: list[tuple[Any, ...]]
) -> None:
    model = Model(session)
    try:
        for number, paths in enumerate(({"a/a/b", "b"}, {"a", "b/b/a"})):
            model.ask(paths)
            model.publish(number)
            session.commit()
        for verb, *arguments in steps:
            getattr(model, verb)(*arguments)
            session.commit()
            session.expire_all()
            model.check()
        format = by_name("json")
        stream = export_drafts(session, format, Selection(), Head("Bank"))
        upload = Upload("bank.json", b"".join(stream.chunks))
        planned = plan_file(session, upload, detect(upload))
        assert {row.action for row in planned.rows} == {RowAction.unchanged}
    finally:
        session.rollback()
        empty(session)
