"""The public pages in a real browser: axe in both schemes and widths, keys, weight, no scripts."""

from __future__ import annotations

import gzip

import pytest
from playwright.sync_api import Page, Response, Route, expect

from cms.formats.item import DeckFilter, DeckItem
from cms.services.decks import save_deck
from cms.services.publishing import retire
from cms.services.verify.samples import published_samples
from cms.services.verify.verifying import Result, record_runs
from cms.web.errors import error_page
from tests.browser.conftest import WIDTHS, Open, Site, axe_faults, faint_in_the_dark, resize
from tests.factories import AT, make_bank, make_published

KEPT = "/questions/where-does-flask-keep-the-session"
PAGES = [
    *("/", "/questions/", "/questions/?q=cookie&tag=flask", "/questions/?q=nothing+like+it"),
    *("/questions/?q=cokie", "/questions/?q=%3F!"),
    *(KEPT, "/questions/all-there-is", "/tags/", "/tags/flask"),
    *("/corrections/", "/corrections/1", "/export/", "/decks/", "/decks/first", "/decks/empty"),
    *("/study/", "/decks/first/study", "/decks/empty/study", "/tags/flask/study"),
    *("/questions/study?q=cookie", "/study/interview", "/study/interview?any=2&seed=1"),
]
# Where nothing is, what was withdrawn, what is no order of a list, and a fault of the server.
ERRORS = ["/questions/nothing", "/nothing", "/questions/gone", "/questions/?sort=no", "/broken"]
BUDGET = 50_000  # bytes of a whole page, compressed
LONG = "averyveryverylongwordwithoutanyspaceinit" * 4
EVERYTHING = f"""# A heading `of code`

1. one
   - nested {LONG}

> quoted

| option | meaning | {LONG} |
|:--|:-:|--:|
| `A` | b | 1 |

```python run
print("{LONG}", 1)  # comment
```

```output
{LONG} 1
```
"""
# Enough for two lines in the head of a block, even on a wide screen.
PACKAGES = {f"A-package-with-a-name-{n}": "3.1.3" for n in range(4)}
_LAYOUT_SHIFT = """
() => new Promise((resolve) => {
  let shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) shift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => resolve(shift), 300);
})
"""


@pytest.fixture
def bank(site: Site) -> None:
    make_bank(site.session)
    make_published(site.session, f"All `there` is {LONG}?", slug="all-there-is", body=EVERYTHING)
    retire(site.session, [make_published(site.session, "Gone?", slug="gone")], by=None, at=AT)
    results = [
        Result(place, None, "3.14.1", PACKAGES if place.slug == "all-there-is" else {})
        for place in published_samples(site.session)
    ]
    record_runs(site.session, results, by=None, at=AT)
    for slug, filter in (("first", DeckFilter(text="a")), ("empty", DeckFilter())):
        item = DeckItem(slug=slug, title=f"A {LONG}", description=EVERYTHING, filter=filter)
        save_deck(site.session, None, item, by=None, at=AT)
    site.session.commit()


@pytest.mark.usefixtures("bank")
def test_no_page_has_a_fault_that_axe_finds(site: Site, open_page: Open) -> None:
    page = open_page()
    with site.app.test_request_context():
        broken = error_page(500).get_data(as_text=True)
    page.route("**/broken", lambda route: route.fulfill(body=broken, content_type="text/html"))
    for path in ERRORS[:-1]:
        page.route(f"{site.url}{path}", _as_a_page)
    for path in (*PAGES, *ERRORS):
        page.goto(path)
        for width in WIDTHS:
            resize(page, width)
            assert axe_faults(page) == [], f"{path}, {width} px"
            assert faint_in_the_dark(page) == [], f"{path}, {width} px"
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{path} scrolls sideways by {wide} px"
        resize(page, WIDTHS[0])


def _as_a_page(route: Route) -> None:
    """Answer with a 200, whatever it was: the console would report the error that is wanted."""
    route.fulfill(response=route.fetch(), status=200)


@pytest.mark.usefixtures("bank")
def test_every_page_is_light_and_stays_where_it_is(open_page: Open) -> None:
    for path in PAGES:
        page = open_page()
        weights: list[int] = []

        def weigh(response: Response, weights: list[int] = weights) -> None:
            weights.append(len(gzip.compress(response.body())))

        page.on("response", weigh)
        page.goto(path, wait_until="networkidle")
        assert 3_000 < sum(weights) < BUDGET, path
        assert page.evaluate(_LAYOUT_SHIFT) == 0, path


@pytest.mark.usefixtures("bank")
def test_a_reader_without_scripts_searches_filters_and_reads(open_page: Open) -> None:
    page = open_page(scripts=False)
    page.goto("/")
    page.get_by_role("searchbox").fill("cokie")
    page.get_by_role("button", name="Search").click()
    page.get_by_label("Difficulty").select_option("medium")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Where does Flask keep").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Where does Flask keep the session?")
    expect(page.get_by_text("It is kept on the server.")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)


@pytest.mark.usefixtures("bank")
def test_a_block_whose_code_ran_says_so_in_green_beside_its_language(open_page: Open) -> None:
    page = open_page(scripts=False)
    page.goto(KEPT)
    said = page.locator(".code-run .ran")
    expect(said).to_have_text("run with Python 3.14.1 on 22 Nov 2026")
    expect(said).to_have_css("color", "rgb(37, 108, 58)")
    expect(page.locator(".code-output .ran")).to_have_count(0)


@pytest.mark.usefixtures("bank")
def test_a_reader_at_the_keyboard_skips_searches_and_copies(open_page: Open) -> None:
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(KEPT)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert _focused(page) == "main"
    # The block that prints can only be read; the one before it can be taken along.
    expect(page.get_by_role("button", name="Copy")).to_have_count(1)
    page.get_by_role("button", name="Copy").press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "print(1)\n"
    page.keyboard.press("/")
    assert _focused(page) == "input"
    page.keyboard.type("a/b")
    expect(page.get_by_role("combobox", name="Search")).to_have_value("a/b")
    with page.expect_navigation(url="**/questions/?q=a%2Fb"):
        page.keyboard.press("Enter")


@pytest.mark.usefixtures("bank")
def test_paper_shows_the_answer_and_where_it_comes_from(open_page: Open) -> None:
    page = open_page()
    page.goto(KEPT)
    page.emulate_media(media="print")
    for gone in ("Tags", "Log in", "This question as JSON"):
        expect(page.get_by_role("link", name=gone, exact=True)).to_be_hidden()
    expect(page.get_by_text("It is kept on the server.")).to_be_visible()
    address = "getComputedStyle(document.querySelector('.sources a'), '::after').content"
    assert "https://example.org/s" in page.evaluate(address)


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.localName"))


@pytest.mark.usefixtures("bank")
def test_a_page_that_is_printed_from_a_dark_screen_is_ink_on_paper(open_page: Open) -> None:
    page = open_page(scheme="dark")
    page.goto("/questions/all-there-is")
    page.emulate_media(media="print", color_scheme="dark")
    dark = page.evaluate(
        """() => {
          const light = (color) => Math.max(...color.match(/\\d+/g).slice(0, 3).map(Number)) > 200;
          const clear = (color) => color.startsWith('rgba') && color.endsWith(' 0)');
          return [...document.querySelectorAll('main, main *')].filter((each) => {
            const ground = getComputedStyle(each).backgroundColor;
            return !clear(ground) && !light(ground);
          }).map((each) => each.outerHTML.slice(0, 80));
        }"""
    )
    assert dark == []
