"""The dashboard's charts and saved views, by keyboard and without scripts."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site
from tests.factories import make_published, make_question


def test_a_chart_is_walked_by_keyboard_and_a_view_is_saved_without_scripts(
    site: Site, open_page: Open
) -> None:
    make_published(site.session, "Public?", tags=["flask"], difficulty="easy")
    make_question(site.session, "Draft?", tags=["flask"])
    page = open_page("Edith", width=390, scripts=False)
    page.goto("/admin/")
    sizes = page.locator(".chart text").evaluate_all(
        "texts => texts.map((text) => parseFloat(getComputedStyle(text).fontSize))"
    )
    assert sizes
    assert min(sizes) >= 11
    bar = page.get_by_role("link", name="flask: 1 published question")
    bar.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(bar).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("summary", has_text="Save this view").click()
    page.get_by_label("Name", exact=True).fill("Live in Flask")
    page.get_by_role("button", name="Save the view").click()
    expect(page.locator(".note")).to_have_text(
        "Saved as ‘Live in Flask’. It is among your views now."
    )
    expect(page.locator("#side a[aria-current]")).to_have_text("Live in Flask")
    page.goto("/admin/views/")
    page.locator("summary", has_text="Rename").click()
    page.get_by_label("New name of Live in Flask").fill("Public")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.locator("td.main")).to_have_text("Public")
    page.get_by_role("button", name="Delete Public").click()
    expect(page.locator(".empty")).to_contain_text("You have saved no view yet.")
