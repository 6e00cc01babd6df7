"""The decks in public: cards, a page with its questions in order, its files, its changes."""

from __future__ import annotations

import html
import re
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats import FORMATS
from cms.formats.item import DeckFilter, DeckItem
from cms.models import Deck, Question
from cms.services import listing
from cms.services.content import content_of
from cms.services.decks import deck_item, save_deck
from cms.services.publishing import publish, retire
from cms.services.questions import save
from cms.web.cache import keepable
from cms.web.public import decks as pages
from tests.factories import AT, make_published

LATER = AT + timedelta(days=2)
EXTENSIONS = [each.extension for each in FORMATS.values() if each.write]


def titles(page: str) -> list[str]:
    """The addresses of the listed questions, without the deck by which they are reached."""
    return re.findall(r'class="title" href="([^"?]+)', page)


def history(page: str) -> list[str]:
    """The entries of what changed, in plain words."""
    entries = page.partition('<ol class="history">')[2].partition("</ol>")[0]
    plain = [re.sub("<[^>]*>", "", each) for each in entries.split('<p class="when">')[1:]]
    return [html.unescape(" ".join(each.split())) for each in plain]


@pytest.fixture
def deck(session: Session) -> Deck:
    """Three questions under a tag, the last of them first; another one is in no deck."""
    for stem in ("What is `g`?", "What is a view?", "What is <b>?"):
        last = make_published(session, stem, tags=["flask"])
    make_published(session, "What is HTTP?")
    item = DeckItem(
        slug="first-steps",
        title="First steps & more",
        description="Begin *here*.",
        filter=DeckFilter(all=["flask"]),
        questions=[last.uid],
    )
    made = save_deck(session, None, item, by=None, at=AT)
    session.commit()
    return made


@pytest.mark.usefixtures("deck")
def test_the_decks_are_on_the_first_page_in_the_navigation_and_on_their_own(
    client: FlaskClient,
) -> None:
    for address in ("/", "/decks/"):
        page = client.get(address).text
        assert '<a href="/decks/first-steps">First steps &amp; more</a>' in page
        assert "Begin here." in page
        assert "3 questions" in page
        assert '<a href="/decks/"' in page


def test_a_bank_without_decks_says_what_to_read_instead(client: FlaskClient) -> None:
    assert "No deck has been made yet" in client.get("/decks/").text
    assert client.get("/").status_code == 200


@pytest.mark.usefixtures("deck")
def test_a_deck_lists_its_questions_in_its_order(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    first = client.get("/decks/first-steps")
    assert "<em>here</em>" in first.text
    assert titles(first.text) == ["/questions/what-is-b", "/questions/what-is-g"]
    assert "What is HTTP?" not in first.text
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first.text)
    second = client.get(following)
    assert titles(second.text) == ["/questions/what-is-a-view"]
    assert "Next page" not in second.text


@pytest.mark.usefixtures("deck")
@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/decks/nope", 404, "There is no deck at this address."),
        ("/decks/No-Slug", 404, "There is no deck at this address."),
        ("/decks/nope.json", 404, "There is no deck 'nope'."),
        ("/decks/%00.json", 404, "There is no deck '"),
        ("/decks/first-steps.pdf", 404, "There is no export “.pdf”."),
        ("/decks/first-steps.x.json", 404, "There is no export “.x.json”."),
        ("/decks/first-steps.zip", 404, "There is no export “.zip”."),
        ("/decks/first-steps?after=x", 400, "Start again from the first page"),
        ("/decks/first-steps?after=WyJyZWNlbnQiLDEsMV0", 400, "Start again from the first page"),
        ("/decks/first-steps?before=x", 400, "is not the number of a release"),
        ("/decks/first-steps?since=9", 400, "The newest release is 5"),
        ("/decks/first-steps.json?since=9", 400, "a release from 0 to 5"),
    ],
)
def test_what_is_not_there_is_explained(
    client: FlaskClient, address: str, status: int, said: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    text = (answer.json or {})["detail"] if answer.is_json else answer.text
    assert said in text.replace("&#39;", "'")


# --- files ----------------------------------------------------------------------------


@pytest.mark.usefixtures("deck")
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_deck_is_a_file_in_each_format(client: FlaskClient, extension: str) -> None:
    address = f"/decks/first-steps.{extension}"
    assert address in client.get("/decks/first-steps").text
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="first-steps.{extension}"'
    )
    assert answer.content_length == len(answer.data)
    bank = client.get(f"/export/bank.{extension}")
    assert answer.mimetype == bank.mimetype
    assert len(answer.data) < len(bank.data)
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.usefixtures("deck")
def test_an_extension_of_two_words_is_not_part_of_the_slug(client: FlaskClient) -> None:
    names = zipfile.ZipFile(BytesIO(client.get("/decks/first-steps.md.zip").data)).namelist()
    assert {"what-is-g.md", "what-is-b.md", "decks.yaml"} <= set(names)
    assert "what-is-http.md" not in names


@pytest.mark.usefixtures("deck")
def test_a_decks_file_is_narrowed_like_the_banks(client: FlaskClient, session: Session) -> None:
    assert client.get("/decks/first-steps.json?difficulty=easy").json["questions"] == []  # type: ignore[index]
    assert client.get("/decks/first-steps.csv?bom=1").data.startswith(b"\xef\xbb\xbf")
    nothing = client.get("/decks/first-steps.json?since=5").json
    assert nothing is not None
    assert (nothing["questions"], nothing["withdrawn"]) == ([], [])


def test_pages_of_decks_are_kept_and_files_are_not() -> None:
    assert keepable("/decks/")
    assert keepable("/decks/first-steps")
    assert not keepable("/decks/first-steps.json")
    assert not keepable("/decks/first-steps.md.zip")


# --- what changed ------------------------------------------------------------------------


def test_a_deck_says_what_each_release_did_to_it(
    client: FlaskClient, session: Session, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/decks/first-steps")
    assert "Only what is new" not in first.text
    added = make_published(session, "What is new?", tags=["flask"])
    changed = replace(content_of(added), stem="What is newer?")
    save(session, added, changed, seen_version=1, by=None, at=LATER)
    publish(session, [added], by=None, at=LATER)
    retire(session, [added], by=None, at=LATER)
    save_deck(
        session,
        deck,
        replace(deck_item(deck), filter=DeckFilter()),
        seen_version=1,
        by=None,
        at=LATER,
    )
    session.commit()
    # Another address of the same page: on PostgreSQL the first may be a second stale.
    page = client.get("/decks/first-steps?now=1")
    assert page.headers["ETag"] != first.headers["ETag"]
    assert history(page.text) == [
        "24 Nov 2026 release 9 Withdrawn 2 What is g? What is a view?",
        "24 Nov 2026 release 8 Withdrawn What is newer?",
        "24 Nov 2026 release 7 Changed What is newer?",
        "22 Nov 2026 release 6 Added What is newer?",
        "22 Nov 2026 release 5 Added 3 What is g? What is a view? What is <b>?",
    ]
    assert "/decks/first-steps.json?since=8" in page.text
    monkeypatch.setattr(pages, "RELEASES", 2)
    short = client.get("/decks/first-steps?x=1")
    assert len(history(short.text)) == 2
    assert "/decks/first-steps?before=8#changes" in short.text
    older = client.get("/decks/first-steps?before=8")
    assert [entry[12:21] for entry in history(older.text)] == ["release 7", "release 6"]
    assert "Newest changes" in older.text
    assert "Nothing changed before that." in client.get("/decks/first-steps?before=1").text


def test_whoever_took_a_deck_away_is_told_what_is_new_to_them(
    client: FlaskClient, session: Session, deck: Deck
) -> None:
    def news(since: int) -> str:
        page = client.get(f"/decks/first-steps?since={since}").text
        told = page.partition('<section class="news"')[2].partition("</section>")[0]
        return " ".join(re.sub("<[^>]*>", " ", told.partition(">")[2]).split())

    member = session.scalars(
        select(Question).where(Question.uid == deck.members[0].question_uid)
    ).one()
    make_published(session, "What is new?", tags=["flask"])
    passing = make_published(session, "What comes and goes?", tags=["flask"])
    retire(session, [passing], by=None, at=LATER)
    for seen, stem in enumerate(("What is <i>?", "What is <u>?"), start=1):
        save(
            session,
            member,
            replace(content_of(member), stem=stem),
            seen_version=seen,
            by=None,
            at=AT,
        )
        publish(session, [member], by=None, at=LATER)
    retire(
        session,
        [session.scalars(select(Question).filter_by(slug="what-is-g")).one()],
        by=None,
        at=AT,
    )
    session.commit()
    assert news(5) == (
        "Since release 5 Added What is new? Changed What is &lt;u&gt;? Withdrawn What is g ? "
        "A file that you import again brings all of this; "
        "the cards that you have stay where they are."
    )
    assert news(9).startswith("Since release 9 Changed What is &lt;u&gt;? Withdrawn What is g ?")
    assert news(11) == (
        "Since release 11 Nothing in this deck has changed: what you have is up to date."
    )


def test_a_release_that_changed_many_questions_names_the_first_ones(
    client: FlaskClient, session: Session
) -> None:
    for number in range(10):
        make_published(session, f"Question {number}?", tags=["flask"])
    item = DeckItem(slug="all", title="All", filter=DeckFilter(all=["flask"]))
    save_deck(session, None, item, by=None, at=AT)
    session.commit()
    (entry,) = history(client.get("/decks/all").text)
    assert "Added 10" in entry
    assert entry.count("Question") == 8
    assert "and 2 more" in entry
