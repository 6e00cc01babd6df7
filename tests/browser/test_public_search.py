"""The search box in a real browser: keys lead to it, and questions are shown while one types."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open, Site, faults_of
from tests.factories import make_bank, make_published


@pytest.fixture
def bank(site: Site) -> None:
    make_bank(site.session)
    for number in range(9):
        make_published(site.session, f"What is cookie {number}?")
    site.session.commit()


def state(page: Page) -> tuple[str | None, str | None]:
    """Return whether the box's list is open, and the text of the option that is chosen."""
    box = page.get_by_role("combobox", name="Search")
    chosen = box.get_attribute("aria-activedescendant")
    text = page.locator(f"[id='{chosen}'][aria-selected=true]").text_content() if chosen else None
    return box.get_attribute("aria-expanded"), text


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(("path", "key"), [("/tags/", "/"), ("/", "Control+k")])
def test_keys_lead_to_the_box_through_its_list_and_to_a_question(
    open_page: Open, path: str, key: str
) -> None:
    page = open_page(scheme="dark" if path == "/" else "light", width=390 if path == "/" else 1400)
    page.goto(path)
    options = page.get_by_role("listbox").get_by_role("option")
    page.keyboard.press(key)
    page.keyboard.type("cooki")
    expect(options).to_have_count(9)
    assert state(page) == ("true", None)
    assert faults_of(page) == []
    page.keyboard.press("ArrowUp")
    assert state(page) == ("true", "All results for “cooki”")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert state(page)[1] == options.first.text_content()
    page.keyboard.press("Escape")
    expect(options.first).to_be_hidden()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("cooki")
    page.keyboard.press("ArrowDown")
    stem = options.first.text_content()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(stem or "")


@pytest.mark.usefixtures("bank")
def test_enter_alone_searches_and_a_single_key_can_be_switched_off(open_page: Open) -> None:
    page = open_page()
    page.goto("/tags/")
    box = page.get_by_role("combobox", name="Search")
    page.get_by_label("Single-key shortcuts").uncheck()
    page.reload()
    expect(page.get_by_label("Single-key shortcuts")).not_to_be_checked()
    page.keyboard.press("/")
    expect(box).not_to_be_focused()
    page.keyboard.press("Control+k")
    expect(box).to_be_focused()
    page.keyboard.type("cookie 3")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(2)
    page.keyboard.press("Enter")
    page.wait_for_url("**/questions/?q=cookie+3")
    expect(page.locator("mark").first).to_be_visible()


@pytest.mark.usefixtures("bank")
def test_the_list_shows_what_was_typed_last_though_an_older_answer_comes_later(
    open_page: Open,
) -> None:
    page = open_page()
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url.partition("q=")[2])
        if len(asked) == 1:
            held.append(route)
        else:
            route.continue_()

    held: list[Route] = []
    page.route("**/questions/suggest?**", answer)
    page.goto("/tags/")
    with page.expect_request("**/questions/suggest?q=cookie"):
        page.get_by_role("combobox", name="Search").fill("cookie")
    page.get_by_role("combobox", name="Search").fill("http")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text("HTTP")
    held[0].fulfill(body="<li role=option>Too late</li>", content_type="text/html")
    page.wait_for_timeout(100)
    expect(page.get_by_text("Too late")).to_have_count(0)
    assert asked == ["cookie", "http"]
