"""The API: documents as exports have them, pages that lead on, and a description that is true."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from msgspec.structs import replace
from schemathesis import checks
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter, DeckItem
from cms.models import Question
from cms.services.content import content_of
from cms.services.decks import save_deck
from cms.services.merging import merge
from cms.services.publishing import publish, retire
from cms.services.questions import save
from tests.factories import AT, make_bank, make_published

API = "/api/v1"
# Not the one that takes every text for a place in a list: a cursor is nobody's to make up.
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def bank(session: Session) -> None:
    make_bank(session)
    item = DeckItem(slug="first", title="First", filter=DeckFilter(all=["flask"]))
    save_deck(session, None, item, by=None, at=AT)
    session.commit()


def read(client: FlaskClient, address: str) -> dict[str, Any]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/json"
    found: dict[str, Any] = answer.json or {}
    return found


def whole(client: FlaskClient, address: str, key: str) -> list[Any]:
    """All rows of a list, page by page; each page's `Link` says the same as its `next`."""
    rows: list[Any] = []
    following: str | None = address
    while following:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json or {}
        following = page["next"]
        assert answer.headers.get("Link") == (f'<{following}>; rel="next"' if following else None)
        rows += page[key]
    return rows


@pytest.mark.usefixtures("bank")
def test_questions_are_what_exports_hold(client: FlaskClient) -> None:
    exported = read(client, "/export/bank.json")["questions"]
    listed = whole(client, f"{API}/questions?limit=1", "questions")
    assert {q["uid"]: q for q in listed} == {q["uid"]: q for q in exported}
    assert len(listed) == len(exported)
    for question in exported:
        assert read(client, f"{API}/questions/{question['uid']}") == question


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tag=flask", {"what-is-a-view", "where-does-flask-keep-the-session"}),
        ("tag=flask&difficulty=easy", {"what-is-a-view"}),
        ("q=cook", {"where-does-flask-keep-the-session"}),
        ("q=%3F!", set()),
        ("deck=first", {"what-is-a-view", "where-does-flask-keep-the-session"}),
        ("sort=title&tag=nope", set()),
    ],
)
def test_questions_are_narrowed(client: FlaskClient, query: str, expected: set[str]) -> None:
    found = whole(client, f"{API}/questions?limit=1&{query}", "questions")
    assert {question["slug"] for question in found} == expected


@pytest.mark.usefixtures("bank")
def test_tags_decks_and_corrections_are_listed_page_by_page(client: FlaskClient) -> None:
    exported = read(client, "/export/bank.json")
    tags = whole(client, f"{API}/tags?limit=1", "tags")
    assert [tag["slug"] for tag in tags] == [tag["slug"] for tag in exported["tags"]]
    assert all(tag["questions"] for tag in tags)
    (deck,) = whole(client, f"{API}/decks?limit=1", "decks")
    assert (deck["slug"], deck["questions"]) == ("first", 2)
    described = read(client, f"{API}/decks/first")
    assert described["deck"] == exported["decks"][0]
    assert client.get(described["files"]["csv"]).status_code == 200
    numbers = [
        each["correction"]["number"]
        for each in whole(client, f"{API}/corrections?limit=1", "corrections")
    ]
    assert numbers == sorted(numbers, reverse=True)
    held = {c["number"] for q in exported["questions"] for c in q["corrections"]}
    assert set(numbers) == held


def test_changes_tell_what_each_release_did(client: FlaskClient, session: Session) -> None:
    first = make_published(session, "What is first?")
    second = make_published(session, "What is second?")
    save(
        session,
        first,
        replace(content_of(first), context="Some words."),
        seen_version=1,
        by=None,
        at=AT,
    )
    publish(session, [first], by=None, at=AT)
    retire(session, [second], by=None, at=AT)
    session.commit()
    told = [
        (each["release"], each["uid"], each["what"], each["revision"], each["parts"])
        for each in whole(client, f"{API}/changes?limit=1", "changes")
    ]
    assert told == [
        (1, first.uid, "published", 1, []),
        (2, second.uid, "published", 1, []),
        (3, first.uid, "published", 2, ["context"]),
        (4, second.uid, "retired", None, []),
    ]
    later = whole(client, f"{API}/changes?since=2", "changes")
    assert [each["release"] for each in later] == [3, 4]
    assert read(client, f"{API}/changes?since=4") == {"release": 4, "next": None, "changes": []}


def test_a_question_that_left_says_where_it_is_or_why(
    client: FlaskClient, session: Session
) -> None:
    kept, twin, gone = (make_published(session, f"What is {word}?") for word in ("a", "b", "c"))
    seen = twin.latest_number, kept.latest_number
    merge(session, twin, kept, seen=seen, by=None, at=AT)
    retire(session, [gone], by=None, at=AT, reason="It was wrong.")
    session.commit()
    moved = client.get(f"{API}/questions/{twin.uid}")
    assert (moved.status_code, moved.location) == (301, f"{API}/questions/{kept.uid}")
    withdrawn = client.get(f"{API}/questions/{gone.uid}")
    assert withdrawn.status_code == 410
    assert withdrawn.mimetype == "application/problem+json"
    assert "It was wrong." in (withdrawn.json or {})["detail"]


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/questions/nope", 404, "No public question has this uid."),
        ("/questions/01920000-0000-7000-8000-000000000000", 404, "No public question"),
        ("/questions?limit=0", 400, "from 1 to 100"),
        ("/questions?limit=many", 400, "is not a number of rows"),
        ("/questions?after=x", 400, "Start again from the first page"),
        ("/questions?sort=x", 400, "Choose recent, title, relevance"),
        ("/questions?difficulty=x", 400, "Choose easy, medium, hard"),
        ("/questions?deck=nope", 404, "There is no deck 'nope'"),
        ("/decks/%00", 404, "There is no deck"),
        ("/changes?since=99", 400, "a release from 0 to"),
        ("/changes?after=1-x", 400, "Start again without it"),
        ("/nothing", 404, ""),
    ],
)
def test_a_request_that_cannot_be_answered_is_a_problem_document(
    client: FlaskClient, address: str, status: int, said: str
) -> None:
    answer = client.get(API + address)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert said in (answer.json or {})["detail"]


@pytest.mark.usefixtures("bank")
def test_what_has_not_changed_costs_nothing_and_every_site_may_read_it(
    client: FlaskClient, session: Session
) -> None:
    first = client.get(f"{API}/questions")
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in first.headers
    held = {"If-None-Match": first.headers["ETag"]}
    again = client.get(f"{API}/questions", headers=held)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    make_published(session, "What is new?")
    # Another address: on PostgreSQL the first may be a second stale.
    assert client.get(f"{API}/questions?now=1", headers=held).status_code == 200
    assert client.post(f"{API}/questions").status_code == 405


@pytest.mark.usefixtures("bank")
def test_the_first_address_leads_to_all_others(client: FlaskClient) -> None:
    index = read(client, f"{API}/")
    for address in [*index["addresses"].values(), *index["files"].values()]:
        assert client.get(address).status_code == 200, address


@pytest.mark.usefixtures("bank")
def test_the_api_does_what_its_description_says(app: Flask, session: Session) -> None:
    """Schemathesis asks every operation, with fitting and unfitting values."""
    uids = session.scalars(select(Question.uid)).all()
    session.commit()
    schema = schemathesis.openapi.from_wsgi(f"{API}/openapi.json", app)
    assert len(list(schema.get_all_operations())) == 8
    drawn = settings(
        max_examples=8,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    for found in schema.get_all_operations():
        operation = found.ok()

        @drawn
        @given(case=operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        holds()
        if "{uid}" in operation.path:
            for uid in uids:
                case = operation.Case(path_parameters={"uid": uid})
                case.call_and_validate(checks=CHECKS)
