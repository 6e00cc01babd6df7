"""Undoing an import beside everything else that happens in a bank."""

from __future__ import annotations

import threading
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cms.errors import CmsError, WrongState
from cms.formats.item import DeckFilter, DeckItem
from cms.models import Correction, Deck, ImportBatch, PublishedCorrection, Question, Tag, User
from cms.services import comments
from cms.services.content import content_of
from cms.services.deciding import reject
from cms.services.decks import delete_deck, save_deck
from cms.services.imports import uploads
from cms.services.imports.import_undo import undo_import
from cms.services.merging import merge
from cms.services.questions import delete_draft, save
from cms.services.scheduling import schedule, unschedule
from cms.services.tags import save_tag
from cms.vocabulary import RowAction
from tests.factories import AT, content, make_published, make_question
from tests.services.imports.test_uploads import Conversation, a_file, a_question

ACCEPTED = {"kind": "factual", "claim": "It was so.", "status": "accepted", "number": 7}
OPEN = {"kind": "factual", "claim": "It was so.", "status": "open"}
LATER = AT + timedelta(hours=1)


@pytest.fixture
def talk(session: Session, editor: User) -> Conversation:
    return Conversation(session, editor)


def undone(talk: Conversation, batch: ImportBatch) -> None:
    undo_import(talk.session, batch, by=talk.by, at=LATER)
    talk.session.commit()


def beside(session: Session, batch: ImportBatch) -> tuple[threading.Thread, list[str]]:
    """Begin to undo an import in a transaction of somebody else's; it waits for ours."""
    engine, key, outcome = session.get_bind(), batch.id, list[str]()
    assert isinstance(engine, Engine)

    def undo() -> None:
        with Session(engine) as other:
            try:
                undo_import(other, other.get_one(ImportBatch, key), by=None, at=LATER)
                other.commit()
            except CmsError as error:
                outcome.append(str(error))
            else:
                outcome.append("undone")

    thread = threading.Thread(target=undo)
    thread.start()
    # Long enough for whoever does not wait to be done.
    thread.join(1)
    return thread, outcome


def test_an_edit_that_is_being_saved_is_not_undone_away(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Fresh?")))
    talk.write(batch)
    question = talk.question("Fresh?")
    save(talk.session, question, content("Fresh?", "Mine."), seen_version=1, by=None, at=AT)
    talk.session.flush()
    thread, outcome = beside(talk.session, batch)
    talk.session.commit()
    thread.join(20)
    assert "‘Fresh?’ was edited" in outcome[0]
    assert talk.question("Fresh?").answers[0].body == "Mine."


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_merged_with_another_is_not_undone_away(talk: Conversation, turned: bool) -> None:
    batch = talk.shown(a_file(a_question("Fresh?")))
    talk.write(batch)
    pair = talk.question("Fresh?"), make_question(talk.session, "Older?")
    duplicate, into = reversed(pair) if turned else pair
    merge(talk.session, duplicate, into, seen=(1, 1), by=None, at=AT)
    with pytest.raises(WrongState, match="‘Fresh\\?’ was merged with another"):
        undone(talk, batch)


def test_a_deck_that_is_being_changed_is_not_undone_away(talk: Conversation) -> None:
    deck = {"slug": "first", "title": "First", "filter": {"all": ["new"]}}
    batch = talk.shown(a_file(a_question("Fresh?", tags=["new"]), decks=[deck]))
    talk.write(batch)
    make_published(talk.session, "Something else?")
    held = talk.session.scalars(select(Deck)).one()
    talk.session.refresh(held, with_for_update=True)
    thread, outcome = beside(talk.session, batch)
    # It asks for the bank's number only now: whoever waits for the deck must not hold that.
    item = DeckItem(slug="", title="Ours", filter=DeckFilter(all=["new"]))
    save_deck(talk.session, held, item, seen_version=1, by=None, at=AT)
    talk.session.commit()
    thread.join(20)
    assert outcome == ["undone"]
    talk.session.expire_all()
    assert talk.session.scalars(select(Deck.title)).all() == ["Ours"]
    assert talk.session.scalars(select(Tag.slug)).all() == ["new"], "the deck uses it"


def test_a_deck_that_took_the_address_of_an_imported_one_stays(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Q?"), decks=[{"slug": "first", "title": "Theirs"}]))
    talk.write(batch)
    theirs = talk.session.scalars(select(Deck)).one()
    delete_deck(talk.session, theirs, seen_version=1, by=talk.by, at=AT)
    save_deck(talk.session, None, DeckItem(slug="first", title="Ours"), by=talk.by, at=LATER)
    undone(talk, batch)
    assert talk.session.scalars(select(Deck.title)).all() == ["Ours"]


def test_an_imported_correction_that_readers_have_is_not_undone_away(talk: Conversation) -> None:
    live = make_published(talk.session, "What is live?", tags=["old"])
    stated = msgspec.to_builtins(content_of(live)) | {"tags": ["old"], "corrections": [ACCEPTED]}
    batch = talk.shown(a_file(stated))
    assert talk.rows(batch)[0].message == "1 corrections are new."
    talk.write(batch)
    [tag] = talk.session.scalars(select(Tag))
    save_tag(talk.session, tag, slug="other", name="Other", description="", by=None, at=AT)
    talk.session.commit()
    assert talk.session.scalars(select(PublishedCorrection.number)).all() == [7]
    with pytest.raises(WrongState, match="‘What is live\\?’ got a correction"):
        undo_import(talk.session, batch, by=talk.by, at=LATER)


def test_an_imported_correction_that_somebody_decided_is_not_undone_away(
    talk: Conversation,
) -> None:
    batch = talk.shown(a_file(a_question("Fresh?", corrections=[OPEN])))
    talk.write(batch)
    correction = talk.session.scalars(select(Correction)).one()
    reject(talk.session, correction, reason="It was not.", by=talk.by, at=LATER)
    talk.session.commit()
    with pytest.raises(WrongState, match="‘Fresh\\?’ got a correction"):
        undo_import(talk.session, batch, by=talk.by, at=LATER)


@pytest.mark.parametrize("first", ["imported", "written at the desk"])
def test_an_update_that_was_undone_is_imported_again(talk: Conversation, first: str) -> None:
    if first == "imported":
        talk.write(talk.shown(a_file(a_question("Held?", "Old."))))
        held = talk.question("Held?")
        expected = [("update", True)]
    else:
        held = make_question(talk.session, "Held?", "Old.")
        expected = [("conflict", False)]
    batch = talk.shown(a_file(a_question("Held?", "New.", uid=held.uid)))
    assert talk.actions(batch) == expected
    uploads.choose(talk.session, batch, True, action=RowAction.conflict, by=talk.by)
    talk.write(batch)
    undone(talk, batch)
    fresh = uploads.again(talk.session, batch, by=talk.by, at=LATER)
    talk.work()
    assert talk.actions(fresh) == expected
    uploads.choose(talk.session, fresh, True, action=RowAction.conflict, by=talk.by)
    talk.write(fresh)
    bodies = [each.answers[0].body for each in talk.session.scalars(select(Question))]
    assert bodies == ["New."]


@pytest.mark.parametrize("new", [True, False])
def test_what_is_scheduled_is_not_undone_away(talk: Conversation, new: bool) -> None:
    stated = a_question("Brought?")
    if not new:
        stated |= {"uid": make_question(talk.session, "Older?").uid, "tags": []}
    batch = talk.shown(a_file(stated))
    for row in talk.rows(batch):
        row.chosen = True
    talk.write(batch)
    question = talk.question("Brought?")
    number = question.latest_number
    schedule(talk.session, question, number=number, when=LATER, by=talk.by, at=AT)
    talk.session.commit()
    with pytest.raises(WrongState, match="‘Brought\\?’ was scheduled"):
        undo_import(talk.session, batch, by=talk.by, at=AT)
    talk.session.rollback()
    unschedule(talk.session, question, by=talk.by, at=AT)
    undone(talk, batch)


def test_what_people_said_about_a_new_question_is_not_undone_away(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Fresh?")))
    talk.write(batch)
    question = talk.question("Fresh?")
    comments.post(talk.session, question, "Keep this.", by=talk.by, at=AT)
    talk.session.commit()
    with pytest.raises(WrongState, match="‘Fresh\\?’ was commented on"):
        undo_import(talk.session, batch, by=talk.by, at=LATER)
    talk.session.rollback()
    delete_draft(talk.session, question, by=talk.by, at=LATER)
    undone(talk, batch)
