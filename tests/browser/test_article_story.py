"""The main job on real input: the scraped article's damaged question 4, from file to reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from cms.formats import detect
from cms.formats.incoming import Upload
from cms.models import Provenance, Question
from cms.services.imports.importing import apply, plan_file
from tests.browser.conftest import Open, Site
from tests.conftest import SHARED_SEED

MENDED = "The development server listens on `127.0.0.1`, port `5000`."


def fourth_question(site: Site) -> Question:
    """Import the whole article; return its question 4, in which the host's address is missing."""
    found = sorted(SHARED_SEED.glob("*.txt"))
    if not found:
        pytest.skip("the scraped article is not at hand: put it in ../shared/seed")
    upload = Upload(found[0].name, found[0].read_bytes())
    format = detect(upload)
    plan = plan_file(site.session, upload, format)
    apply(site.session, plan, upload, format, by=None, at=datetime.now(UTC))
    statement = select(Question).join(Provenance).where(Provenance.ordinal == 4)
    question = site.session.scalars(statement).one()
    site.session.commit()
    return question


def test_the_articles_fourth_question_is_corrected_published_and_carried_away(
    site: Site, open_page: Open
) -> None:
    question = fourth_question(site)
    address = f"/admin/questions/{question.id}/"
    stale = open_page("Emil")
    stale.goto(address)

    page = open_page("Edith")
    page.goto(address)
    damaged = page.get_by_label("Answer text").input_value()
    page.locator("#rail").get_by_role("link", name="File a correction").click()
    page.get_by_label("What was claimed").fill("The default host has no address.")
    page.get_by_label("In fact").fill("It is `127.0.0.1`.")
    page.get_by_label("Source, address").fill("https://flask.palletsprojects.com/en/stable/cli/")
    page.get_by_role("button", name="File it").click()
    expect(page.get_by_text("Filed.")).to_be_visible()

    page.get_by_label("Answer text").fill(MENDED)
    page.get_by_label("Tags").fill("flask/cli,")
    page.get_by_role("button", name="Add a source").click()
    source = page.get_by_role("textbox", name="Address").last
    source.fill("https://flask.palletsprojects.com/en/stable/quickstart/")
    expect(page.locator("#preview")).to_contain_text("listens on 127.0.0.1, port 5000.")
    page.get_by_role("button", name="Save", exact=False).first.click()
    expect(
        page.get_by_text("Saved as revision 2. It closes 1 import warning as mended.")
    ).to_be_visible()
    page.locator("#corrections").get_by_role("link", name="Decide").click()
    page.get_by_role("button", name="Accept Ctrl S").click()
    expect(page.locator("#corrections")).to_contain_text("accepted in r2")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published in release 1.")).to_be_visible()

    reader = open_page()
    reader.goto(f"/questions/{question.slug}")
    main = reader.get_by_role("main")
    expect(main).to_contain_text("listens on 127.0.0.1, port 5000.")
    expect(main).to_contain_text("The default host has no address.")
    reader.goto("/corrections/")
    expect(reader.get_by_role("main")).to_contain_text("The default host has no address.")
    exported = json.loads(reader.request.get("/export/bank.json").body())
    [carried] = exported["questions"]
    assert carried["answers"][0]["body"] == MENDED
    assert carried["tags"] == ["flask/cli"]
    assert [(c["number"], c["fixed_in"]) for c in carried["corrections"]] == [(1, 2)]

    page.goto(f"{address}revisions/1/")
    expect(page.get_by_role("main")).to_contain_text(damaged.splitlines()[0])

    stale.get_by_label("Answer text").fill("My own text, typed meanwhile.")
    stale.get_by_role("button", name="Save", exact=False).first.click()
    expect(stale.get_by_role("main")).to_contain_text("Edith saved this question")
    expect(stale.get_by_role("main")).to_contain_text("My own text, typed meanwhile.")
    expect(stale.get_by_role("main")).to_contain_text("port")
    site.session.expire_all()
    assert site.session.get_one(Question, question.id).latest_number == 2
