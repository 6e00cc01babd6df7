"""Study mode as a browser without scripts has it, and what scripts ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter, DeckItem
from cms.services import studying
from cms.services.decks import save_deck
from cms.services.publishing import retire
from cms.web.cache import keepable
from cms.web.public import study as pages
from tests.factories import AT, make_bank, make_published

KEPT = "where-does-flask-keep-the-session"
ADDRESSES = [
    *("/study/", "/decks/first/study", "/tags/flask/study", "/questions/study?q=cookie"),
    *("/study/list?deck=first", f"/study/cards/{KEPT}", "/study/interview?any=2&seed=1"),
]


def cards(page: str) -> list[str]:
    return re.findall(r'class="flashcard"[^>]*data-slug="([^"]+)"', page)


def pages_from(client: FlaskClient, address: str) -> Iterator[list[str]]:
    """The cards of each page, along the links to the next one."""
    while address:
        page = client.get(address).text
        yield cards(page)
        (address, *_) = [*re.findall(r'rel="next" href="([^"]+)"', page), ""]
        address = address.replace("&amp;", "&")


@pytest.fixture(autouse=True)
def bank(session: Session) -> None:
    make_bank(session)
    item = DeckItem(slug="first", title="First `steps`", filter=DeckFilter(any=["flask", "http"]))
    save_deck(session, None, item, by=None, at=AT)
    save_deck(session, None, DeckItem(slug="empty", title="Empty"), by=None, at=AT)
    session.commit()


# A fresh bank for each row would cost more than all of them.
SELECTIONS = [
    ("/decks/first/study", [KEPT, "what-is-a-view", "what-is-http"]),
    ("/tags/flask/study", ["what-is-a-view", KEPT]),
    ("/tags/flask/sessions/study", [KEPT]),
    ("/questions/study", ["what-is-a-view", "what-is-http", KEPT]),
    ("/questions/study?q=cookie", [KEPT]),
    ("/questions/study?tag=flask&tag=http", [KEPT]),
    ("/questions/study?difficulty=easy", ["what-is-a-view"]),
]


def test_each_selection_is_a_row_of_cards_a_page_at_a_time(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address, expected in SELECTIONS:
        assert cards(client.get(address).text) == expected, address
    monkeypatch.setattr(pages, "CARDS", 1)
    for address, expected in SELECTIONS:
        joined = f"{address}{'&' if '?' in address else '?'}x=1"
        assert list(pages_from(client, joined)) == [[slug] for slug in expected], address


def test_a_card_asks_first_and_answers_in_a_native_details(client: FlaskClient) -> None:
    page = client.get("/decks/first/study").text
    asked, _, answer = page.partition('<details class="reveal">')
    assert "Where does Flask keep" in asked
    assert "In a cookie." not in asked
    assert "In a cookie." in answer.partition("</details>")[0]
    assert '<meta name="robots" content="noindex">' in page


def test_pages_of_questions_lead_to_their_cards(client: FlaskClient) -> None:
    for address in ("/decks/first", "/tags/flask", "/questions/?q=cookie"):
        links = re.findall(r'href="([^"]*/study(?:\?[^"]*)?)"', client.get(address).text)
        assert len(links) == 1, address
        assert cards(client.get(links[0]).text), address


def test_what_is_studied_is_cached_by_release_and_never_changed_by_a_reader(
    client: FlaskClient,
) -> None:
    for address in ADDRESSES:
        found = client.get(address)
        assert found.status_code == 200, address
        assert keepable(address.partition("?")[0]), address
        again = client.get(address, headers={"If-None-Match": found.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), address
        assert client.post(address).status_code == 405, address
        assert "Set-Cookie" not in found.headers, address


EXPLAINED = [
    ("/decks/nope/study", 404, "There is no deck at this address."),
    ("/decks/first/study?after=x", 400, "Start again from the first page"),
    ("/tags/nope/study", 404, "No public question has the tag"),
    ("/questions/study?tag=nope", 404, "No public question has the tag “nope”."),
    ("/questions/study?difficulty=odd", 400, "There is no difficulty “odd”."),
    ("/study/list?deck=nope", 404, "There is no deck at this address."),
    ("/study/cards/nope", 404, "There is no question at this address."),
    ("/decks/empty/study", 200, "No question is here now"),
    ("/study/interview?any=0&seed=1", 400, "Choose from 1 to 30 questions"),
    ("/study/interview?easy=20&hard=20&seed=1", 400, "Choose from 1 to 30 questions"),
    ("/study/interview?easy=some&seed=1", 400, "“some” is not a number of questions."),
    ("/study/interview?any=1&minutes=900&seed=1", 400, "Choose at most 240 minutes."),
    ("/study/interview?any=1&deck=nope&seed=1", 404, "There is no deck at this address."),
    ("/study/interview?any=1&tag=nope&seed=1", 404, "No public question has the tag “nope”."),
    ("/study/interview?any=1&tag=a&deck=b&seed=1", 400, "Choose a deck or a tag, not both."),
    ("/study/interview?any=1&seed=x", 400, "“x” is not the number of a draw."),
    ("/study/interview?hard=1&seed=1", 200, "No question fits"),
    ("/study/interview?easy=3&any=1&seed=1", 200, "Only 1 question of difficulty ‘easy’"),
]


def test_what_cannot_be_studied_is_explained(client: FlaskClient) -> None:
    for address, status, said in EXPLAINED:
        found = client.get(address)
        assert found.status_code == status, address
        assert said in found.text, address


def test_a_form_that_asks_for_what_cannot_be_keeps_what_was_typed(client: FlaskClient) -> None:
    page = client.get("/study/interview?easy=25&hard=9&tag=flask&minutes=12&seed=77").text
    for name, value in (("easy", 25), ("hard", 9), ("tag", "flask"), ("minutes", 12)):
        assert re.search(rf'name="{name}"[^>]* value="{value}"', page), name


# --- tags whose names are in the way ---------------------------------------------------------


def test_a_tag_that_is_named_study_keeps_its_page(client: FlaskClient, session: Session) -> None:
    make_published(session, "How does one learn?", tags=["flask/study"])
    own = client.get("/tags/flask/study").text
    assert "<h1>Study</h1>" in own
    assert "How does one learn?" in own
    assert 'href="/tags/flask/study/study"' in own
    assert cards(client.get("/tags/flask/study/study").text) == ["how-does-one-learn"]
    assert 'href="/questions/study?tag=flask"' in client.get("/tags/flask").text
    make_published(session, "What is to study?", tags=["study"])
    assert "What is to study?" in client.get("/tags/study").text
    assert cards(client.get("/tags/study/study").text) == ["what-is-to-study"]


# --- what scripts ask for -----------------------------------------------------------------------


def test_the_list_names_cards_with_revision_and_difficulty_up_to_a_limit(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = client.get("/study/list?deck=first").json or {}
    assert [card[1:] for card in found["cards"]] == [
        [KEPT, 1, "medium"],
        ["what-is-a-view", 1, "easy"],
        ["what-is-http", 1, None],
    ]
    assert all(len(card[0]) == 36 for card in found["cards"])
    assert found["more"] is False
    monkeypatch.setattr(pages, "LIST_LIMIT", 2)
    short = client.get("/study/list?deck=first&x=1").json or {}
    assert (len(short["cards"]), short["more"]) == (2, True)
    assert (client.get("/study/list?tag=flask&q=cookie").json or {})["cards"] == [found["cards"][0]]


def test_a_card_alone_is_a_piece_of_a_page(client: FlaskClient) -> None:
    found = client.get(f"/study/cards/{KEPT}")
    assert cards(found.text) == [KEPT]
    assert "<html" not in found.text
    assert found.headers["X-Robots-Tag"] == "noindex"


def test_a_withdrawn_card_leaves_the_list_and_says_that_it_is_gone(
    client: FlaskClient, session: Session
) -> None:
    gone = make_published(session, "Is this gone?", tags=["http"])
    retire(session, [gone], by=None, at=AT)
    session.commit()
    assert "is-this-gone" not in client.get("/study/list?tag=http").text
    assert client.get("/study/cards/is-this-gone").status_code == 410


# --- an interview ------------------------------------------------------------------


def test_an_interview_is_the_same_for_everybody_who_has_its_address(client: FlaskClient) -> None:
    page = client.get("/study/interview?easy=1&medium=1&any=1&minutes=9&seed=3").text
    assert cards(page)[:2] == ["what-is-a-view", KEPT]
    assert "3 questions in 9 minutes" in page
    assert 'href="/study/interview?easy=1&amp;medium=1&amp;any=1&amp;minutes=9&amp;seed=4"' in page
    assert "In a cookie." in page
    assert "itsdangerous" not in page


def test_an_interview_without_difficulties_suggests_questions_of_any(
    client: FlaskClient, session: Session
) -> None:
    assert 'name="easy" type="number" inputmode="numeric" min="0" max="30" value="3"' in (
        client.get("/study/interview").text
    )
    assert studying.levels(session) == {"easy", "medium"}
