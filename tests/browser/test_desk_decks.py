"""A deck is made by keyboard alone, with its members counted while one types."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from cms.formats.item import DeckFilter, DeckItem
from cms.models import Deck, Question
from cms.services.decks import deck_item, save_deck
from tests.browser.conftest import Open, Site, faults_of
from tests.factories import AT, make_published, make_question


@pytest.fixture
def bank(site: Site) -> None:
    for stem, tags in (
        ("What is a view?", ["flask/basics"]),
        ("What is a `blueprint`?", ["flask/routing"]),
        ("What is a cookie?", ["http"]),
        ("What is a zebra?", []),
    ):
        make_published(site.session, stem, tags=tags)


def members(page: Page) -> list[str]:
    return page.locator("#members .who").all_inner_texts()


@pytest.mark.usefixtures("bank")
def test_a_deck_is_made_by_keyboard(site: Site, open_page: Open) -> None:
    page = open_page("Edith")
    page.goto("/admin/decks/new/")
    count = page.locator("#preview .tally")
    expect(count).to_have_text("0 questions on the public site now")
    page.get_by_label("Title").focus()
    page.keyboard.type("Interview")
    page.get_by_label("With all of these tags").focus()
    page.keyboard.type("flask")
    expect(count).to_have_text("2 questions on the public site now")
    page.get_by_label("Add a question").focus()
    for typed, stem in (("zebra", "What is a zebra?"), ("blue", "What is a blueprint?")):
        page.keyboard.type(typed)
        expect(page.get_by_role("option", name=stem)).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(page.get_by_role("listbox")).to_be_hidden()
    page.keyboard.type("what is")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.get_by_label("Add a question").fill("cookie")
    expect(page.get_by_role("option", name="What is a cookie?")).to_be_visible()
    page.keyboard.press("Enter")
    assert members(page) == ["What is a zebra?", "What is a blueprint?", "What is a cookie?"]
    expect(count).to_have_text("4 questions on the public site now")
    # Its buttons are reached by Tab, and Alt with an arrow moves the question.
    page.get_by_role("button", name="Move up: What is a cookie?").focus()
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Alt+ArrowUp")
    assert members(page) == ["What is a cookie?", "What is a zebra?", "What is a blueprint?"]
    expect(page.get_by_role("button", name="Move down: What is a cookie?")).to_be_focused()
    expect(page.get_by_text("‘What is a cookie?’ is number 1 of 3.")).to_be_visible()
    page.get_by_role("button", name="Remove: What is a zebra?").focus()
    page.keyboard.press("Enter")
    assert members(page) == ["What is a cookie?", "What is a blueprint?"]
    expect(count).to_have_text("3 questions on the public site now")
    expect(page.locator("#preview li").first).to_have_text("What is a cookie?")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved the deck ‘Interview’.")).to_be_visible()
    assert members(page) == ["What is a cookie?", "What is a blueprint?"]
    deck = site.session.scalars(select(Deck)).one()
    assert deck_item(deck).filter == DeckFilter(all=["flask"])
    site.session.commit()
    page.goto("/decks/interview")
    assert page.locator(".list .title").all_inner_texts() == [
        "What is a cookie?",
        "What is a blueprint?",
        "What is a view?",
    ]


@pytest.mark.usefixtures("bank")
def test_tags_are_offered_after_a_comma_too(open_page: Open) -> None:
    page = open_page("Edith")
    page.goto("/admin/decks/new/")
    page.get_by_label("With one of these tags").press_sequentially("http, rout")
    options = page.locator("#any-paths option")
    expect(options).to_have_count(1)
    assert options.first.get_attribute("value") == "http, flask/routing"


@pytest.mark.usefixtures("bank")
def test_a_deck_is_made_without_scripts(site: Site, open_page: Open) -> None:
    page = open_page("Edith", scripts=False)
    page.goto("/admin/decks/new/")
    page.get_by_label("Title").fill("Plain")
    page.get_by_label("One a line").fill("what-is-a-zebra\nwhat-is-a-view")
    page.get_by_label("medium").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview .tally")).to_have_text("2 questions on the public site now")
    assert members(page) == ["What is a zebra?", "What is a view?"]
    expect(page.get_by_label("medium")).to_be_checked()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved the deck ‘Plain’.")).to_be_visible()


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_no_page_of_decks_has_a_serious_fault(
    site: Site, open_page: Open, scheme: str, width: int
) -> None:
    session = site.session
    draft = make_question(session, "averyveryverylongwordwithoutanyspaceinit" * 4)
    item = DeckItem(
        slug="",
        title="averyveryverylongword" * 6,
        filter=DeckFilter(all=["flask"]),
        questions=[draft.uid],
    )
    deck = save_deck(session, None, item, by=None, at=AT)
    session.commit()
    page = open_page("Edith", scheme=scheme, width=width)
    found = {}

    def look(name: str) -> None:
        if faults := faults_of(page):
            found[name] = faults

    page.goto("/admin/decks/")
    look("list")
    page.goto(f"/admin/decks/{deck.id}/")
    page.get_by_label("Add a question").fill("what")
    expect(page.get_by_role("listbox")).to_be_visible()
    look("form with its list open")
    page.locator("[name=seen_version]").first.evaluate("field => { field.value = '0'; }")
    page.get_by_label("Title").fill("Mine")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("heading", name="What the deck is now")).to_be_visible()
    look("conflict")
    page.get_by_label("Title").fill("")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("link", name="Title")).to_be_visible()
    look("refused")
    assert found == {}


@pytest.mark.usefixtures("bank")
def test_who_may_not_change_a_deck_reads_its_questions_below_their_heading(
    site: Site, open_page: Open
) -> None:
    uids = list(site.session.scalars(select(Question.uid)))
    item = DeckItem(slug="chosen", title="Chosen", questions=uids)
    deck = save_deck(site.session, None, item, by=None, at=AT)
    site.session.commit()
    page = open_page("Conrad")
    page.goto(f"/admin/decks/{deck.id}/")
    title = page.get_by_label("Title").bounding_box()
    shown = page.get_by_role("list", name="Chosen questions").bounding_box()
    assert title
    assert shown
    assert (shown["x"], shown["width"]) == (title["x"], title["width"])
