"""Likely duplicates at the desk: looked at side by side, merged or told apart."""

from __future__ import annotations

import itertools

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms.models import LikelyDuplicate
from cms.services import duplicates
from cms.vocabulary import Role
from tests.factories import AT, make_published, make_question
from tests.web.conftest import AsRole, Send
from tests.web.pages import notes_of

PAGE = "/admin/duplicates/"


def pair_up(session: Session, *stems: str) -> tuple[int, ...]:
    """Make questions and have their likes found; return their keys."""
    keys = tuple(make_question(session, stem).id for stem in stems)
    while duplicates.find_some(session, at=AT):
        pass
    session.commit()
    return keys


def test_a_pair_is_told_apart_for_good_and_offered_again(
    as_role: AsRole, session: Session, send: Send
) -> None:
    first, second = pair_up(session, "What is a `Blueprint`?", "What are blueprints?")
    desk = as_role(Role.editor)
    page = desk.get(PAGE).text
    assert "1 pair" in page
    assert "What is a <code>Blueprint</code>?" in page
    assert f"/admin/questions/{second}/merge?into={first}" in page
    assert f"/admin/questions/{first}/merge?into={second}" in page
    assert "Likely duplicates <span" in page, "the side bar counts them"
    send(desk, f"{PAGE}{first}-{second}/different")
    page = desk.get(PAGE).text
    assert notes_of(page) == ["Told apart: they are not offered again."]
    assert "No two questions read alike." in page
    send(desk, f"{PAGE}{first}-{second}/different")
    assert notes_of(desk.get(PAGE).text) == ["These two were marked as different already."]
    page = desk.get(f"{PAGE}?show=different").text
    assert "told apart" in page
    assert "by The editor" in page
    send(desk, f"{PAGE}{first}-{second}/offer", show="different")
    assert "1 pair" in desk.get(PAGE).text


def test_contributors_look_and_do_not_decide(as_role: AsRole, session: Session) -> None:
    pair_up(session, "What is WSGI?", "What's WSGI?")
    page = as_role(Role.contributor).get(PAGE).text
    assert "1 pair" in page
    assert "They differ" not in page
    assert "/merge" not in page


def test_an_address_that_names_no_pair_says_so(
    as_role: AsRole, session: Session, send: Send
) -> None:
    desk = as_role(Role.editor)
    for pair in ("1-2", "x-y", f"{'9' * 30}-1"):
        send(desk, f"{PAGE}{pair}/different")
        assert "no likely duplicates any more" in notes_of(desk.get(PAGE).text)[0]
    assert desk.get(f"{PAGE}?page={'9' * 30}&show=x").status_code == 200
    assert session.scalars(duplicates.pairs()).all() == []


@pytest.fixture
def desk_of_pairs(as_role: AsRole, session: Session) -> FlaskClient:
    keys = [make_question(session, f"What is number {n}?").id for n in range(8)]
    pairs = itertools.combinations(keys, 2)
    session.add_all(
        LikelyDuplicate(first_id=first, second_id=second, similarity=90, found_at=AT)
        for first, second in pairs
    )
    session.commit()
    return as_role(Role.editor)


def test_pages_hold_a_bounded_number_of_pairs(desk_of_pairs: FlaskClient) -> None:
    first, second = (desk_of_pairs.get(f"{PAGE}?page={page}").text for page in (0, 1))
    assert (first.count("They differ:"), second.count("They differ:")) == (25, 3)
    assert "Next →" in first
    assert "← Previous" in second


def test_what_reads_like_a_stem_stands_beside_it_until_it_is_public(
    as_role: AsRole, session: Session
) -> None:
    first, second = pair_up(session, "What is WSGI?", "What's WSGI?")
    public = make_published(session, "What is ASGI?").id
    session.commit()
    desk = as_role(Role.contributor)
    assert "What is WSGI?" in desk.get("/admin/duplicates/likes?stem=what+is+wsgi").text
    told = desk.get(f"/admin/duplicates/likes?stem=what+is+wsgi&question={first}").text
    assert "A question reads like this one" in told
    assert f"/admin/questions/{second}/" in told
    assert "reads" not in desk.get("/admin/duplicates/likes?stem=What+is+Jinja").text
    assert "A question reads like this one" in desk.get(f"/admin/questions/{first}/").text
    assert 'id="likes"' not in desk.get(f"/admin/questions/{public}/").text
