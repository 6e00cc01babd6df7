"""The desk's decks: what they select is shown before it is saved, and nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter, DeckItem
from cms.models import AuditEvent, Deck
from cms.services.decks import deck_item, save_deck
from cms.services.publishing import retire
from cms.vocabulary import Difficulty, Role
from cms.web.security import READ_ONLY_POSTS
from tests.factories import AT, make_published, make_question
from tests.web.pages import fields_of, notes_of, submit

AsRole = Callable[[Role | None], FlaskClient]
Send = Callable[..., Any]


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


@pytest.fixture
def deck(session: Session) -> Deck:
    """Two chosen questions, one of them retired since, and what a filter selects."""
    view = make_published(session, "What is a view?", tags=["flask"], difficulty=Difficulty.easy)
    old = make_published(session, "What is `old`?", tags=["http"])
    item = DeckItem(
        slug="first",
        title="First",
        description="Begin.",
        filter=DeckFilter(all=["flask"], none=["http"], difficulty=[Difficulty.easy], text="view"),
        questions=[old.uid, view.uid],
    )
    made = save_deck(session, None, item, by=None, at=AT)
    retire(session, [old], by=None, at=AT)
    session.commit()
    return made


def reread(session: Session) -> Deck:
    """The one deck as it is now; no transaction stays open."""
    found = session.scalars(select(Deck).execution_options(populate_existing=True)).one()
    assert deck_item(found)
    session.commit()
    return found


def tally(page: str) -> str:
    found = re.search(r'<p class="tally">(.*?)</p>', page)
    assert found
    return re.sub("<[^>]+>", "", found[1])


def test_the_list_says_what_each_deck_selects(desk: FlaskClient, deck: Deck) -> None:
    page = desk.get("/admin/decks/").text
    assert "2 chosen; flask; not http; easy; “view”" in page
    assert ">1</a>" in page
    assert "First" in desk.get("/admin/decks/?search=FIRS&kind=chosen").text
    assert "Nothing fits" in desk.get("/admin/decks/?search=other").text
    assert "Nothing fits" in desk.get("/admin/decks/?kind=filter").text


def test_a_desk_without_decks_says_how_to_make_one(as_role: AsRole) -> None:
    assert "Make the first one" in as_role(Role.editor).get("/admin/decks/").text
    page = as_role(Role.contributor).get("/admin/decks/").text
    assert "No decks yet" in page
    assert "/admin/decks/new/" not in page


def test_a_deck_is_made_of_what_was_typed(desk: FlaskClient, session: Session) -> None:
    one = make_published(session, "One?", tags=["flask/views"])
    two = make_published(session, "Two?", tags=["http"])
    make_published(session, "Three?", tags=["flask"])
    page = desk.get("/admin/decks/new/").text
    fields = fields_of(page, "form") | {
        "title": " My  deck ",
        "description": "Some *words*.",
        "all": "Flask , ",
        "any": "",
        "none": "flask/views; http",
        "questions": f"two\r\n\r\n  http://localhost/questions/one  \r\n{two.uid}\r\n",
    }
    done = desk.post("/admin/decks/new/", data=fields)
    assert done.status_code == 303
    page = desk.get(done.location).text
    assert notes_of(page) == ["Saved the deck ‘My deck’. Readers have it at once."]
    item = deck_item(reread(session))
    assert (item.slug, item.title, item.description) == ("my-deck", "My deck", "Some *words*.")
    assert item.filter == DeckFilter(all=["flask"], none=["flask/views", "http"])
    assert item.questions == [two.uid, one.uid]
    titles = re.findall(
        r'class="title" href="/questions/(\w+)\?deck=my-deck"', desk.get("/decks/my-deck").text
    )
    assert titles == ["two", "one", "three"]


def test_a_form_that_is_sent_as_it_was_opened_changes_nothing(
    desk: FlaskClient, session: Session, deck: Deck
) -> None:
    # The helper that reads forms leaves check boxes out.
    address = f"/admin/decks/{deck.id}/"
    done = submit(desk, address, form="form", difficulty="easy")
    assert notes_of(desk.get(done.location).text) == ["Nothing was changed, so nothing was saved."]
    assert reread(session).version == 1


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    desk: FlaskClient, session: Session, deck: Deck
) -> None:
    answer = submit(
        desk,
        f"/admin/decks/{deck.id}/",
        form="form",
        title="",
        any="flask, nope",
        text="typed",
        difficulty="hard",
    )
    assert answer.status_code == 200
    assert "Nothing was saved yet" in answer.text
    assert '<a href="#title">Title</a>: It is empty. Name the deck.' in answer.text
    assert "There is no tag &#39;nope&#39;. Choose one that questions have." in answer.text
    fields = fields_of(answer.text, "form")
    assert (fields["any"], fields["text"]) == ("flask, nope", "typed")
    assert fields["questions"].split() == ["what-is-old", "what-is-a-view"]
    assert 'value="hard" checked' in answer.text
    assert reread(session).title == "First"


def test_a_question_that_the_bank_does_not_have_is_named(
    desk: FlaskClient, session: Session, deck: Deck
) -> None:
    answer = submit(
        desk, f"/admin/decks/{deck.id}/", form="form", questions="what-is-a-view\nnothing-here"
    )
    assert "The bank has no question &#39;nothing-here&#39;. Name each by" in answer.text
    assert '<span class="pill error">unknown</span>' in answer.text
    assert fields_of(answer.text, "form")["questions"] == "what-is-a-view\nnothing-here"


def test_a_member_that_is_not_public_is_shown_as_such(
    desk: FlaskClient, session: Session, deck: Deck
) -> None:
    make_question(session, "A draft?")
    page = desk.get(f"/admin/decks/{deck.id}/").text
    assert '<span class="pill warm">retired</span>' in page
    assert tally(page) == "1 question on the public site now"
    page = submit(
        desk, f"/admin/decks/{deck.id}/", form="form", op="preview", questions="a-draft"
    ).text
    assert '<span class="pill warm">not published</span>' in page
    assert "data-unsaved" in page


def test_somebody_elses_change_is_shown_and_replaced_only_deliberately(
    desk: FlaskClient, session: Session, deck: Deck
) -> None:
    fields = fields_of(desk.get(f"/admin/decks/{deck.id}/").text, "form")
    theirs = DeckItem(slug="first", title="Theirs", filter=DeckFilter(any=["flask"], text="cookie"))
    save_deck(session, deck, theirs, seen_version=1, by=None, at=AT)
    session.commit()
    mine = fields | {"title": "Mine"}
    refused = desk.post(f"/admin/decks/{deck.id}/", data=mine)
    assert "changed this deck while you were editing it" in refused.text
    for said in ("What the deck is now", "<dd>Theirs</dd>", "<dd>cookie</dd>"):
        assert said in refused.text
    again = fields_of(refused.text, "form")
    assert (again["title"], again["seen_version"]) == ("Mine", "2")
    assert reread(session).title == "Theirs"
    assert desk.post(f"/admin/decks/{deck.id}/", data=again).status_code == 303
    assert reread(session).title == "Mine"


def test_a_contributor_looks_and_writes_nothing(as_role: AsRole, deck: Deck) -> None:
    page = as_role(Role.contributor).get(f"/admin/decks/{deck.id}/").text
    assert "Only an editor may change decks" in page
    assert "data-readonly" in page
    assert "data-save" not in page
    assert f"/admin/decks/{deck.id}/delete" not in page


def test_a_deck_is_deleted_once_it_was_seen(
    desk: FlaskClient, session: Session, deck: Deck, send: Send
) -> None:
    address = f"/admin/decks/{deck.id}/"
    stale = send(desk, f"{address}delete", seen_version="7")
    assert "while you were editing it" in notes_of(desk.get(stale.location).text)[0]
    done = send(desk, f"{address}delete", seen_version="1")
    assert notes_of(desk.get(done.location).text) == [
        "Deleted the deck ‘First’. Its questions stay."
    ]
    assert session.scalars(select(Deck)).all() == []
    session.rollback()
    assert desk.get("/decks/first?now=1").status_code == 404
    assert desk.get(address).status_code == 404


def test_the_audit_names_the_deck(desk: FlaskClient, session: Session, deck: Deck) -> None:
    page = desk.get("/admin/audit/").text
    assert f'deck: <a href="/admin/decks/{deck.id}/">First</a>' in page
    assert session.scalars(select(AuditEvent.object).filter_by(action="deck.create")).all() == [
        f"deck:{deck.id}"
    ]


# --- while one types --------------------------------------------------------------------


def test_the_preview_counts_what_was_typed_and_writes_nothing(
    desk: FlaskClient, session: Session, deck: Deck, send: Send
) -> None:
    for number in range(25):
        make_published(session, f"Question {number} of many?", tags=["many"])
    answer = send(desk, "/admin/decks/preview", all="many", questions="what-is-a-view\nno-such")
    assert tally(answer.text) == "26 questions on the public site now"
    shown = re.findall(r'href="/questions/([^"]+)"', answer.text)
    assert len(shown) == 20
    assert shown[:2] == ["what-is-a-view", "question-0-of-many"]
    assert "and 6 more" in answer.text
    assert "/admin/decks/preview" in READ_ONLY_POSTS
    nothing = send(desk, "/admin/decks/preview", all="many", text="???")
    assert tally(nothing.text) == "0 questions on the public site now"
    assert reread(session).version == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"questions": "no\0such"}, "The bank has no question 'nosuch'."),
        ({"all": "no\0such"}, "There is no tag 'nosuch'."),
        ({"any": ",".join(f"t{n}" for n in range(5000))}, "It names 5000 tags, the limit is 50."),
    ],
)
def test_what_no_deck_may_hold_is_neither_counted_nor_saved(
    desk: FlaskClient, session: Session, send: Send, typed: dict[str, str], said: str
) -> None:
    answer = send(desk, "/admin/decks/preview", **typed)
    assert tally(answer.text) == "0 questions on the public site now"
    page = send(desk, "/admin/decks/new/", title="First", **typed)
    assert said in unescape(page.text)
    assert session.scalars(select(Deck)).all() == []


def test_a_search_for_members_finds_some_published_questions(
    desk: FlaskClient, session: Session
) -> None:
    for number in range(12):
        make_published(session, f"What is `view` {number}?")
    make_question(session, "What is a view in a draft?")
    found = desk.get("/admin/decks/lookup?q=view").json
    assert found is not None
    assert len(found) == 10
    assert {"slug": "what-is-view-11", "stem": "What is `view` 11?"} in found
    assert desk.get("/admin/decks/lookup?q=view+3").json == [
        {"slug": "what-is-view-3", "stem": "What is `view` 3?"}
    ]
    assert desk.get("/admin/decks/lookup?q=").json == []
