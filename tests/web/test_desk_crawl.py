"""The pages of the desk are followed as its links lead: none is dead, none is invalid HTML."""

from __future__ import annotations

import re
from urllib.parse import urldefrag, urljoin

from flask.testing import FlaskClient

from tests.factories import CHOICES, make_asset, make_bank, make_published, make_question
from tests.web.htmlpages import HtmlPage
from tests.web.test_desk_imports import Desk, desk

__all__ = ["desk"]

# Pages of one kind are made by one template: a few of them show all that it can write.
OF_A_KIND = 3


def kind_of(address: str) -> str:
    return re.sub(r"\d+", "N", re.sub(r"=[^&]*", "=", address))


def faults_of(client: FlaskClient, first: str) -> tuple[set[str], list[str]]:
    """Follow the links from the dashboard and from `first`.

    Return the kinds of pages that were read, and what is wrong.
    """
    waiting, seen = ["/admin/", first], {"/admin/", first}
    kinds: dict[str, int] = {}
    faults: list[str] = []
    while waiting:
        address = waiting.pop()
        kind = kind_of(address)
        if kinds.get(kind, 0) == OF_A_KIND:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        response = client.get(address, follow_redirects=True)
        if response.status_code != 200:
            faults.append(f"{address} answers {response.status_code}")
        if response.mimetype != "text/html":
            continue
        page = HtmlPage(response.text, address)
        faults += [f"{address}: {fault}" for fault in page.faults()]
        for each in page.root.iter("a"):
            target, _ = urldefrag(urljoin(address, each.get("href", "")))
            if target in seen or not target.startswith("/"):
                continue
            seen.add(target)
            if target.startswith("/admin/"):
                waiting.append(target)
            elif (status := client.get(target).status_code) not in {200, 301, 302}:
                faults.append(f"{address}: {target} answers {status}")
    return set(kinds), faults


def test_every_kind_of_page_at_the_desk_is_valid(desk: Desk) -> None:
    make_bank(desk.session)
    shown = make_asset(desk.session, alt="A box")
    body = f"![A box](asset:{shown.name}) and $x^2$"
    make_published(desk.session, "Which one?", body=body, options=CHOICES)
    # Tags that nothing public has: alone, and below one that is public.
    draft = make_question(desk.session, "Who knows?", tags=["flask/secret", "hidden/deep"])
    desk.session.commit()
    desk.upload(("words.csv", b"Vorn;Hinten\nWas ist a?;Ein Buchstabe.\n"))
    desk.upload(("cards.md", b"---\nstem: What is a card?\n---\n\n## Answer\n\nPaper.\n"))
    kinds, faults = faults_of(desk.client, f"/admin/questions/{draft.id}/as-candidate")
    assert faults == []
    assert {"/admin/questions/N/", "/admin/imports/N/", "/admin/assets/"} <= kinds
