"""The desk's lists: search, filters, sort, pages, bulk actions; a bounded number of queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.formats import FORMATS
from cms.formats.incoming import Upload
from cms.formats.item import DeckFilter, DeckItem
from cms.models import ImportBatch, Question, User
from cms.services import comments, decks
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.imports.importing import apply, plan_file
from cms.services.operations import bulk
from cms.services.operations.undoing import undo_bulk
from cms.services.publishing import retire
from cms.services.questions import save
from cms.services.questions import submit as submit_question
from cms.services.scheduling import schedule
from cms.vocabulary import CorrectionKind, Role
from tests.conftest import sent_statements
from tests.factories import AT, make_published, make_question, make_warning
from tests.web.pages import notes_of, submit

pytestmark = pytest.mark.each_database

AsRole = Callable[[Role | None], FlaskClient]
LIST = "/admin/questions/"


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def stems(page: str) -> list[str]:
    """The stems that a list of questions shows, in order."""
    return re.findall(r'<td class="main"><a [^>]*>([^<]*)</a>', page)


@pytest.fixture
def bank(desk: FlaskClient, session: Session) -> dict[str, Question]:
    """One question in every state, and one for every filter; one is the desk's editor's."""
    me = session.scalars(select(User).where(User.name == "The editor")).one()
    made = {
        "draft": make_question(session, "Draft?", tags=["flask/cli"], difficulty="easy"),
        "review": make_question(session, "Review?", tags=["flask"], difficulty="hard"),
        "published": make_published(session, "Published?", tags=["http"]),
        "changed": make_published(session, "Changed?"),
        "retired": make_published(session, "Retired?"),
        "warned": make_question(session, "Warned?"),
        "bare": make_question(session, "Bare?", answers=[]),
        "disputed": make_question(session, "Disputed?", body="Unmistakable words."),
    }
    submit_question(session, made["review"], by=None, at=AT)
    changed = replace(content_of(made["changed"]), context="Changed.")
    save(session, made["changed"], changed, seen_version=1, by=None, at=AT)
    retire(session, [made["retired"]], by=None, at=AT)
    make_warning(session, made["warned"])
    made["review"].assignee_id = me.id
    made["draft"].due_on = made["draft"].review_by = date(2026, 1, 1)
    comments.post(session, made["draft"], "Is it?", by=None, at=AT)
    open_correction(
        session, made["disputed"], kind=CorrectionKind.factual, claim="Wrong.", by=None, at=AT
    )
    session.commit()
    return made


SHOWN = {
    "?status=draft": {"Draft?", "Warned?", "Bare?", "Disputed?"},
    "?status=in_review": {"Review?"},
    "?status=published": {"Published?", "Changed?"},
    "?status=changed": {"Changed?"},
    "?status=retired": {"Retired?"},
    "?difficulty=easy": {"Draft?"},
    "?difficulty=easy&status=retired": set(),
    "?tag=flask": {"Draft?", "Review?"},
    "?tag=flask/cli": {"Draft?"},
    "?tag=FLASK": {"Draft?", "Review?"},
    "?tag=flas": set(),
    "?tag=%25": set(),
    "?queue=review": {"Review?"},
    "?queue=corrections": {"Disputed?"},
    "?queue=warnings": {"Warned?"},
    "?queue=unpublished": {"Changed?"},
    "?queue=unsourced": {"Bare?"},
    "?queue=overdue": {"Draft?"},
    "?queue=comments": {"Draft?"},
    "?queue=failing": set(),
    "?queue=dead_links": set(),
    "?due=overdue": {"Draft?"},
    "?due=week": set(),
    "?due=overdue&review=past&assignee=nobody": {"Draft?"},
    "?review=month": set(),
    "?assignee=me": {"Review?"},
    "?assignee=THE+EDITOR": {"Review?"},
    "?assignee=Somebody%00": set(),
    "?reviewer=me": set(),
    "?search=unmistakable": {"Disputed?"},
    "?search=unmis+words": set(),
    "?search=words+unmis": {"Disputed?"},
    "?search=%00%22%27*": set(),
    "?search=unmistakable&status=published": set(),
}


def test_each_filter_shows_what_it_says(desk: FlaskClient, bank: dict[str, Question]) -> None:
    assert {address: set(stems(desk.get(LIST + address).text)) for address in SHOWN} == SHOWN


HAND_EDITED = [
    "?status=nonsense",
    "?difficulty=brutal",
    "?queue=nope",
    "?due=nope&review=nope&mine=nope",
    "?assignee=%27%22%25",
    "?page=-3",
    "?page=x",
    "?page=99999999999999999999",
    "?sort=99&desc=1",
    "?sort=-1",
    "?sort=x",
    "?flt0_status=1",
    "?page_size=100000",
]


def test_a_hand_edited_address_shows_a_list_all_the_same(
    desk: FlaskClient, bank: dict[str, Question]
) -> None:
    found = {address: desk.get(LIST + address).status_code for address in HAND_EDITED}
    assert found == dict.fromkeys(HAND_EDITED, 200)


def test_an_unknown_filter_value_is_named(desk: FlaskClient, bank: dict[str, Question]) -> None:
    page = desk.get(f"{LIST}?status=nonsense").text
    assert notes_of(page) == ["There is no status ‘nonsense’; it was ignored."]
    assert len(stems(page)) == len(bank)


def test_the_list_shows_state_and_what_waits(desk: FlaskClient, bank: dict[str, Question]) -> None:
    page = desk.get(LIST).text
    for words in ("in review", "unpublished changes", "retired", "1 correction", "1 warning"):
        assert words in page


def test_columns_sort_both_ways(desk: FlaskClient, session: Session) -> None:
    for day, (stem, level) in enumerate([("One?", "medium"), ("Two?", "easy"), ("Three?", "hard")]):
        make_question(session, stem, difficulty=level, at=AT + timedelta(days=day))
    assert stems(desk.get(LIST).text) == ["Three?", "Two?", "One?"]
    assert stems(desk.get(f"{LIST}?sort=5").text) == ["One?", "Two?", "Three?"]
    assert stems(desk.get(f"{LIST}?sort=5&desc=1").text) == ["Three?", "Two?", "One?"]
    assert stems(desk.get(f"{LIST}?sort=2").text) == ["Two?", "Three?", "One?"]
    assert 'aria-sort="ascending"' in desk.get(f"{LIST}?sort=2").text


def test_a_search_shows_what_fits_best_first(desk: FlaskClient, session: Session) -> None:
    make_question(session, "What is a teapot?", body="A pot.")
    for day in range(1, 4):
        body = "Tea is drunk. " * 20 + "A teapot holds it."
        make_question(session, f"Number {day}?", body=body, at=AT + timedelta(days=day))
    assert stems(desk.get(f"{LIST}?search=teapot").text)[0] == "What is a teapot?"
    assert stems(desk.get(f"{LIST}?search=teapot&sort=5&desc=1").text)[0] == "Number 3?"


def test_pages_hold_fifty_and_lead_on_with_the_filters(desk: FlaskClient, session: Session) -> None:
    for number in range(53):
        make_question(session, f"Question {number}?")
    first = desk.get(f"{LIST}?status=draft").text
    assert len(stems(first)) == 50
    assert '<span class="quiet number">53 found</span>' in first
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = desk.get(following[1].replace("&amp;", "&")).text
    assert len(stems(second)) == 3
    assert 'rel="next"' not in second
    assert not set(stems(first)) & set(stems(second))


@contextmanager
def counted_queries(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that reach the database meanwhile."""
    with app.app_context():
        engine = db.engine
    with sent_statements(engine) as sent:
        yield sent


def test_my_work_and_likes_ask_as_often_for_eight_questions_as_for_two(
    app: Flask, desk: FlaskClient, session: Session
) -> None:
    desk.get("/admin/")
    me = session.scalars(select(User).where(User.role == Role.editor)).one()
    seen: dict[str, list[int]] = {"/admin/": [], "/admin/duplicates/likes?stem=What+is+a+view": []}
    for numbers in (range(2), range(2, 8)):
        for number in numbers:
            make_question(session, slug=f"view-{number}").assignee_id = me.id
        session.commit()
        for address, counts in seen.items():
            with counted_queries(app) as asked:
                assert desk.get(address).text.count("What is a view?") >= 2
            counts.append(len(asked))
    for address, (few, many) in seen.items():
        assert few == many, address


# --- the dashboard -------------------------------------------------------------------


def test_an_empty_bank_says_where_to_begin(desk: FlaskClient) -> None:
    page = desk.get("/admin/").text
    assert "The bank is empty" in page
    assert "/admin/questions/new/" in page
    assert "/admin/imports/new/" in page
    assert "Write the first one" in desk.get(LIST).text


def test_every_queue_of_the_dashboard_leads_to_what_it_counted(
    desk: FlaskClient, session: Session, bank: dict[str, Question]
) -> None:
    later = AT + timedelta(days=1)
    schedule(session, bank["draft"], number=1, when=later, by=None, at=AT)
    for planned_at, applied_at in ((AT, None), (AT, AT)):
        made = {"planned_at": planned_at, "applied_at": applied_at, "at": AT}
        batch = ImportBatch(file_name="a.json", sha256="0" * 64, format="json", **made)
        session.add(batch)
    session.commit()
    page = desk.get("/admin/").text
    cards = re.findall(
        r'<li><a href="([^"]+)"><span class="number big[^"]*">(\d+\+?)</span>\s*<b>([^<]+)</b>',
        page,
    )
    line = page.partition("Empty:")[2].partition("</p>")[0]
    empty = re.findall(r'<a href="([^"]+)">([^<]+)</a>', line)
    cards += [(address, "0", title) for address, title in empty]
    assert [(count, title) for _, count, title in cards] == [
        ("1", "In review"),
        ("1", "Open corrections"),
        ("1", "Import warnings"),
        ("1", "Unpublished changes"),
        ("1", "Scheduled"),
        ("1", "Overdue"),
        ("1", "Past the review date"),
        ("1", "Unresolved comments"),
        ("1", "No answer"),
        ("1", "No source"),
        ("1", "Imports to decide"),
        ("0", "Failing code"),
        ("0", "Dead link"),
        ("0", "Likely duplicates"),
    ]
    for address, count, _ in cards:
        if count == "0":
            continue
        listed = desk.get(address.replace("&amp;", "&")).text
        assert f'<span class="quiet number">{count} found</span>' in listed


def test_a_contributor_is_not_asked_to_decide_imports(as_role: AsRole, session: Session) -> None:
    make_question(session)
    assert "Imports to decide" not in as_role(Role.contributor).get("/admin/").text
    assert "Imports to decide" in as_role(Role.editor).get("/admin/").text


def told_lately(client: FlaskClient) -> str:
    lately = client.get("/admin/").text.split("Lately")[1].partition("</ul>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", lately).split())


def test_what_was_done_to_many_questions_at_once_is_one_line(
    desk: FlaskClient, as_role: AsRole, session: Session
) -> None:
    questions = [make_question(session, f"Question {n}?") for n in range(3)]
    later = AT + timedelta(hours=1)
    ids = [question.id for question in questions]
    tagged = bulk.begin(session, "add_tag", ids, {"tag": "new"}, by=None, at=later)
    bulk.perform(session, tagged, at=later)
    nothing = bulk.begin(session, "unretire", ids, {}, by=None, at=later)
    bulk.perform(session, nothing, at=later)
    undo_bulk(session, tagged, by=None, at=later + timedelta(hours=1))
    upload = Upload("bank.csv", b"stem,answer\nImported?,Yes.\n")
    plan = plan_file(session, upload, FORMATS["csv"])
    done = apply(session, plan, upload, FORMATS["csv"], by=None, at=later)
    drinks = DeckItem(slug="", title="Drinks", filter=DeckFilter(text="tea"))
    decks.save_deck(session, None, drinks, by=None, at=later + timedelta(hours=2))
    session.commit()
    assert done.batch
    page = desk.get("/admin/").text
    assert f'<a href="/admin/operations/{tagged.id}/">3 questions</a>' in page
    assert f'<a href="/admin/imports/{done.batch.id}/">bank.csv</a>' in page
    lines = re.split(r"\s*The command line ", told_lately(desk))[1:]
    assert [re.sub(r" (\d+ \w+ ago|just now|\d+ Nov 2026)$", "", line) for line in lines] == [
        "made the deck Drinks",
        "imported bank.csv",
        "undid an operation: Added the tag new",
        "added the tag new: 3 questions",
        "wrote 3 questions",
    ]
    assert "/admin/imports/" not in as_role(Role.contributor).get("/admin/").text
    audit = desk.get("/admin/audit/").text
    assert f'operation: <a href="/admin/operations/{tagged.id}/">Added the tag new</a>' in audit


def test_the_dashboard_tells_what_was_done_lately(desk: FlaskClient, session: Session) -> None:
    questions = [make_question(session, f"Question {n}?") for n in range(3)]
    submit(desk, f"{LIST}{questions[0].id}/", stem="Renamed?")
    page = desk.get("/admin/").text
    told = re.sub(r"<[^>]+>|\s+", " ", page.split("Lately")[1])
    assert re.search(r"The editor changed\s+Renamed\?", told)
    assert re.search(r"The command line wrote\s+3 questions", told)
    deleted = session.scalars(select(Question).where(Question.id == questions[0].id)).one()
    session.delete(deleted)
    session.commit()
    assert "something that was deleted since" in desk.get("/admin/").text
