"""Merging tags: one stands for both, in every text of the past, on the shelf and in files."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed, NotFound, WrongState
from cms.formats import by_name, detect
from cms.formats.incoming import Upload
from cms.formats.item import DeckFilter, DeckItem
from cms.models import (
    AuditEvent,
    Deck,
    PublicationTag,
    PublishedTag,
    Question,
    Tag,
    TagAlias,
    User,
)
from cms.services import jobs, scheduling
from cms.services.aliases import current_paths, living_uids
from cms.services.content import content_of, revision_content, with_tag_slugs
from cms.services.decks import deck_item, save_deck
from cms.services.draftexports import export_drafts
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.history import first_alike, history
from cms.services.imports.importing import apply, plan_file
from cms.services.operations import bulk, undoing
from cms.services.publishing import publish
from cms.services.questions import restore, save
from cms.services.reading import Moved, find_tag
from cms.services.releases import release_number
from cms.services.tagmerging import foresee_merge, merge_tag
from cms.services.tags import delete_tag, resolve, save_tag
from cms.services.work import HANDLERS
from cms.vocabulary import RowAction
from tests.factories import AT, make_published, make_question, publication_of

LATER = AT + timedelta(hours=1)


def tag_of(session: Session, slug: str) -> Tag:
    return session.scalars(select(Tag).filter_by(slug=slug)).one()


def merged(session: Session, tag: str, into: str) -> int | None:
    done = merge_tag(session, tag_of(session, tag), tag_of(session, into), by=None, at=LATER)
    session.commit()
    return done


def tags_of(question: Question) -> list[str]:
    return [tag.slug for tag in question.tags]


def exported(session: Session, name: str, *, drafts: bool = False) -> Upload:
    format = by_name(name)
    stream = (export_drafts if drafts else export_shelf)(session, format, Selection(), Head("Bank"))
    return Upload(f"bank.{format.extension}", b"".join(stream.chunks))


def actions(session: Session, upload: Upload) -> list[RowAction]:
    return [row.action for row in plan_file(session, upload, detect(upload)).rows]


def test_questions_get_the_survivor_once_and_readers_see_it_in_one_release(
    session: Session,
) -> None:
    both = make_published(session, "Both?", tags=["views", "http"])
    one = make_published(session, "One?", tags=["views/class"])
    draft = make_question(session, "Draft?", tags=["views"])
    before = both.latest_number, content_of(both).stem
    assert merged(session, "views", "http") == 3
    assert [tags_of(each) for each in (both, one, draft)] == [["http"], ["http/class"], ["http"]]
    assert (both.latest_number, both.stem) == before
    assert not both.has_unpublished_changes
    shown = [publication_of(session, each) for each in (both, one)]
    assert [each.tags for each in shown if each] == [["http"], ["http/class"]]
    counts = dict(session.execute(select(PublishedTag.slug, PublishedTag.questions)).all())
    assert counts == {"http": 2, "http/class": 1}
    assert set(session.scalars(select(PublicationTag.tag))) == {"http", "http/class"}
    assert find_tag(session, "views") == Moved("http")
    assert find_tag(session, "views/class") == Moved("http/class")
    event = session.scalars(select(AuditEvent).filter_by(action="tag.merge")).one()
    assert (event.data["slug"], event.data["into_slug"]) == ("views", "http")
    assert (event.data["questions"], event.data["release"]) == (2, 3)
    assert event.data["moved"] == {"views": "http", "views/class": "http/class"}


def test_tags_below_merge_in_turn_where_one_is_there_and_move_where_none_is(
    session: Session,
) -> None:
    first = make_published(session, "A?", tags=["a/x/deep", "a/y"])
    make_published(session, "B?", tags=["b/x", "b"])
    tag_of(session, "b/x").description = "Stays."
    merged(session, "a", "b")
    rows = session.execute(select(Tag.slug, Tag.parent_id).order_by(Tag.slug)).all()
    ids = dict(session.execute(select(Tag.slug, Tag.id)).all())
    assert [(slug, parent) for slug, parent in rows] == [
        ("b", None),
        ("b/x", ids["b"]),
        ("b/x/deep", ids["b/x"]),
        ("b/y", ids["b"]),
    ]
    assert tag_of(session, "b/x").description == "Stays."
    assert tags_of(first) == ["b/x/deep", "b/y"]
    for path in ("a", "a/x", "a/x/deep", "a/y"):
        assert find_tag(session, path) == Moved(f"b{path[1:]}")
    paths = ["a", "a/x/new", "a/z", "b/y", "other"]
    led = current_paths(session, paths)
    assert [led[path] for path in paths] == ["b", "b/x/new", "b/z", "b/y", "other"]


def test_a_tag_merges_into_the_one_above_it_and_another_takes_its_path(session: Session) -> None:
    question = make_published(session, tags=["flask/flask/flask", "flask/flask"])
    merged(session, "flask/flask", "flask")
    assert sorted(session.scalars(select(Tag.slug))) == ["flask", "flask/flask"]
    assert tags_of(question) == ["flask", "flask/flask"]
    assert find_tag(session, "flask/flask").slug == "flask/flask"
    assert find_tag(session, "flask/flask/flask") == Moved("flask/flask")
    [alias] = session.scalars(select(TagAlias))
    assert alias.slug == ""


@pytest.mark.parametrize(
    ("tag", "into", "problem"),
    [
        ("flask", "flask", "cannot be merged into itself"),
        ("flask", "flask/views", "Merge ‘flask/views’ into ‘flask’ instead"),
        ("flask", "x" * 118, "the limit is 120. Shorten its path first"),
    ],
)
def test_what_cannot_be_merged_is_refused(
    session: Session, tag: str, into: str, problem: str
) -> None:
    resolve(session, ["flask/views", into], by=None, at=AT)
    with pytest.raises(WrongState, match=problem):
        merged(session, tag, into)
    with pytest.raises(WrongState, match=problem):
        foresee_merge(session, tag_of(session, tag), tag_of(session, into))


def test_a_contributor_merges_nothing(session: Session, contributor: User) -> None:
    tags = resolve(session, ["a", "b"], by=None, at=AT)
    with pytest.raises(NotAllowed, match="merge tags"):
        merge_tag(session, tags["a"], tags["b"], by=contributor, at=AT)


def test_decks_follow_and_none_is_emptied(session: Session) -> None:
    make_published(session, "A?", tags=["a/x"])
    make_published(session, "B?", tags=["b"])
    item = DeckItem(slug="d", title="D", filter=DeckFilter(any=["a", "b", "a/x"]))
    deck = save_deck(session, None, item, by=None, at=AT)
    other = DeckItem(slug="e", title="Apart", filter=DeckFilter(all=["b"], none=["a"]))
    apart = save_deck(session, None, other, by=None, at=AT)
    session.commit()
    for ask in (foresee_merge, lambda *args: merge_tag(*args, by=None, at=LATER)):
        with pytest.raises(WrongState, match="‘Apart’ asks for one of the two tags"):
            ask(session, tag_of(session, "a"), tag_of(session, "b"))
    session.rollback()
    held = deck_item(session.get_one(Deck, apart.id))
    save_deck(
        session,
        apart,
        replace(held, filter=DeckFilter(all=["b"])),
        seen_version=1,
        by=None,
        at=LATER,
    )
    session.commit()
    foreseen = foresee_merge(session, tag_of(session, "a"), tag_of(session, "b"))
    assert [deck.title for deck in foreseen.decks] == ["D"]
    assert (foreseen.published, foreseen.redirects) == (1, ["a", "a/x"])
    before = release_number(session)
    assert merged(session, "a", "b") == before + 1
    assert deck_item(session.get_one(Deck, deck.id)).filter == DeckFilter(any=["b", "b/x"])
    # Who names the merged one in a deck gets the survivor.
    third = DeckItem(slug="f", title="F", filter=DeckFilter(all=["a"]))
    made = save_deck(session, None, third, by=None, at=LATER)
    assert deck_item(made).filter == DeckFilter(all=["b"])


def test_texts_of_the_past_say_the_same_after_a_merge(session: Session) -> None:
    question = make_published(session, tags=["a", "b/x"])
    make_question(session, "Other?", tags=["b"])
    changed = replace(content_of(question), stem="Changed?", tags=[])
    save(session, question, changed, seen_version=1, by=None, at=LATER)
    uid = tag_of(session, "a").uid
    session.commit()
    merged(session, "a", "b")
    tags = revision_content(session, question, 1).tags
    assert uid in tags
    assert uid in living_uids(session, tags)
    restore(session, question, 1, seen_version=2, by=None, at=LATER)
    assert tags_of(question) == ["b", "b/x"]
    rows = history(session, question)
    assert first_alike(session, rows) == {3: 1}
    # A text that names the merged one by its uid is no change, and brings nothing back.
    same = replace(content_of(question), tags=tags)
    assert save(session, question, same, seen_version=3, by=None, at=LATER) is None


@pytest.mark.parametrize("name", ["json", "csv", "jsonl", "markdown"])
def test_a_file_from_before_the_merge_says_nothing_new(session: Session, name: str) -> None:
    make_published(session, "First?", tags=["a/x", "c"])
    make_published(session, "Second?", tags=["b", "a"])
    upload = exported(session, name)
    session.commit()
    merged(session, "a", "b")
    assert actions(session, upload) == [RowAction.unchanged, RowAction.unchanged]
    assert actions(session, exported(session, name)) == [RowAction.unchanged] * 2
    session.commit()
    # A new question of the old path gets the survivor: imports bring nothing back.
    csv = Upload("new.csv", b"stem,answer,tags\r\nNew?,Yes.,a/x;a/new;b\r\n")
    planned = plan_file(session, csv, detect(csv))
    apply(session, planned, csv, detect(csv), by=None, at=LATER)
    session.commit()
    made = session.scalars(select(Question).filter_by(stem="New?")).one()
    assert tags_of(made) == ["b", "b/new", "b/x"]


def test_a_full_file_from_before_the_merge_makes_no_tag_again(
    session: Session, empty_session: Session
) -> None:
    make_published(session, tags=["a/x"])
    make_published(session, "Two?", tags=["b"])
    filter = DeckFilter(all=["a/x"])
    save_deck(session, None, DeckItem(slug="d", title="D", filter=filter), by=None, at=AT)
    session.commit()
    upload = exported(session, "json")
    apply(
        empty_session,
        plan_file(empty_session, upload, detect(upload)),
        upload,
        detect(upload),
        by=None,
        at=AT,
    )
    empty_session.commit()
    merged(empty_session, "a", "b")
    [deck] = empty_session.scalars(select(Deck))
    assert deck_item(deck).filter == DeckFilter(all=["b/x"])
    empty_session.delete(deck)
    [question] = empty_session.scalars(select(Question).where(Question.stem == "Two?"))
    save(
        empty_session,
        question,
        replace(content_of(question), stem="Three?"),
        seen_version=1,
        by=None,
        at=LATER,
    )
    empty_session.commit()
    planned = plan_file(empty_session, upload, detect(upload))
    apply(empty_session, planned, upload, detect(upload), by=None, at=LATER)
    empty_session.commit()
    assert sorted(empty_session.scalars(select(Tag.slug))) == ["b", "b/x"]
    [deck] = empty_session.scalars(select(Deck))
    assert deck_item(deck).filter == DeckFilter(all=["b/x"])


def test_a_tag_made_later_at_the_old_path_is_its_own(session: Session) -> None:
    old = make_published(session, tags=["a"])
    make_published(session, "B?", tags=["b"])
    merged(session, "a", "b")
    save_tag(session, None, slug="a", name="Again", description="", by=None, at=LATER)
    session.commit()
    assert find_tag(session, "a") == Moved("b")
    new = make_published(session, "New?", tags=["a"])
    assert tags_of(new) == ["a"]
    assert find_tag(session, "a").slug == "a"
    assert not isinstance(find_tag(session, "a"), Moved)
    restore(session, old, 1, seen_version=1, by=None, at=LATER)
    assert tags_of(old) == ["b"]
    save_tag(session, tag_of(session, "a"), slug="c", name="C", description="", by=None, at=LATER)
    session.commit()
    assert find_tag(session, "a") == Moved("c")
    assert current_paths(session, ["a"]) == {"a": "a"}
    # A merge of a merge leads all the way, and goes with the tag in which it ends.
    merged(session, "b", "c")
    assert tags_of(old) == ["c"]
    aliases = dict(session.execute(select(TagAlias.slug, Tag.slug).join(TagAlias.tag)).all())
    assert aliases == {"": "c", "b": "c"}


def test_aliases_go_with_the_tag_in_which_they_end(session: Session) -> None:
    resolve(session, ["a", "b"], by=None, at=AT)
    assert merged(session, "a", "b") is None
    delete_tag(session, tag_of(session, "b"), by=None, at=LATER)
    session.commit()
    assert session.scalars(select(TagAlias)).all() == []
    assert current_paths(session, ["a"]) == {"a": "a"}


def test_operations_from_before_a_merge_are_undone(session: Session) -> None:
    question = make_question(session, tags=["a"])
    gone = make_question(session, "Gone?", tags=["a", "c"])
    ids = [question.id, gone.id]
    begun = bulk.begin(session, "difficulty", ids[:1], {"difficulty": "hard"}, by=None, at=AT)
    bulk.perform(session, begun, at=AT)
    deleted = bulk.begin(session, "delete", ids[1:], {}, by=None, at=AT)
    bulk.perform(session, deleted, at=AT)
    waiting = bulk.begin(session, "remove_tag", ids[:1], {"tag": "a"}, by=None, at=AT)
    make_question(session, "B?", tags=["b"])
    merged(session, "a", "b")
    undoing.undo_bulk(session, begun, by=None, at=LATER)
    undoing.undo_bulk(session, deleted, by=None, at=LATER)
    session.commit()
    session.expire_all()
    assert (tags_of(question), question.difficulty) == (["b"], None)
    assert tags_of(session.get_one(Question, ids[1])) == ["b", "c"]
    with pytest.raises(WrongState, match="deleted, renamed or merged"):
        bulk.perform(session, waiting, at=LATER)
    session.rollback()
    with pytest.raises(NotFound, match=r"‘a’\. It was merged into ‘b’"):
        bulk.begin(session, "remove_tag", ids[:1], {"tag": "a"}, by=None, at=LATER)
    added = bulk.begin(session, "add_tag", ids[:1], {"tag": "a/new"}, by=None, at=LATER)
    bulk.perform(session, added, at=LATER)
    session.commit()
    assert tags_of(session.get_one(Question, ids[0])) == ["b", "b/new"]


def test_a_scheduled_revision_goes_public_with_the_survivor(session: Session) -> None:
    question = make_question(session, tags=["a"])
    make_published(session, "B?", tags=["b"])
    when = AT + timedelta(days=1)
    scheduling.schedule(session, question, number=1, when=when, by=None, at=AT)
    session.commit()
    merged(session, "a", "b")
    engine = session.get_bind()
    assert jobs.work_one(engine, HANDLERS, clock=lambda: when)  # type: ignore[arg-type]
    session.expire_all()
    shown = publication_of(session, question)
    assert shown is not None
    assert shown.tags == ["b"]
    slugs = {tag.uid: tag.slug for tag in session.scalars(select(Tag))}
    assert with_tag_slugs(content_of(question), slugs).tags == ["b"]


def test_a_tag_that_no_reader_knows_takes_no_public_address_away(session: Session) -> None:
    make_published(session, "First?", tags=["flask/views"])
    make_published(session, "Second?", tags=["http"])
    draft = make_question(session, "Third?", tags=["http/views"])
    tag = tag_of(session, "flask/views")
    save_tag(session, tag, slug="flask/pages", name=tag.name, description="", by=None, at=AT)
    merged(session, "http", "flask")
    assert tags_of(draft) == ["flask/views"]
    assert find_tag(session, "flask/views") == Moved("flask/pages")
    # What was never public leads nowhere.
    with pytest.raises(NotFound):
        find_tag(session, "http/views")
    publish(session, [draft], by=None, at=LATER)
    session.commit()
    assert not isinstance(find_tag(session, "flask/views"), Moved)
