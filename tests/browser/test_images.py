"""Images and formulas in a browser: pasted, dropped, uploaded without scripts; on the page."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select

from cms.models import Asset, Question
from tests.browser.conftest import Open, Site, faults_of
from tests.factories import make_asset, make_published, make_question
from tests.formats.pictures import DRAWING, picture_of

PNG = picture_of("PNG", (300, 200))
FORMULAS = (
    "The sum $\\sum_{i=1}^n i$ grows.\n\n"
    "$$\n\\begin{aligned}n(n+1)/2 &= \\frac{n^2+n}{2}\\\\&\\in O(n^2)\\end{aligned}\n$$\n\n"
    "It costs $5, or $6."
)

_GIVE = """([selector, kind, data]) => {
  const area = document.querySelector(selector);
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const held = new DataTransfer();
  held.items.add(new File([bytes], 'picture.png', { type: 'image/png' }));
  const more = kind === 'paste' ? { clipboardData: held } : { dataTransfer: held };
  const Kind = kind === 'paste' ? ClipboardEvent : DragEvent;
  area.focus();
  area.setSelectionRange(2, 2);
  area.dispatchEvent(new Kind(kind, { bubbles: true, cancelable: true, ...more }));
}"""


@pytest.fixture
def question(site: Site) -> Question:
    return make_question(site.session, "What is a view?", "A function.")


def give(page: Page, kind: str) -> None:
    data = base64.b64encode(PNG).decode()
    page.evaluate(_GIVE, ["[id='answers[0].body']", kind, data])


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_an_image_is_described_and_stands_at_the_cursor(
    site: Site, open_page: Open, question: Question, kind: str
) -> None:
    page = open_page("Conrad")
    page.goto(f"/admin/questions/{question.id}/")
    give(page, kind)
    words = page.get_by_label("Description")
    expect(words).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Describe the image: whoever")).to_be_visible()
    page.keyboard.type("A blue box")
    assert faults_of(page) == []
    page.keyboard.press("Enter")
    area = page.locator("[id='answers[0].body']")
    expect(area).to_have_value(re.compile(r"^A !\[A blue box\]\(asset:[0-9a-f]{64}\.png\)function"))
    expect(area).to_be_focused()
    shown = page.locator("#preview img")
    expect(shown).to_have_attribute("alt", "A blue box")
    assert shown.evaluate("each => each.decode().then(() => each.naturalWidth)") == 300
    page.keyboard.press("Control+z")
    expect(area).to_have_value("A function.")
    assert len(site.session.scalars(select(Asset)).all()) == 1


def test_without_scripts_an_image_comes_to_the_end_of_a_text(
    open_page: Open, question: Question
) -> None:
    page = open_page("Conrad", scripts=False)
    page.goto(f"/admin/questions/{question.id}/")
    page.locator("[id='answers[0].body']").fill("Typed.")
    page.get_by_text("Add an image", exact=False).first.click()
    picture = {"name": "picture.png", "mimeType": "image/png", "buffer": PNG}
    page.get_by_label("Image", exact=True).set_input_files(picture)  # type: ignore[arg-type]
    page.get_by_label("Description").fill("A blue box")
    page.get_by_role("button", name="Add the image").click()
    area = page.locator("[id='answers[0].body']")
    expect(area).to_have_value(re.compile(r"^Typed\.\n\n!\[A blue box\]\(asset:"))
    expect(page.locator("#preview img")).to_have_attribute("width", "300")


@pytest.mark.parametrize("width", [1400, 390])
def test_images_and_formulas_move_nothing_and_fit_the_page(
    site: Site, open_page: Open, width: int
) -> None:
    wide = make_asset(site.session, picture_of("PNG", (1600, 400)))
    drawing = make_asset(site.session, DRAWING)
    body = (
        f"![A wide blue box](asset:{wide.name})\n\nText below.\n\n{FORMULAS}\n\n"
        f"![A red box](asset:{drawing.name})"
    )
    question = make_published(site.session, "How large is it?", body=body)
    page = open_page(width=width)
    held: list[Route] = []
    page.route("**/assets/*", lambda route: held.append(route))
    page.goto(f"/questions/{question.slug}", wait_until="domcontentloaded")
    image, below = page.locator(".prose img").first, page.get_by_text("Text below.")
    image.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    place = below.bounding_box()
    assert held
    for route in held:
        route.continue_()
    image.evaluate("each => each.decode()")
    assert below.bounding_box() == place
    box = image.bounding_box()
    assert box is not None
    assert round(box["width"] / box["height"]) == 4
    formula = page.locator("math[display=block]").bounding_box()
    assert formula is not None
    assert formula["height"] > 40
    assert faults_of(page) == []
