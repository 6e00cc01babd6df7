"""Decks: what they hold, who may change them, and that nobody's change is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, NotAllowed, StaleDeck, WrongState
from cms.formats.item import DeckFilter, DeckItem
from cms.models import (
    AuditEvent,
    Deck,
    DeckChange,
    Publication,
    PublishedDeck,
    PublishedDeckMember,
    Question,
    Tag,
    User,
    Withdrawal,
)
from cms.services.content import content_of
from cms.services.decks import (
    deck_item,
    delete_deck,
    describe_members,
    preview_deck,
    resolve_members,
    save_deck,
)
from cms.services.publishing import publish, retire, unretire
from cms.services.questions import save
from cms.services.releases import release_number
from cms.services.tags import delete_tag, save_tag
from cms.vocabulary import Difficulty
from tests.factories import AT, make_question

LATER = AT + timedelta(hours=1)
EASY, HARD = Difficulty.easy, Difficulty.hard


def make_deck(
    session: Session, title: str = "First", questions: list[Question] | None = None, **filter: Any
) -> Deck:
    """A deck on the shelf, in a release of its own, committed."""
    item = DeckItem(
        slug="",
        title=title,
        filter=DeckFilter(**filter),
        questions=[question.uid for question in questions or []],
    )
    deck = save_deck(session, None, item, by=None, at=AT)
    session.commit()
    return deck


def change(session: Session, deck: Deck, **fields: Any) -> None:
    """Change a deck as somebody who saw its newest version."""
    item = replace(deck_item(deck), **fields)
    save_deck(session, deck, item, seen_version=deck.version, by=None, at=LATER)
    session.commit()


def stems(session: Session, slug: str = "first") -> list[str]:
    """The stems of a public deck, in its order."""
    return list(
        session.scalars(
            select(Publication.stem)
            .join(PublishedDeckMember, PublishedDeckMember.publication_id == Publication.id)
            .where(PublishedDeckMember.deck == slug)
            .order_by(PublishedDeckMember.position, PublishedDeckMember.publication_id)
        )
    )


def changes(session: Session, release: int, slug: str = "first") -> dict[str, str]:
    """What a release did to a deck, by stem."""
    names = dict(session.execute(select(Question.uid, Question.stem)).all())
    rows = session.execute(
        select(DeckChange.uid, DeckChange.what).filter_by(deck=slug, release=release)
    ).all()
    assert len({uid for uid, _ in rows}) == len(rows)
    return {names[uid]: what.value for uid, what in rows}


def public(session: Session, slug: str = "first") -> PublishedDeck:
    return session.scalars(
        select(PublishedDeck).filter_by(slug=slug).execution_options(populate_existing=True)
    ).one()


def edit(session: Session, question: Question, **fields: Any) -> None:
    """Change a question and publish it."""
    content = replace(content_of(question), **fields)
    save(session, question, content, seen_version=question.latest_number, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    session.commit()


# --- what a deck holds ---------------------------------------------------------------

BANK = [
    ("View?", ["flask/basics"], EASY, "A function."),
    ("Blueprint?", ["flask/routing"], HARD, "A group of cookies and views."),
    ("Session?", ["flask/sessions", "http"], HARD, "A signed cookie."),
    ("Cookie?", ["http"], EASY, "A header."),
    ("Zebra?", [], None, "No cookie at all."),
]


@pytest.fixture
def bank(session: Session) -> dict[str, Question]:
    """Five questions on the shelf, by stem."""
    made = [
        make_question(session, stem, body, tags=tags, difficulty=difficulty)
        for stem, tags, difficulty, body in BANK
    ]
    publish(session, made, by=None, at=AT)
    session.commit()
    return {question.stem: question for question in made}


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, []),
        ({"all": ["flask"]}, ["View?", "Blueprint?", "Session?"]),
        ({"all": ["flask", "http"]}, ["Session?"]),
        ({"any": ["http", "flask/basics"]}, ["View?", "Session?", "Cookie?"]),
        ({"none": ["flask"]}, ["Cookie?", "Zebra?"]),
        ({"all": ["flask"], "none": ["http"]}, ["View?", "Blueprint?"]),
        ({"difficulty": [EASY]}, ["View?", "Cookie?"]),
        ({"difficulty": [EASY, HARD], "any": ["http"]}, ["Session?", "Cookie?"]),
        ({"text": "cookie"}, ["Blueprint?", "Session?", "Cookie?", "Zebra?"]),
        ({"text": "sign cook"}, []),
        ({"text": "signed cook"}, ["Session?"]),
        ({"text": "???"}, []),
        ({"text": "cookie", "all": ["http"], "difficulty": [HARD]}, ["Session?"]),
    ],
)
def test_a_filter_selects_in_the_order_of_publication(
    session: Session, filter: dict[str, Any], expected: list[str]
) -> None:
    make_deck(session, **filter)
    assert stems(session) == expected
    assert public(session).questions == len(expected)
    assert preview_deck(
        session, DeckItem(slug="x", title="x", filter=DeckFilter(**filter))
    ).total == (len(expected))


def test_explicit_members_come_first_in_their_order_and_none_twice(
    session: Session, bank: dict[str, Question]
) -> None:
    chosen = [bank["Zebra?"], bank["Cookie?"]]
    deck = make_deck(session, questions=chosen, all=["http"])
    assert stems(session) == ["Zebra?", "Cookie?", "Session?"]
    preview = preview_deck(session, deck_item(deck), limit=2)
    assert (preview.total, [stem for _, stem in preview.first]) == (3, ["Zebra?", "Cookie?"])
    change(session, deck, questions=[bank["Session?"].uid, bank["Zebra?"].uid])
    assert stems(session) == ["Session?", "Zebra?", "Cookie?"]


def test_a_member_that_is_not_public_is_skipped_and_kept(
    session: Session, bank: dict[str, Question]
) -> None:
    draft = make_question(session, "Draft?")
    deck = make_deck(session, questions=[draft, bank["View?"], bank["Zebra?"]])
    assert stems(session) == ["View?", "Zebra?"]
    publish(session, [draft], by=None, at=LATER)
    retire(session, [bank["View?"]], by=None, at=LATER)
    session.commit()
    assert stems(session) == ["Draft?", "Zebra?"]
    assert len(deck.members) == 3
    unretire(session, bank["View?"], by=None, at=LATER)
    publish(session, [bank["View?"]], by=None, at=LATER)
    assert stems(session) == ["Draft?", "View?", "Zebra?"]


def test_the_survivor_of_a_merge_takes_the_place_of_what_was_merged(
    session: Session, bank: dict[str, Question]
) -> None:
    make_deck(session, questions=[bank["View?"], bank["Cookie?"]])
    merge(session, bank["View?"], bank["Zebra?"])
    assert stems(session) == ["Zebra?", "Cookie?"]
    release = release_number(session)
    assert changes(session, release) == {"View?": "withdrawn", "Zebra?": "added"}
    merge(session, bank["Zebra?"], bank["Cookie?"])
    assert stems(session) == ["Cookie?"]
    edit(session, bank["Cookie?"], context="New.")
    assert stems(session) == ["Cookie?"]


def merge(session: Session, question: Question, into: Question) -> None:
    """Merge one published question into another, as a service would."""
    question.merged_into = into
    session.flush()
    retire(session, [question], by=None, at=LATER)
    session.commit()
    assert session.get_one(Withdrawal, question.uid).merged_into == into.uid


# --- releases -----------------------------------------------------------------------


def test_each_release_says_what_it_did_to_a_deck(
    session: Session, bank: dict[str, Question]
) -> None:
    deck = make_deck(session, all=["http"])
    assert changes(session, 2) == {"Session?": "added", "Cookie?": "added"}
    edit(session, bank["Session?"], context="More.")
    assert changes(session, 3) == {"Session?": "changed"}
    edit(session, bank["Cookie?"], tags=[])
    assert changes(session, 4) == {"Cookie?": "withdrawn"}
    assert (public(session).release, public(session).changed_in) == (2, 4)
    edit(session, bank["Zebra?"], context="In no deck.")
    assert (public(session).questions, public(session).changed_in) == (1, 4)
    change(session, deck, title="Other")
    assert changes(session, 6) == {}
    assert (public(session).release, public(session).changed_in) == (6, 6)
    change(session, deck, filter=DeckFilter(difficulty=[EASY]))
    assert changes(session, 7) == {"Session?": "withdrawn", "View?": "added", "Cookie?": "added"}


def test_a_deck_of_a_file_goes_public_with_the_next_release(
    session: Session, bank: dict[str, Question]
) -> None:
    session.add(
        Deck(slug="first", title="F", filter={"all": ["http"]}, created_at=AT, updated_at=AT)
    )
    edit(session, bank["Session?"], context="More.")
    assert changes(session, 2) == {"Session?": "added", "Cookie?": "added"}
    session.delete(session.scalars(select(Deck)).one())
    edit(session, bank["Zebra?"], context="More.")
    assert changes(session, 3) == {"Session?": "withdrawn", "Cookie?": "withdrawn"}
    assert session.scalars(select(PublishedDeck)).all() == []


def test_a_filter_that_the_first_version_took_selects_nothing_and_stops_nobody(
    session: Session, bank: dict[str, Question]
) -> None:
    session.add(Deck(slug="first", title="F", filter={"limit": 3}, created_at=AT, updated_at=AT))
    edit(session, bank["Session?"], context="More.")
    assert stems(session) == []


def test_a_tag_that_is_renamed_takes_its_decks_along(
    session: Session, bank: dict[str, Question]
) -> None:
    deck = make_deck(session, all=["flask"], none=["flask/routing"])
    tag = session.scalars(select(Tag).filter_by(slug="flask")).one()
    save_tag(session, tag, slug="web", name="Web", description="", by=None, at=LATER)
    session.commit()
    assert deck_item(deck).filter == DeckFilter(all=["web"], none=["web/routing"])
    assert stems(session) == ["View?", "Session?"]
    assert changes(session, 3) == {"View?": "changed", "Session?": "changed"}
    assert (deck.version, public(session).release) == (2, 3)


def test_a_tag_that_no_question_has_takes_its_decks_along_too(session: Session) -> None:
    make_question(session, tags=["flask"])
    deck = make_deck(session, all=["flask"])
    tag = session.scalars(select(Tag).filter_by(slug="flask")).one()
    save_tag(session, tag, slug="web", name="Web", description="", by=None, at=LATER)
    assert deck_item(deck).filter == DeckFilter(all=["web"])
    assert '"web"' in public(session).document


def test_a_tag_that_a_filter_names_cannot_be_deleted(
    session: Session, bank: dict[str, Question]
) -> None:
    deck = make_deck(session, none=["flask/basics"])
    edit(session, bank["View?"], tags=[])
    tag = session.scalars(select(Tag).filter_by(slug="flask/basics")).one()
    with pytest.raises(WrongState, match="used by the deck 'First'"):
        delete_tag(session, tag, by=None, at=LATER)
    change(session, deck, filter=DeckFilter())
    delete_tag(session, tag, by=None, at=LATER)


# --- who changes what -----------------------------------------------------------------


def test_only_an_editor_changes_decks(session: Session, editor: User, contributor: User) -> None:
    item = DeckItem(slug="", title="First")
    with pytest.raises(NotAllowed, match="Only an editor may change decks"):
        save_deck(session, None, item, by=contributor, at=AT)
    deck = save_deck(session, None, item, by=editor, at=AT)
    with pytest.raises(NotAllowed, match="Only an editor may delete decks"):
        delete_deck(session, deck, seen_version=1, by=contributor, at=AT)


def test_a_decks_address_is_made_of_its_title_and_stays(session: Session) -> None:
    deck = make_deck(session, "Flask in 30 minutes!")
    again = make_deck(session, "Flask in 30 minutes?")
    assert (deck.slug, again.slug) == ("flask-in-30-minutes", "flask-in-30-minutes-2")
    change(session, deck, title="Something else")
    assert deck.slug == "flask-in-30-minutes"
    with pytest.raises(InvalidContent, match="stays as it is: 'flask-in-30-minutes'"):
        change(session, deck, slug="something-else")
    with pytest.raises(InvalidContent, match="a deck at 'flask-in-30-minutes' already"):
        save_deck(session, None, deck_item(deck), by=None, at=AT)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"title": " "}, "title: It is empty. Name the deck."),
        ({"slug": "A b"}, "slug: 'A b' may hold small letters"),
        ({"filter": DeckFilter(all=["nope"])}, r"filter.all\[0\]: There is no tag 'nope'"),
        ({"filter": DeckFilter(any=["A b"])}, r"filter.any\[0\]: 'A b' is not a tag's path"),
        ({"filter": DeckFilter(text="x" * 201)}, "filter.text: It has 201 characters"),
        (
            {"questions": ["01920000-0000-7000-8000-000000000001"]},
            r"questions\[0\]: The bank has no question with the uid '01920000",
        ),
    ],
)
def test_a_deck_that_breaks_a_rule_is_refused(
    session: Session, fields: dict[str, Any], problem: str
) -> None:
    item = replace(DeckItem(slug="", title="First"), **fields)
    with pytest.raises(InvalidContent, match=problem):
        save_deck(session, None, item, by=None, at=AT)
    assert release_number(session) == 0


def test_a_change_that_was_not_seen_is_never_overwritten(
    session: Session, editor: User, bank: dict[str, Question]
) -> None:
    deck = make_deck(session)
    seen = deck.version
    mine = replace(deck_item(deck), title="Mine")
    theirs = replace(deck_item(deck), title="Theirs")
    save_deck(session, deck, theirs, seen_version=seen, by=editor, at=LATER)
    with pytest.raises(StaleDeck, match="Edith changed this deck while you were editing") as caught:
        save_deck(session, deck, mine, seen_version=seen, by=None, at=LATER)
    assert caught.value.theirs == theirs
    with pytest.raises(StaleDeck):
        delete_deck(session, deck, seen_version=seen, by=None, at=LATER)
    # What is the same as theirs already is no conflict, and no release.
    release = release_number(session)
    save_deck(session, deck, theirs, seen_version=seen, by=None, at=LATER)
    assert release_number(session) == release


def test_every_change_is_a_release_and_on_record(session: Session, editor: User) -> None:
    deck = save_deck(session, None, DeckItem(slug="", title="First"), by=editor, at=AT)
    save_deck(session, deck, DeckItem(slug="", title="2nd"), seen_version=1, by=editor, at=AT)
    delete_deck(session, deck, seen_version=2, by=editor, at=AT)
    session.commit()
    assert release_number(session) == 3
    events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [event.action for event in events] == ["deck.create", "deck.save", "deck.delete"]
    assert events[1].data["before"]["title"] == "First"
    assert events[2].data["before"]["title"] == "2nd"
    assert session.scalars(select(PublishedDeck)).all() == []


def test_a_deck_that_is_deleted_says_that_its_questions_left(
    session: Session, bank: dict[str, Question]
) -> None:
    deck = make_deck(session, all=["http"])
    delete_deck(session, deck, seen_version=1, by=None, at=LATER)
    assert changes(session, 3) == {"Session?": "withdrawn", "Cookie?": "withdrawn"}
    assert session.scalars(select(PublishedDeckMember)).all() == []


def test_members_are_named_by_uid_slug_or_address(
    session: Session, bank: dict[str, Question]
) -> None:
    view, cookie, zebra = bank["View?"], bank["Cookie?"], bank["Zebra?"]
    edit(session, zebra, slug="horse")
    draft = make_question(session, "Draft?")
    names = [
        view.uid,
        "cookie",
        "https://bank.example.org/questions/zebra?x=1#y",
        "draft",
        "cookie",
    ]
    uids = [view.uid, cookie.uid, zebra.uid, draft.uid]
    assert resolve_members(session, names) == uids
    merge(session, cookie, view)
    found = describe_members(session, [*names, "nothing"])
    assert [(each.stem, each.note) for each in found] == [
        ("View?", ""),
        ("Cookie?", "merged into view"),
        ("Zebra?", ""),
        ("Draft?", "not published"),
        ("Cookie?", "merged into view"),
        ("", "unknown"),
    ]
    with pytest.raises(InvalidContent, match="The bank has no question 'nothing'"):
        resolve_members(session, ["nothing", "cookie"])
