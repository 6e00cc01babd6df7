"""Many questions at once at the desk: choose, see what it means, do it, take it back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import BulkOperation, Job, Question
from cms.services import jobs
from cms.services.operations import bulk
from cms.services.work import HANDLERS
from cms.vocabulary import JobState, Role, Stage
from tests.factories import make_published, make_question
from tests.web.pages import fields_of, notes_of, reread, submit
from tests.web.test_desk_lists import LIST, AsRole, bank, desk

__all__ = ["bank", "desk"]


def choose(
    desk: FlaskClient,
    action: str,
    questions: list[Question],
    address: str = "",
    ticks: tuple[str, ...] = (),
    **more: str,
) -> Any:
    """Tick questions and go on: what comes is the page that asks first."""
    page = desk.get(LIST + address).text
    to = re.search(r'id="bulk" method="post" action="([^"]+)"', page)
    assert to
    fields = fields_of(page, "bulk") | {"action": action, **more}
    rows = [*(str(each.id) for each in questions), *ticks]
    return desk.post(to[1].replace("&amp;", "&"), data={**fields, "rowid": rows})


def confirm(
    desk: FlaskClient, action: str, questions: list[Question], address: str = "", **arguments: str
) -> Any:
    """Go on, and then do it: what comes is where the browser is led."""
    whole = {"all": "1"} if not questions else {}
    asked = choose(desk, action, questions, address, **whole)
    assert asked.status_code == 200
    to = re.search(r'class="form-page" method="post" action="([^"]+)"', asked.text)
    assert to
    fields = {**fields_of(asked.text, to[1]), **arguments}
    rows = [str(each.id) for each in questions]
    return desk.post(to[1].replace("&amp;", "&"), data={**fields, "rowid": rows})


def told(desk: FlaskClient, done: Any) -> list[str]:
    assert done.status_code == 303, done.text[:300]
    return notes_of(desk.get(done.location).text)


def newest(session: Session) -> BulkOperation:
    """Return the newest operation; no transaction stays open."""
    with Session(session.get_bind(), expire_on_commit=False) as own:
        return own.scalars(select(BulkOperation).order_by(BulkOperation.id.desc()).limit(1)).one()


def test_a_bulk_action_asks_first_with_the_count(
    desk: FlaskClient, session: Session, bank: dict[str, Question]
) -> None:
    asked = choose(desk, "publish", [bank["draft"], bank["warned"]])
    assert "Publish 2 questions?" in asked.text
    assert "Draft?" in asked.text
    assert reread(session, bank["draft"]).published_number is None


def test_publishing_several_is_one_release_and_names_the_refused(
    desk: FlaskClient, session: Session, bank: dict[str, Question]
) -> None:
    chosen = [bank[name] for name in ("draft", "review", "warned", "bare", "published")]
    done = confirm(desk, "publish", chosen)
    page = desk.get(done.location).text
    assert notes_of(page) == [
        "Published: 2 questions. What was done",
        "3 questions stayed as before, for the reasons below.",
    ]
    for stem, reason in {
        "Warned?": "Import warnings are open.",
        "Bare?": "It has no answer.",
        "Published?": "Readers see this text already.",
    }.items():
        row = next(each for each in page.split("<tr>") if f">{stem}</a>" in each)
        assert reason in row
    revisions = [reread(session, bank[name]).published_number for name in ("draft", "review")]
    assert revisions == [1, 1]


@pytest.mark.parametrize(
    ("action", "chosen", "arguments", "note"),
    [
        ("submit", ["draft", "warned"], {}, "Submitted for review: 2 questions."),
        ("return", ["review"], {}, "Returned to draft: 1 question."),
        ("acknowledge", ["warned"], {}, "Acknowledged the warnings: 1 question."),
        ("retire", ["published"], {}, "Retired: 1 question."),
        ("unretire", ["retired"], {}, "Made drafts again: 1 question."),
        ("delete", ["draft", "bare"], {}, "Deleted: 2 questions."),
        ("add_tag", ["draft"], {"tag": "New/Tag"}, "Added the tag new/tag: 1 question."),
        ("remove_tag", ["draft"], {"tag": "flask/cli"}, "Removed the tag flask/cli: 1 question."),
        (
            "replace_tag",
            ["published"],
            {"tag": "http", "other": "web"},
            "Replaced the tag http by web: 1 question.",
        ),
        ("difficulty", ["bare"], {}, "Set the difficulty to easy: 1 question."),
        ("difficulty", ["draft"], {"difficulty": ""}, "Took the difficulty away: 1 question."),
        (
            "review_by",
            ["draft"],
            {"review_by": "2027-01-31"},
            "Set the review date to 2027-01-31: 1 question.",
        ),
        ("assign", ["draft"], {}, "Assigned to The editor: 1 question."),
    ],
)
def test_each_bulk_action_does_what_it_says_and_is_undone_by_its_button(
    desk: FlaskClient,
    session: Session,
    bank: dict[str, Question],
    action: str,
    chosen: list[str],
    arguments: dict[str, str],
    note: str,
) -> None:
    done = confirm(desk, action, [bank[name] for name in chosen], "?search=", **arguments)
    page = desk.get(done.location).text
    assert notes_of(page) == [f"{note} What was done"]
    assert done.location.startswith(LIST)
    fields = fields_of(page, "/undo")
    undone = desk.post(f"/admin/operations/{newest(session).id}/undo", data=fields)
    assert undone.location.startswith(LIST)
    did = note.partition(":")[0]
    assert told(desk, undone) == [f"Undone: {did}. Everything is as it was."]
    assert newest(session).undone_at is not None


def test_a_whole_list_is_meant_with_its_filters(desk: FlaskClient, session: Session) -> None:
    for number in range(60):
        make_question(session, f"Number {number}?", tags=["many"])
    other = make_question(session, "Other?")
    page = desk.get(f"{LIST}?tag=many&page=1").text
    assert "all 60 of this list" in page
    asked = choose(desk, "add_tag", [], "?tag=many&page=1", all="1")
    assert "Add a tag to 60 questions?" in asked.text
    assert "and 40 more" in asked.text
    done = confirm(desk, "add_tag", [], "?tag=many&page=1", tag="all")
    assert told(desk, done) == ["Added the tag all: 60 questions. What was done"]
    assert "tag=many" in done.location
    with_it = select(Question.id).where(Question.tags.any(slug="all"))
    tagged = len(session.scalars(with_it).all())
    session.commit()
    assert tagged == 60
    assert [tag.slug for tag in reread(session, other).tags] == []


def test_a_search_means_all_that_it_finds_not_only_what_the_list_counts(
    desk: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        make_question(session, f"Teapot {number}?")
    make_question(session, "Other?")
    monkeypatch.setattr("cms.web.admin.base.COUNT_LIMIT", 5)
    done = confirm(desk, "add_tag", [], "?search=teapot", tag="tea")
    assert told(desk, done) == ["Added the tag tea: 8 questions. What was done"]


def test_a_list_that_changed_since_it_was_shown_is_shown_again(
    desk: FlaskClient, session: Session
) -> None:
    make_question(session, "One?", tags=["some"])
    asked = choose(desk, "submit", [], "?tag=some", all="1")
    fields = fields_of(asked.text, "?tag=some")
    make_question(session, "Two?", tags=["some"])
    again = desk.post(f"{LIST}action/?tag=some", data=fields)
    assert "The list changed since you saw it: it has 2 questions now." in again.text
    assert "Submit 2 questions for review?" in again.text
    done = desk.post(f"{LIST}action/?tag=some", data=fields_of(again.text, "?tag=some"))
    assert told(desk, done) == ["Submitted for review: 2 questions. What was done"]


def test_a_filter_that_does_not_exist_is_no_wider_selection(
    desk: FlaskClient, bank: dict[str, Question]
) -> None:
    refused = choose(desk, "delete", [], "?status=nonsense", all="1")
    assert refused.status_code == 422
    assert "There is no status ‘nonsense’." in refused.text


@pytest.mark.parametrize(
    ("action", "arguments", "problem"),
    [
        ("add_tag", {"tag": ""}, "Name a tag, such as flask/basics."),
        ("remove_tag", {"tag": "nope"}, "There is no tag ‘nope’."),
        ("review_by", {"review_by": "soon"}, "is not a day"),
        ("assign", {"assignee": "Nobody"}, "There is no active account"),
    ],
)
def test_a_wrong_argument_is_asked_for_again_and_nothing_is_done(
    desk: FlaskClient,
    session: Session,
    bank: dict[str, Question],
    action: str,
    arguments: dict[str, str],
    problem: str,
) -> None:
    again = confirm(desk, action, [bank["draft"]], **arguments)
    assert again.status_code == 200
    assert "Nothing was done yet" in again.text
    assert problem in again.text
    assert session.scalar(select(func.count()).select_from(BulkOperation)) == 0
    session.rollback()


def test_the_page_says_who_sees_the_change_of_a_text(
    desk: FlaskClient, as_role: AsRole, bank: dict[str, Question]
) -> None:
    chosen = [bank[name] for name in ("draft", "published", "changed")]
    page = choose(desk, "add_tag", chosen).text
    assert "Readers see the change of 1 published question at once, in one release." in page
    assert "1 question with unpublished changes: this joins them" in page
    page = choose(as_role(Role.contributor), "add_tag", chosen).text
    assert "2 of them were published: only an editor may change those" in page


def test_two_who_make_one_tag_at_one_moment_are_told_so(
    desk: FlaskClient, bank: dict[str, Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    def perform(*_: object, **__: object) -> None:
        raise IntegrityError("INSERT INTO tag", {}, Exception("uq_tag_slug"))

    monkeypatch.setattr(bulk, "perform", perform)
    page = confirm(desk, "add_tag", [bank["draft"]], tag="new")
    assert "Somebody made the same tag at this moment. Do it again." in page.text
    assert 'value="new"' in page.text


def test_ticking_nothing_does_nothing(desk: FlaskClient, bank: dict[str, Question]) -> None:
    done = choose(desk, "delete", [])
    assert told(desk, done) == ["Tick the questions first."]
    done = choose(desk, "delete", [], ticks=("9" * 5000, "-1", "²"))
    assert told(desk, done) == ["Tick the questions first."]
    assert choose(desk, "explode", [bank["draft"]]).status_code == 404


def test_a_contributor_has_only_a_contributors_bulk_actions(
    as_role: AsRole, session: Session, bank: dict[str, Question]
) -> None:
    client = as_role(Role.contributor)
    page = client.get(LIST).text
    offered = re.findall(r'<option value="(\w+)">', page.split('name="action"')[1])
    assert set(offered) == {n for n, v in bulk.VERBS.items() if v.role == Role.contributor}
    assert choose(client, "publish", [bank["draft"]]).status_code == 403
    fields = fields_of(client.get(LIST).text, "bulk")
    forged = {**fields, "action": "publish", "confirmed": "yes", "rowid": str(bank["draft"].id)}
    assert client.post(f"{LIST}action/", data=forged).status_code == 403
    assert reread(session, bank["draft"]).published_number is None
    assert reread(session, bank["draft"]).stage == Stage.draft


def test_every_verb_is_offered(desk: FlaskClient, bank: dict[str, Question]) -> None:
    offered = re.findall(r'<option value="(\w+)">', desk.get(LIST).text.split('name="action"')[1])
    assert sorted(offered) == sorted(bulk.VERBS)


# --- the operations --------------------------------------------------------------------


def test_an_operation_lists_what_became_of_each_question(
    desk: FlaskClient, session: Session, bank: dict[str, Question]
) -> None:
    confirm(desk, "retire", [bank["published"], bank["draft"]])
    id = newest(session).id
    listed = desk.get("/admin/operations/?verb=retire").text
    assert "Retired" in listed
    assert re.sub(r"\s+", " ", listed.split('data-label="Questions">')[1])[:20].startswith("1 ")
    page = desk.get(f"/admin/operations/{id}/?action=error").text
    assert "Draft?" in page
    assert "It is not published." in page
    assert "Published?" not in page
    undone = submit(
        desk, f"/admin/operations/{id}/", form="/undo", to=f"/admin/operations/{id}/undo"
    )
    assert undone.location == f"/admin/operations/{id}/"
    assert "undone" in desk.get(undone.location).text
    assert reread(session, bank["published"]).published_number == 1


def test_an_undo_that_would_lose_work_says_whose(
    desk: FlaskClient, session: Session, bank: dict[str, Question]
) -> None:
    confirm(desk, "submit", [bank["draft"]])
    id = newest(session).id
    confirm(desk, "return", [bank["draft"]])
    refused = submit(
        desk, f"/admin/operations/{id}/", form="/undo", to=f"/admin/operations/{id}/undo"
    )
    (note,) = told(desk, refused)
    assert note == "‘Draft?’ was changed since, and undoing would lose that. Nothing was undone."


@pytest.fixture
def work(app: Flask) -> Callable[[], bool]:
    """Do one job, as a worker does."""

    def work() -> bool:
        with app.app_context():
            return jobs.work_one(db.engine, HANDLERS)

    return work


def test_a_large_selection_is_a_workers(
    desk: FlaskClient,
    session: Session,
    work: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "LARGE", 2)
    questions = [make_question(session, f"Number {n}?") for n in range(3)]
    assert "A worker does it in the background" in choose(desk, "submit", questions).text
    done = confirm(desk, "submit", questions)
    page = done.location
    assert page == f"/admin/operations/{newest(session).id}/"
    assert "A worker will begin soon: 3 questions." in desk.get(page).text
    assert reread(session, questions[0]).stage == Stage.draft

    assert work()
    assert "data-busy" not in desk.get(page).text
    assert reread(session, questions[0]).stage == Stage.in_review

    again = submit(desk, page, form="/undo", to=f"{page}undo")
    assert again.location == page
    assert "data-busy" in desk.get(page).text
    fields = fields_of(desk.get("/account").text, "/logout")
    (note,) = told(desk, desk.post(f"{page}undo", data=fields))
    assert note.startswith("A worker is at it already.")
    assert work()
    assert reread(session, questions[0]).stage == Stage.draft
    assert "undone" in desk.get(page).text


def test_what_a_worker_could_not_do_is_told_on_its_page(
    desk: FlaskClient,
    session: Session,
    work: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "LARGE", 1)
    questions = [make_published(session, f"Number {n}?") for n in range(2)]
    page = confirm(desk, "retire", questions).location
    monkeypatch.setitem(bulk.VERBS, "retire", bulk.VERBS["publish"])
    monkeypatch.setattr("cms.services.operations.bulk.allowed", refuse)
    assert work()
    shown = desk.get(page).text
    assert "It was not done. Only the dead may do this." in shown
    assert session.scalars(select(Job.state)).one() == JobState.failed
    session.rollback()


def refuse(*_: object) -> None:
    from cms.errors import NotAllowed

    raise NotAllowed("Only the dead may do this.")
