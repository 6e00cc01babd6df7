"""What people write is judged where it would do harm: in the document that a browser makes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route
from sqlalchemy import select

from cms.markup import render, render_inline
from cms.models import Correction, Question
from tests import factories
from tests.browser.conftest import Open, Site
from tests.factories import make_every_public_kind
from tests.test_markup import ATTACKS

# What runs, loads, covers or sends something, in whichever way it came to stand there.
_FIND_DANGERS = """
const RUN = /^(script|iframe|frame|object|embed|applet|base|portal)$/;
const TELL = /^(style|link|meta|form|button|textarea|select|template|svg|foreignobject)$/;
const ADDRESSES = ['href', 'src', 'action', 'formaction', 'xlink:href', 'data', 'poster'];
const DATA = /^application\\/(ld\\+)?json$/;
window.dangers = (root, inText) => [...root.querySelectorAll('*')].flatMap((node) => {
  const tag = node.localName.toLowerCase();
  const own = tag === 'script' && !inText && (DATA.test(node.type)
    || (node.src && new URL(node.src).origin === location.origin));
  const found = (RUN.test(tag) && !own) || (inText && TELL.test(tag)) ? [`<${tag}>`] : [];
  for (const { name, value } of node.attributes) {
    if (/^on|^srcdoc$/.test(name) || (inText && name === 'style')) found.push(`${tag} ${name}`);
    if (!ADDRESSES.includes(name)) continue;
    const { protocol } = new URL(value, 'https://here.example/');
    if (!['http:', 'https:', 'mailto:'].includes(protocol)) found.push(`${tag} ${name}=${value}`);
  }
  return found;
});
window.ran = 0;
window.alert = window.confirm = window.prompt = () => { window.ran += 1; };
"""
_JUDGE = """
async (texts) => {
  const found = texts.map((html) => {
    const box = document.createElement('div');
    document.body.append(box);
    try { box.innerHTML = html; return dangers(box, true); } finally { box.remove(); }
  });
  // An image that cannot be loaded says so after this.
  await new Promise((done) => setTimeout(done, 200));
  return { found, ran: window.ran };
}
"""
# An attack in each place where a text can stand.
PLACES = (
    *("{}", "- {}", "> {}", "# {}", "**{}**", "`{}`", "| a |\n|-|\n| {} |", "1. a\n   {}"),
    *("[{}](https://here.example/)", "[x]({})", "![{}](/x.png)", "<{}>", "```{}\nx\n```", "$ {} $"),
)
EVIL = "\"'><img src=x onerror=alert(1)><svg/onload=alert(1)></script><script>alert(1)</script>"


@pytest.fixture
def unguarded(browser: Browser) -> Iterator[Page]:
    """An empty page without any policy, from which nothing leaves the machine."""
    context = browser.new_context()
    context.add_init_script(_FIND_DANGERS)
    page = context.new_page()

    def serve(route: Route) -> None:
        if route.request.is_navigation_request() and route.request.frame == page.main_frame:
            route.fulfill(content_type="text/html", body="<!doctype html><body>")
        else:
            route.abort()

    context.route("**/*", serve)
    page.goto("https://here.example/")
    yield page
    context.close()


def judged(page: Page, texts: Sequence[str]) -> tuple[dict[str, list[str]], int]:
    """Return what is dangerous in these texts as parts of a page, and how often one ran."""
    came = page.evaluate(_JUDGE, texts)
    found = zip(texts, came["found"], strict=True)
    return {html: each for html, each in found if each}, came["ran"]


def test_no_rendered_text_holds_anything_that_runs(unguarded: Page) -> None:
    chance = random.Random(20261127)
    placed = [place.format(attack) for attack, place in itertools.product(ATTACKS, PLACES)]
    pieces = [*ATTACKS, *PLACES, "\n\n", "<", '"']
    mixed = ["".join(chance.choices(pieces, k=4)) for _ in range(400)]
    texts = [render(each) for each in (*placed, *mixed)]
    texts += [render_inline(" ".join(each.split())) for each in placed]
    assert judged(unguarded, texts) == ({}, 0)


def test_the_judge_sees_what_the_attacks_would_do(unguarded: Page) -> None:
    found, ran = judged(unguarded, ATTACKS)
    assert len(found) >= 15
    assert ran >= 4


def test_no_page_runs_what_stands_in_any_of_its_texts(
    site: Site, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the policy, which would stop it anyhow."""
    monkeypatch.setattr(factories, "MARKUP", EVIL)
    make_every_public_kind(site.session)
    stem = f"Is {EVIL} text?"
    question = site.session.scalars(select(Question).where(Question.stem == stem)).one()
    correction = site.session.scalars(
        select(Correction).where(Correction.question_id == question.id)
    ).one()
    slug, key = question.slug, question.id
    number, id = correction.number, correction.id
    site.session.commit()
    searched = quote(EVIL)
    public = [
        *("/", "/questions/", f"/questions/?q={searched}", f"/questions/{slug}"),
        *(
            f"/questions/{slug}/history",
            "/tags/flask/markup",
            "/decks/basics",
            "/decks/basics/study",
        ),
        *("/corrections/", f"/corrections/{number}", "/study/", f"/study/cards/{slug}"),
        *("/questions/was-it-wrong", f"/{searched}", f"/login?next={searched}"),
        *(f"/questions/?tag={searched}", f"/questions/?sort={searched}"),
    ]
    desk = [
        *("/admin/", f"/admin/questions/?search={searched}", f"/admin/questions/{key}/"),
        *(f"/admin/questions/{key}/revisions/", f"/admin/questions/{key}/revisions/1/"),
        *(f"/admin/questions/{key}/as-candidate", f"/admin/questions/{key}/comments"),
        *("/admin/corrections/", f"/admin/corrections/{id}/", "/admin/audit/", "/admin/tags/"),
        *("/admin/answers/", "/admin/inbox/", f"/admin/audit/?about={searched}"),
    ]
    for name, addresses in ((None, public), ("Ada", desk)):
        page = open_page(name, policy=False)
        page.context.add_init_script(_FIND_DANGERS)
        for address in addresses:
            answer = page.goto(address)
            assert answer
            assert answer.status < 500, address
            assert name is None or "/login" not in page.url, address
            found = page.evaluate("[window.dangers(document, false), window.ran]")
            assert found == [[], 0], address
