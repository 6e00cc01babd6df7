"""Every page of the desk in both schemes and two widths: axe, and nothing that scrolls sideways."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from cms.formats.item import AnswerItem, SourceItem
from cms.models import ImportBatch, ImportRow, LikelyDuplicate
from cms.services import savedviews
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import reject
from cms.services.publishing import publish
from cms.services.questions import save
from cms.vocabulary import CorrectionKind, RowAction, TextPart
from tests.browser.conftest import WIDTHS, Open, Site, faults_of, resize
from tests.factories import AT, make_question, make_warning

LONG = "averyveryverylongwordwithoutanyspaceinit" * 4
CODE = """Text with `code`.

```python run
import os
print(os.name)
```

| a | b |
|---|---|
| 1 | 2 |"""


def furnish(site: Site) -> dict[str, str]:
    """A bank with one of everything; the addresses of the pages that show it."""
    session = site.session
    question = make_question(
        session,
        f"What is `{LONG}`?",
        tags=["flask/a-rather-long-path/of-a-tag", "http"],
        difficulty="hard",
        context=CODE,
        answers=[
            AnswerItem(label="Short", body=f"It is {LONG}."),
            AnswerItem(
                body=CODE,
                applies_to="Flask >= 2.2",
                sources=[SourceItem(url=f"https://example.org/{LONG}", title="A title")],
            ),
        ],
    )
    publish(session, [question], by=None, at=AT)
    changed = content_of(question)
    changed.answers[1].body = CODE.replace("text", "words")
    changed.stem = "Changed?"
    by = site.people["Edith"]
    save(session, question, changed, seen_version=1, by=by, at=AT, summary="Changed")
    make_warning(session, question, LONG)
    kind = CorrectionKind.factual
    # Proposed for a text that changed meanwhile: the two overlap.
    open_correction(
        session,
        question,
        kind=kind,
        claim=f"Claim {LONG}",
        part=TextPart.stem,
        proposed=f"What is {LONG} for?",
        seen_in=1,
        by=by,
        at=AT,
    )
    old = open_correction(session, question, kind=kind, claim="Another", by=by, at=AT)
    reject(session, old, reason="It is right.", by=by, at=AT)
    batch = ImportBatch(
        file_name=f"{LONG}.json",
        sha256="0" * 64,
        format="json",
        at=AT,
        planned_at=AT,
        applied_at=AT,
    )
    batch.rows = [
        ImportRow(place="line 1", action=RowAction.error, message=LONG, question=question)
    ]
    session.add(batch)
    for number in (1, 2):
        twin = make_question(session, f"Twin of {LONG} {number}?")
        pair = LikelyDuplicate(first_id=question.id, second_id=twin.id, similarity=90, found_at=AT)
        session.add(pair)
        pair.different_at = AT if number == 2 else None
    for name in ("Ada", "Edith"):
        for view, query in (("Drafts", "status=draft"), (LONG[:60], "search=x")):
            who = site.people[name]
            savedviews.save_view(session, view, page="desk_questions", query=query, by=who, at=AT)
    session.commit()
    here = f"questions/{question.id}/"
    answer = question.answers[1].id
    session.commit()
    return {
        "dashboard": "",
        "questions": "questions/",
        "editor": here,
        "editor in a list": f"{here}?url=/admin/questions/",
        "as candidate": f"{here}as-candidate",
        "new question": "questions/new/",
        "revisions": f"{here}revisions/",
        "revision": f"{here}revisions/2/",
        "answers": "answers/",
        "answer": f"answers/{answer}/",
        "new answer": "answers/new/",
        "tags": "tags/",
        "tag": "tags/1/",
        "tags below one": "tags/?under=flask",
        "tags to be merged": "tags/1/merge?into=http",
        "unused tags": "tags/unused",
        "new tag": "tags/new/",
        "corrections": "corrections/",
        "correction": "corrections/1/",
        "new correction": f"corrections/new/?question={question.id}",
        "imports": "imports/",
        "import": "imports/1/",
        "accounts": "accounts/",
        "account": "accounts/1/",
        "new account": "accounts/new/",
        "audit": "audit/",
        "duplicates": "duplicates/",
        "told apart": "duplicates/?show=different",
        "unsaved texts": "questions/unsaved/",
        "inbox": "inbox/",
        "my views": "views/",
        "a view": "questions/?status=draft",
        "nothing found": "questions/?search=nothingofthekind",
    }


def test_no_page_of_the_desk_has_a_serious_fault(site: Site, open_page: Open) -> None:
    pages = furnish(site)
    page = open_page("Ada")
    found = {}
    for name, address in pages.items():
        page.goto(f"/admin/{address}")
        for width in WIDTHS:
            resize(page, width)
            if faults := faults_of(page):
                found[f"{name}, {width} px"] = faults
        resize(page, WIDTHS[0])
    assert found == {}


def test_an_editor_that_opens_in_a_narrow_window_has_no_serious_fault(
    site: Site, open_page: Open
) -> None:
    """What stands beside a text is folded then: the page that narrowed above shows it."""
    pages = furnish(site)
    page = open_page("Ada", width=390)
    for name in ("editor", "editor in a list", "new question"):
        page.goto(f"/admin/{pages[name]}")
        assert faults_of(page) == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_the_pages_that_forms_lead_to_have_no_serious_fault(
    site: Site, open_page: Open, scheme: str, width: int
) -> None:
    pages = furnish(site)
    page = open_page("Edith", scheme=scheme, width=width)
    found = {}

    def look(name: str) -> None:
        if faults := faults_of(page):
            found[name] = faults

    page.goto(f"/admin/{pages['editor']}")
    page.locator("[name=seen_version]").evaluate("field => { field.value = '1'; }")
    page.get_by_label("Stem").fill("Mine?")
    page.locator("summary", has_text="More").click()
    look("editor with its menu open")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("heading", level=1)).to_contain_text(
        "saved this question in another window"
    )
    look("conflict")
    page.get_by_role("textbox", name="Stem").fill("")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("heading", name="Nothing was saved yet")).to_be_visible()
    look("refused save")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/admin/questions/")
    page.get_by_role("checkbox", name="Tick all").check()
    look("list with ticks")
    page.goto("/admin/questions/?search=twin")
    page.locator("summary", has_text="Save this view").click()
    look("saving a view")
    page.get_by_label("Name").fill("drafts")
    page.get_by_role("button", name="Save the view").click()
    expect(page.get_by_role("heading", name="Nothing was saved yet")).to_be_visible()
    look("refused view")
    page.goto("/admin/")
    for table in page.locator("summary", has_text="As a table").all():
        table.click()
    look("figures as tables")
    page.goto("/admin/questions/")
    page.get_by_role("checkbox", name="Tick all").check()
    page.get_by_label("What to do").select_option("Retire")
    page.get_by_role("button", name="Go on").click()
    look("confirmation")
    page.goto("/admin/tags/new/")
    page.get_by_role("button", name="Save").click()
    look("refused tag")
    if width == 390:
        page.goto("/admin/")
        page.get_by_role("button", name="Menu").click()
        look("menu")
    assert found == {}
