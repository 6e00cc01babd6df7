"""Saved views at the desk: saved from a list, found in the side bar, one person's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from cms.models import SavedView, User
from cms.services import accounts, figures, savedviews
from cms.services.questions import submit as submit_question
from cms.vocabulary import Role
from tests.factories import AT, make_question
from tests.web.pages import fields_of, notes_of, submit

AsRole = Callable[[Role | None], FlaskClient]
Send = Callable[..., TestResponse]
LIST = "/admin/questions/"


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def side_bar(page: str) -> dict[str, tuple[str, bool]]:
    """The entries under 'My views': the address of each, and whether it is marked."""
    part = page.partition("<h2>My views</h2>")[2].partition("</ul>")[0]
    found = re.findall(r'<li><a href="([^"]+)"( aria-current="page")?>([^<]+)', part)
    return {name: (url.replace("&amp;", "&"), bool(mark)) for url, mark, name in found}


def save(desk: FlaskClient, address: str, name: str) -> TestResponse:
    return submit(desk, address, form="/views/save", to="/admin/views/save", name=name)


def queries(session: Session) -> dict[str, str]:
    found = {view.name: view.query for view in session.scalars(select(SavedView))}
    session.rollback()
    return found


def test_a_list_is_saved_as_it_is_filtered_searched_and_sorted(
    desk: FlaskClient, session: Session
) -> None:
    make_question(session, "Draft?", difficulty="hard")
    address = f"{LIST}?page=0&difficulty=hard&x=1&status=&search=+draft%3F&desc=1&sort=5"
    assert "My views" not in desk.get(LIST).text
    response = save(desk, address, " Hard drafts ")
    assert response.status_code == 303
    canonical = f"{LIST}?search=draft%3F&difficulty=hard&sort=5&desc=1"
    assert response.location == canonical
    page = desk.get(response.location).text
    assert notes_of(page) == ["Saved as ‘Hard drafts’. It is among your views now."]
    assert "Draft?" in page
    assert "View ‘Hard drafts’" in page
    assert side_bar(page)["Hard drafts"] == (canonical, True)
    assert 'aria-current="page">Questions' not in page
    # The form of the list sends its empty fields along.
    assert side_bar(desk.get(address.replace("&x=1", "")).text)["Hard drafts"] == (canonical, True)
    assert side_bar(desk.get(LIST).text)["Hard drafts"] == (canonical, False)
    shown = desk.get("/admin/").text.partition('id="views"')[2].partition("</ul>")[0]
    assert re.findall(r'class="number">(\d+)</span> <b>([^<]+)</b>', shown) == [
        ("1", "Hard drafts")
    ]
    assert "Questions: ‘draft?’; difficulty hard; by updated, descending" in shown


def test_a_list_that_shows_everything_has_nothing_to_save(
    desk: FlaskClient, session: Session
) -> None:
    make_question(session)
    for address in ("", "?page=1", "?status=nonsense", "?sort=0", "?x=1"):
        assert "Save this view" not in desk.get(LIST + address).text, address


def test_a_name_that_cannot_be_is_told_and_loses_nothing(
    desk: FlaskClient, session: Session
) -> None:
    make_question(session)
    save(desk, f"{LIST}?status=draft", "Drafts")
    for name, message in [("  ", "Give the view a name"), ("DRAFTS", "named ‘Drafts’ already")]:
        response = save(desk, f"{LIST}?difficulty=none", name)
        assert response.status_code == 200
        assert message in response.text
    fields = fields_of(response.text, "/views/save")
    assert (fields["name"], fields["query"]) == (name, "difficulty=none")
    again = desk.post("/admin/views/save", data=fields | {"name": "No level"})
    assert again.location == f"{LIST}?difficulty=none"
    assert queries(session) == {"Drafts": "status=draft", "No level": "difficulty=none"}


def test_a_view_is_updated_to_what_is_shown_renamed_and_deleted(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    make_question(session)
    save(desk, f"{LIST}?status=draft", "Mine")
    save(desk, "/admin/corrections/?status=open", "Corrections")
    key = session.scalars(select(SavedView.id).filter_by(name="Mine")).one()
    session.rollback()
    changed = submit(
        desk, f"{LIST}?status=draft&tag=x", form="/views/update", to="/admin/views/update"
    )
    assert changed.location == f"{LIST}?status=draft&tag=x"
    assert notes_of(desk.get(changed.location).text) == ["‘Mine’ shows this from now on."]
    assert queries(session)["Mine"] == "status=draft&tag=x"
    page = desk.get("/admin/views/").text
    assert "Status draft; tag x" in page
    refused = send(desk, f"/admin/views/{key}/rename", name="Corrections")
    assert "You have a view named ‘Corrections’ already" in refused.text
    assert fields_of(refused.text, f"/{key}/rename")["name"] == "Corrections"
    send(desk, f"/admin/views/{key}/rename", name="Still mine")
    assert notes_of(desk.get("/admin/views/").text) == ["Renamed."]
    send(desk, f"/admin/views/{key}/delete")
    assert notes_of(desk.get("/admin/views/").text) == [
        "Deleted the view ‘Still mine’. What it listed stays."
    ]
    assert queries(session) == {"Corrections": "status=open"}
    gone = send(desk, "/admin/views/update", page="desk_questions", query="tag=x", key=str(key))
    assert notes_of(desk.get(gone.location).text) == [
        "You have no such view. You may have deleted it in another window."
    ]


def test_a_view_of_another_list_is_not_updated_by_mistake(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    save(desk, "/admin/corrections/?status=open", "Corrections")
    key = session.scalars(select(SavedView.id)).one()
    session.rollback()
    response = send(desk, "/admin/views/update", page="desk_tags", query="used=no", key=str(key))
    page = desk.get(response.location).text
    assert notes_of(page) == ["‘Corrections’ is a view of another list."]
    assert queries(session) == {"Corrections": "status=open"}


def test_nobody_sees_the_views_of_somebody_else(
    desk: FlaskClient, as_role: AsRole, session: Session
) -> None:
    make_question(session)
    save(desk, f"{LIST}?assignee=me", "A secret plan")
    other = as_role(Role.admin)
    for address in ("/admin/", "/admin/views/", f"{LIST}?assignee=me"):
        assert "A secret plan" in desk.get(address).text, address
        assert "A secret plan" not in other.get(address).text, address
    assert queries(session) == {"A secret plan": "assignee=me"}
    assert 'class="number none">0</span>' in desk.get("/admin/").text


def test_a_view_whose_filter_is_gone_still_opens(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    submit_question(session, question, by=None, at=AT)
    session.commit()
    save(desk, f"{LIST}?status=in_review&queue=review", "Reviews")
    session.execute(update(SavedView).values(query="status=gone&queue=review"))
    session.commit()
    url, _ = side_bar(desk.get("/admin/").text)["Reviews"]
    page = desk.get(url).text
    assert notes_of(page) == ["There is no status ‘gone’; it was ignored."]
    assert question.stem in page


def test_a_view_of_a_list_that_a_role_does_not_open_can_only_be_deleted(
    as_role: AsRole, session: Session, send: Send
) -> None:
    desk = as_role(Role.contributor)
    desk.get("/admin/")
    user = session.scalars(select(User).where(User.role == Role.contributor)).one()
    savedviews.save_view(session, "Events", page="desk_audit", query="who=me", by=user, at=AT)
    session.commit()
    page = desk.get("/admin/views/").text
    assert "This list does not exist any more, or your role does not open it." in page
    assert "/admin/audit/" not in page
    denied = send(desk, "/admin/views/save", page="desk_audit", query="who=me", name="X")
    assert denied.status_code == 404
    assert "your role does not open it" in denied.text


def test_the_dashboard_of_a_large_bank_counts_no_views(
    desk: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_question(session)
    save(desk, f"{LIST}?status=draft", "Drafts")
    monkeypatch.setattr(figures, "COUNTED_AT_ONCE", 0)
    shown = desk.get("/admin/").text.partition('id="views"')[2].partition("</ul>")[0]
    assert "<b>Drafts</b>" in shown
    assert "number" not in shown


SAVED = [
    "/admin/answers/?sources=none",
    "/admin/tags/?search=a&sort=0",
    "/admin/corrections/?mine=undecided&opened=2026-W47",
    "/admin/decks/?kind=filter&sort=3&desc=1",
    "/admin/imports/?state=open",
    "/admin/accounts/?role=admin",
    "/admin/audit/?who=me&from=2026-01-01",
]


def test_every_list_can_be_saved(as_role: AsRole, session: Session) -> None:
    make_question(session)
    admin = as_role(Role.admin)
    for number, address in enumerate(SAVED):
        assert save(admin, address, f"Number {number}").location == address
        assert side_bar(admin.get(address).text)[f"Number {number}"] == (address, True)
    shown = side_bar(admin.get("/admin/").text)
    assert [address for address, _ in shown.values()] == [*SAVED, "/admin/views/"]
    for query in queries(session).values():
        assert urlencode(parse_qsl(query)) == query


def test_a_disabled_account_has_its_views_again_when_it_is_enabled(
    desk: FlaskClient, session: Session
) -> None:
    save(desk, f"{LIST}?status=draft", "Drafts")
    user = session.scalars(select(User).where(User.role == Role.editor)).one()
    accounts.disable(session, user, by=None, at=AT)
    accounts.enable(session, user, by=None, at=AT)
    session.commit()
    assert queries(session) == {"Drafts": "status=draft"}
